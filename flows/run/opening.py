"""Which accounts a run buys from: saved in Prefect, or from the environment; or the sandbox's."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import httpx

from blocks import settings
from blocks.errors import InputError
from blocks.ledger import Ledger
from blocks.ledger.fallback import adopt_noted_requests
from blocks.ledger.price_history import price_rules
from blocks.prefect_api import api_url, flow_run_id
from blocks.providers.base import Provider
from blocks.providers.cards import catalogue as cards
from blocks.providers.cards.card import Card, card_text
from blocks.providers.comfyui.account import ComfyUIAccount
from blocks.providers.fal.account import NO_KEY, Fal, FalAccount
from blocks.providers.http import Call, is_sendable, open_client, origin, send
from blocks.providers.model import Model
from blocks.providers.prices import shipped
from blocks.providers.services import is_sandboxed, provider_name
from blocks.providers.wavespeed.account import WaveSpeedAccount
from blocks.sandbox import Sandbox
from blocks.sandbox.server import environment_of
from blocks.storage.clip_store import ClipStore
from blocks.storage.places import clips_place, ledger_place
from flows.run.context import RunContext

Account = FalAccount | WaveSpeedAccount | ComfyUIAccount

ACCOUNTS: dict[str, type[Account]] = {
    "fal": FalAccount,
    "wavespeed": WaveSpeedAccount,
    "comfyui": ComfyUIAccount,
}
DEFAULT_ACCOUNT = "default"
SANDBOX_LIMITS: dict[str, dict[str, Any]] = {
    "fal": {"max_in_flight": 40},
    "wavespeed": {"tier": "Ultra", "max_in_flight": 40},
    "comfyui": {"max_in_flight": 40},
}
"""Where no account is saved, whose limits are kept."""
SANDBOX_POLL_S = (0.25, 1.0)
URL_FIELDS = {
    "fal": {
        "run_url": "FAL_RUN_URL",
        "queue_url": "FAL_QUEUE_URL",
        "platform_url": "FAL_PLATFORM_URL",
        "rest_url": "FAL_REST_URL",
        "media_url": "FAL_MEDIA_URL",
    },
    "wavespeed": {"url": "WAVESPEED_URL"},
    "comfyui": {"url": "COMFYUI_URL"},
}


@asynccontextmanager
async def open_run(
    services: Iterable[str],
    *,
    run_id: str = "",
    spends: bool = True,
    models: Iterable[Model] = (),
) -> AsyncIterator[RunContext]:
    """Everything a run needs, opened and checked before anything is bought.

    `services` are the names in the ledger of those that are needed; `models` those of the list.
    `run_id` is the flow run's where none is given, so that a run that Prefect starts again keeps
    its budget. Raises InputError for a missing key, SetupError for a ledger or a store that cannot
    be written.
    """
    wanted = sorted(set(services))
    ledger = Ledger(await ledger_place())
    with ExitStack() as stack:
        stack.callback(ledger.close)
        adopt_noted_requests(ledger)
        store = ClipStore(await clips_place())
        sandboxed = any(map(is_sandboxed, wanted))
        sandbox = sandbox_url(stack) if sandboxed else ""
        urls = environment_of(sandbox) if sandbox else {}
        async with open_client() as client:
            if sandbox:
                await sell(client, sandbox, models)
            opened: dict[str, Provider] = {}
            for service in wanted:
                if is_sandboxed(service):
                    block = await sandbox_account(provider_name(service), urls)
                else:
                    block = await live_account(service, spends=spends)
                provider = block.provider(client, service, DEFAULT_ACCOUNT)
                if is_sandboxed(service):
                    provider.poll_s = SANDBOX_POLL_S
                if isinstance(provider, Fal):
                    known = price_rules(ledger, service, DEFAULT_ACCOUNT)
                    provider.price_book = shipped().with_rules(known)
                opened[service] = provider
            yield RunContext(run_id or flow_run_id() or uuid4().hex, ledger, store, client, opened)


@asynccontextmanager
async def open_catalogues(
    *, sandbox: bool, patience_s: float
) -> AsyncIterator[tuple[dict[str, Any], dict[str, str]]]:
    """(the services whose catalogues can be asked, why others cannot). Spends nothing."""
    with ExitStack() as stack:
        urls = environment_of(sandbox_url(stack)) if sandbox else {}
        async with open_client() as client:
            opened: dict[str, Any] = {}
            silent: dict[str, str] = {}
            for name in cards.PROVIDERS:
                try:
                    if sandbox:
                        block = await sandbox_account(name, urls)
                    else:
                        block = await live_account(name, spends=False)
                    opened[name] = block.provider(client, name, DEFAULT_ACCOUNT)
                    opened[name].catalogue.patience_s = patience_s
                except InputError as error:
                    silent[name] = error.message
            yield opened, silent


async def live_account(name: str, *, spends: bool) -> Account:
    """The account's block: saved in Prefect, else from the environment.

    A plan needs no key where the price is known without the account. Raises InputError for a key
    that is missing or cannot be sent.
    """
    kind = ACCOUNTS[name]
    saved = await saved_account(name)
    keyless = {} if spends or name != "fal" else {"key": os.environ.get("FAL_KEY") or NO_KEY}
    account = saved or kind.from_environment(**keyless)
    if not isinstance(account, ComfyUIAccount) and not is_sendable(account.key.get_secret_value()):
        raise InputError(
            f"The key of {name} holds a character that no key has.",
            remedy=f"Copy it again, into the account's block or into {account.key_env}. "
            "Nothing was bought.",
        )
    return account


async def has_account(name: str) -> bool:
    """Whether there is a key to ask the real account with."""
    try:
        await live_account(name, spends=True)
    except InputError:
        return False
    return True


async def sandbox_account(name: str, urls: dict[str, str]) -> Account:
    """An account of the sandbox, with the limits of the real one where that is saved."""
    kind = ACCOUNTS[name]
    saved = await saved_account(name)
    overrides: dict[str, Any] = {field: urls[env] for field, env in URL_FIELDS[name].items()}
    overrides |= saved.model_dump(include=kind.limits) if saved else SANDBOX_LIMITS[name]
    # To the sandbox it is an admin's: it may read the bill.
    return kind.from_environment(key="admin:sandbox-key", **overrides)


async def saved_account(name: str) -> Account | None:
    """None also where there is no Prefect API to ask: outside a flow run, without a server."""
    if not (flow_run_id() or api_url()):
        return None
    from blocks.storage import saved

    return await saved.saved_block(saved.ACCOUNTS[name])


async def sell(client: httpx.AsyncClient, sandbox: str, models: Iterable[Model]) -> None:
    """Tell the sandbox of cards that did not come with shotreel, so that it sells them too."""
    ours = cards.shipped()
    for model in models:
        if isinstance(model, Card) and ours.get(model.name) != model:
            call = Call("POST", f"{sandbox}/sandbox/models", json=json.loads(card_text(model)))
            await send(client, call)


def sandbox_url(stack: ExitStack) -> str:
    """URL of the sandbox: the one that SHOTREEL_SANDBOX_URL names, or one in this process."""
    url = os.environ.get("SHOTREEL_SANDBOX_URL", "").rstrip("/")
    if url:
        require_loopback(url)
        return url
    sandbox = stack.enter_context(
        Sandbox(
            settings.home() / "sandbox",
            latency_s=settings.seconds("SHOTREEL_SANDBOX_LATENCY_S", 1.5) or 0.0,
        )
    )
    return sandbox.url


def require_loopback(url: str) -> None:
    """A run that is not live can reach nothing where money is. Raises InputError."""
    host = origin(url)[1]
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InputError(
            f"SHOTREEL_SANDBOX_URL is on {host or 'no host'}, which is not this machine.",
            remedy="Unset it, or start a sandbox here: shotreel sandbox --port 8700",
        )
