"""A fal account: the block that configures it, and the provider that speaks for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks import settings
from blocks.errors import InputError
from blocks.fal import wire
from blocks.fal.models import PRICE_AS_OF, UNIT_PRICES_USD
from blocks.http import UPLOAD_TIMEOUT_S, Call, Reply, origin, send
from blocks.model import Inputs, Model
from blocks.provider import (
    Bill,
    Findings,
    Found,
    Gone,
    Order,
    Polled,
    Quote,
    Submitted,
    Ticket,
)

QUIET_GRACE_S = 60.0
CLOCK_SKEW = timedelta(minutes=2)
MAX_LISTING_PAGES = 50


class FalAccount(Block):
    """A fal account: its key, its URLs, its limits.

    Example:
        ```python
        FalAccount(key="id:secret", max_in_flight=40).save("default")
        ```
    """

    _block_type_name = "fal account"
    _block_type_slug = "shotreel-fal-account"
    _documentation_url = "https://fal.ai/docs"  # type: ignore[assignment]

    key: SecretStr = Field(title="Key", description="From fal.ai/dashboard/keys.")
    max_in_flight: int = Field(
        default=10,
        ge=1,
        le=10_000,
        title="Requests in flight",
        description=(
            "Requests that may be at fal at one time, over all runs. A new account works on 2 at "
            "a time and queues the rest; 10 keep it busy and start inside the start timeout."
        ),
    )
    monthly_budget_usd: Decimal | None = Field(
        default=None,
        ge=0,
        title="Monthly budget (USD)",
        description="No more than this is bought in a calendar month (UTC), over all runs.",
    )
    run_url: str = Field(default_factory=lambda: settings.url("FAL_RUN_URL"))
    queue_url: str = Field(default_factory=lambda: settings.url("FAL_QUEUE_URL"))
    platform_url: str = Field(default_factory=lambda: settings.url("FAL_PLATFORM_URL"))
    rest_url: str = Field(default_factory=lambda: settings.url("FAL_REST_URL"))
    media_url: str = Field(default_factory=lambda: settings.url("FAL_MEDIA_URL"))

    key_env: ClassVar[str] = "FAL_KEY"

    @classmethod
    def from_environment(cls, **overrides: Any) -> FalAccount:
        """Raises InputError where no key is set."""
        key = overrides.pop("key", None) or os.environ.get("FAL_KEY", "").strip()
        pair = (
            os.environ.get("FAL_KEY_ID", "").strip(),
            os.environ.get("FAL_KEY_SECRET", "").strip(),
        )
        if not key and all(pair):
            key = ":".join(pair)
        if not key:
            raise InputError(
                "FAL_KEY is not set, and no fal account is saved in Prefect.",
                remedy="Get a key at fal.ai/dashboard/keys and run: export FAL_KEY=<key>",
            )
        return cls(key=SecretStr(key), **overrides)

    def provider(self, client: httpx.AsyncClient, service: str, name: str) -> Fal:
        return Fal(self, client, service, name)


class Fal:
    """fal's queue, spoken for one account. `service` names it in the ledger."""

    def __init__(
        self, block: FalAccount, client: httpx.AsyncClient, service: str, account: str
    ) -> None:
        self.block = block
        self.account = account
        self.client = client
        self.service = service
        self.poll_s = (1.0, 5.0)
        self.max_in_flight = block.max_in_flight
        self.monthly_budget_usd = block.monthly_budget_usd
        self.quiet_s = settings.seconds(
            "SHOTREEL_QUIET_S", settings.start_timeout_s() + QUIET_GRACE_S
        )
        self.refund_s = 0.0  # what is not billed is never charged
        urls = (block.queue_url, block.run_url, block.media_url, block.rest_url)
        self.trusted_hosts = frozenset(origin(url)[1] for url in urls)
        self._secret = block.key.get_secret_value()
        self._auth = {"Authorization": f"Key {self._secret}"}

    async def submit(self, order: Order) -> Submitted:
        call = wire.submit_call(self.block.queue_url, order, self._auth)
        return wire.classify_submit(await send(self.client, call, self._secret))

    async def poll(self, model: Model, ticket: Ticket) -> Polled:
        status = wire.classify_status(await self._get(self._url(model, ticket, "status_url")))
        if isinstance(status, Gone):
            return await self._history(model, ticket)
        if not isinstance(status, wire.StatusDone):
            return status
        result = await self._get(self._url(model, ticket, "response_url"))
        outcome = wire.classify_result(result, status)
        return await self._history(model, ticket) if isinstance(outcome, Gone) else outcome

    async def cancel(self, model: Model, ticket: Ticket) -> None:
        await send(
            self.client,
            Call("PUT", self._url(model, ticket, "cancel_url"), headers=self._auth),
            self._secret,
        )

    async def find(self, order: Order, since: datetime) -> Findings:
        """Requests of the model since then whose stored input is the attempt's.

        Source: platform API, "List requests by endpoint"; payloads are stored for 30 days.
        """
        params = (
            ("endpoint_id", order.model.endpoint),
            ("start", (since - CLOCK_SKEW).astimezone(UTC).isoformat()),
            ("expand", "payloads"),
            ("limit", "100"),
        )
        found: list[Found] = []
        cursor: str | None = None
        for _ in range(MAX_LISTING_PAGES):
            page = params + ((("cursor", cursor),) if cursor else ())
            answer = await self._get(f"{self.block.platform_url}/models/requests/by-endpoint", page)
            items = wire.items_of(answer) if isinstance(answer, Reply) and answer.ok else None
            if items is None:
                return Findings(tuple(found), complete=False)
            found += wire.matches(items, order.inputs)
            cursor = answer.object().get("next_cursor")
            if not cursor:
                return Findings(tuple(found))
        return Findings(tuple(found), complete=False)

    async def price(self, model: Model, inputs: Inputs) -> Quote:
        assert model.units is not None
        return Quote(model.units(inputs), UNIT_PRICES_USD[model.name], PRICE_AS_OF, "price_rule")

    async def billed(self, ticket: Ticket) -> Bill | None:
        """Needs an admin key; without one there is no answer (None)."""
        since = (datetime.now(UTC) - timedelta(days=89)).isoformat()
        params = (("request_id", ticket.request_id), ("start", since))
        answer = await self._get(f"{self.block.platform_url}/models/billing-events", params)
        return wire.read_bill(answer, ticket.request_id)

    async def upload(self, path: Path, content_type: str) -> str:
        """Upload a file as the official client does, and give its URL. Raises InputError."""
        token = await send(
            self.client,
            Call(
                "POST",
                f"{self.block.rest_url}/storage/auth/token",
                headers=self._auth,
                params=(("storage_type", "fal-cdn-v3"),),
                json={},
            ),
            self._secret,
        )
        grant = token.object() if isinstance(token, Reply) and token.ok else {}
        stored = await send(
            self.client,
            Call(
                "POST",
                f"{self.block.media_url}/files/upload",
                headers={
                    "Authorization": f"{grant.get('token_type')} {grant.get('token')}",
                    "Content-Type": content_type,
                    "X-Fal-File-Name": quote(path.name),
                },
                file=path,
                timeout_s=UPLOAD_TIMEOUT_S,
            ),
            str(grant.get("token", "")),
        )
        url = stored.object().get("access_url") if isinstance(stored, Reply) else None
        if not isinstance(url, str):
            raise InputError(f"fal did not take the upload of {path.name}.")
        return url

    async def _history(self, model: Model, ticket: Ticket) -> Polled:
        params = (
            ("endpoint_id", model.endpoint),
            ("request_id", ticket.request_id),
            ("expand", "payloads"),
        )
        answer = await self._get(f"{self.block.platform_url}/models/requests/by-endpoint", params)
        return wire.classify_history(answer, ticket.request_id)

    def _url(self, model: Model, ticket: Ticket, name: str) -> str:
        return wire.request_url(self.block.queue_url, model.endpoint, ticket, name)

    async def _get(self, url: str, params: tuple[tuple[str, str], ...] = ()) -> Any:
        return await send(
            self.client, Call("GET", url, headers=self._auth, params=params), self._secret
        )
