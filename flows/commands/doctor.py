"""`shotreel doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from contextlib import closing
from typing import Any

import click
import httpx

from blocks.errors import InputError, SetupError
from blocks.ledger import Ledger
from blocks.money import usd
from blocks.providers.comfyui.account import ComfyUIAccount
from blocks.providers.fal.account import FalAccount
from blocks.providers.http import Call, Reply, open_client, send
from blocks.providers.wavespeed.account import WaveSpeedAccount
from blocks.storage.clip_store import ClipStore
from blocks.storage.places import clips_place, ledger_place
from flows.run.opening import DEFAULT_ACCOUNT, saved_account
from flows.studio.check import Check, guarded
from flows.studio.checks import prefect_checks, sandbox


def doctor(*, live: bool, as_json: bool) -> int:
    """0 where everything that is needed works, else 1. Spends nothing."""
    checks = [ledger(), store(), ffmpeg(), signing(), *prefect_checks(), sandbox()]
    checks += asyncio.run(accounts(live=live))
    broken = any(check.verdict == "broken" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not broken, "checks": [vars(check) for check in checks]}))
    else:
        marks = {"ok": "ok     ", "missing": "missing", "broken": "BROKEN "}
        for check in checks:
            click.echo(f"{marks[check.verdict]} {check.name}: {check.what}")
            if check.remedy:
                click.echo(f"        {check.remedy}")
    return int(broken)


def ledger() -> Check:
    def look() -> str:
        with closing(Ledger(asyncio.run(ledger_place()))) as book:
            held = book.in_states(("unknown", "lost"))
        return f"{len(held)} attempts need a look: run `shotreel recover`" if held else "in order"

    return guarded("ledger", look)


def store() -> Check:
    def look() -> str:
        url = asyncio.run(clips_place())
        clips = ClipStore(url)
        where = f"{url}; copies in {clips.folder}" if clips.remote else str(clips.folder)
        return f"{where}, {shutil.disk_usage(clips.folder).free / 2**30:.1f} GiB free"

    return guarded("clip store", look)


def ffmpeg() -> Check:
    try:
        import av
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
        encoder = av.codec.Codec("libx264", "w").long_name
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it is what is told
        return Check("ffmpeg", "broken", str(error), "Reinstall: pip install --force-reinstall av")
    return Check("ffmpeg", "ok", f"PyAV {av.__version__}, {encoder}")


def signing() -> Check:
    """Unsigned films are nothing wrong."""
    from flows.output.credentials import credentials

    def look() -> str:
        seal = credentials()
        return f"Content Credentials by {seal.cert.name}" if seal else "films are not signed"

    return guarded("signing", look)


async def accounts(*, live: bool) -> list[Check]:
    """Whether each account has a key, and whether it is taken. Without `live` nobody is asked."""
    checks = []
    async with open_client() as client:
        for provider, name, kind, page, probe in (
            ("fal", "fal", FalAccount, "fal.ai/dashboard/keys", fal_call),
            (
                "wavespeed",
                "WaveSpeedAI",
                WaveSpeedAccount,
                "wavespeed.ai/accesskey",
                wavespeed_call,
            ),
        ):
            try:
                saved = await saved_account(provider)
                block = saved or kind.from_environment()
            except InputError:
                what = f"{kind.key_env} is not set"
                checks.append(Check(name, "missing", what, f"Get a key at {page}."))
                continue
            except SetupError as error:
                checks.append(Check(name, "broken", error.message, error.remedy))
                continue
            where = "saved in Prefect" if saved else f"{kind.key_env} is set"
            if not live:
                checks.append(Check(name, "ok", f"{where} (not tried without --live)"))
            else:
                checks.append(await asked(client, name, block, probe(block), page))
        checks.append(await comfyui(client, live=live))
    return checks


async def comfyui(client: httpx.AsyncClient, *, live: bool) -> Check:
    """A server of one's own: nothing is wrong where there is none."""
    server = ComfyUIAccount.from_environment().provider(client, "comfyui", DEFAULT_ACCOUNT)
    if not live:
        return Check("ComfyUI", "ok", f"{server.url} (not tried without --live)")
    try:
        version = await server.version()
    except InputError as error:
        wanted = "COMFYUI_URL" in os.environ
        return Check(
            "ComfyUI",
            "broken" if wanted else "missing",
            f"no ComfyUI answers at {server.url}: {error.message}",
            "Start it, or set COMFYUI_URL, if a list names comfyui/ models.",
        )
    return Check("ComfyUI", "ok", f"{server.url}, version {version}")


def fal_call(block: Any) -> Call:
    return Call(
        "GET",
        f"{block.platform_url}/models/pricing",
        headers={"Authorization": f"Key {block.key.get_secret_value()}"},
        params=(("endpoint_id", "fal-ai/magi-distilled"),),
    )


def wavespeed_call(block: Any) -> Call:
    return Call(
        "GET",
        f"{block.url}/api/v3/balance",
        headers={"Authorization": f"Bearer {block.key.get_secret_value()}"},
    )


async def asked(client: httpx.AsyncClient, name: str, block: Any, call: Call, page: str) -> Check:
    answer = await send(client, call, block.key.get_secret_value())
    if not isinstance(answer, Reply):
        return Check(name, "broken", answer.reason, "Check the network, a proxy, and the URL.")
    if answer.status in (401, 403):
        return Check(name, "broken", f"HTTP {answer.status}: the key is refused", f"See {page}.")
    if not answer.ok:
        return Check(name, "broken", f"HTTP {answer.status}", "Try again later.")
    balance_usd = await block.provider(client, name, DEFAULT_ACCOUNT).balance()
    if balance_usd is None:
        return Check(name, "ok", "the key works; it may not read the balance")
    told = f"the key works, balance {usd(balance_usd)}"
    return Check(
        name, "ok" if balance_usd > 0 else "broken", told, "" if balance_usd > 0 else "Top it up."
    )
