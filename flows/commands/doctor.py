"""`shotreel doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import click
import httpx

from blocks import settings
from blocks.clip_store import ClipStore
from blocks.errors import ShotreelError
from blocks.http import Call, Reply, open_client, plain, send
from blocks.ledger import Ledger
from blocks.places import ledger_place

Verdict = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Check:
    name: str
    verdict: Verdict
    what: str
    remedy: str = ""


def doctor(*, live: bool, as_json: bool) -> int:
    """0 where everything that is needed works, else 1. Spends nothing."""
    checks = [ledger(), store(), ffmpeg(), signing(), asyncio.run(prefect_api())]
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
        book = Ledger(asyncio.run(ledger_place()))
        try:
            held = book.in_states(("unknown", "lost"))
        finally:
            book.close()
        return f"{len(held)} attempts need a look: run `shotreel recover`" if held else "in order"

    return guarded("ledger", look)


def store() -> Check:
    def look() -> str:
        folder = ClipStore().folder
        return f"{folder}, {shutil.disk_usage(folder).free / 2**30:.1f} GiB free"

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
    from flows.handover.credentials import credentials

    def look() -> str:
        seal = credentials()
        return f"Content Credentials by {seal.cert.name}" if seal else "films are not signed"

    return guarded("signing", look)


async def prefect_api() -> Check:
    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        return Check("Prefect", "ok", "its embedded server is started by each run")
    async with open_client() as client:
        answer = await send(client, Call("GET", f"{url.rstrip('/')}/health"))
    if isinstance(answer, Reply) and answer.ok:
        return Check("Prefect", "ok", url)
    return Check(
        "Prefect",
        "broken",
        f"{url} does not answer",
        "Start it (prefect server start), or unset PREFECT_API_URL.",
    )


async def accounts(*, live: bool) -> list[Check]:
    """Whether each key is there and is taken. Without `live` nothing outside is asked."""
    checks = []
    async with open_client() as client:
        for name, variable, page, probe in (
            ("fal", "FAL_KEY", "fal.ai/dashboard/keys", fal_call),
            ("WaveSpeedAI", "WAVESPEED_API_KEY", "wavespeed.ai/accesskey", wavespeed_call),
        ):
            key = os.environ.get(variable, "").strip()
            if not key:
                checks.append(
                    Check(name, "missing", f"{variable} is not set", f"Get a key at {page}.")
                )
            elif not live:
                checks.append(Check(name, "ok", f"{variable} is set (not tried without --live)"))
            else:
                checks.append(await asked(client, name, probe(key), key, page))
        checks.append(await comfyui(client, live=live))
    return checks


async def comfyui(client: httpx.AsyncClient, *, live: bool) -> Check:
    """A server of one's own: nothing is wrong where there is none."""
    url = settings.url("COMFYUI_URL")
    if not live:
        return Check("ComfyUI", "ok", f"{url} (not tried without --live)")
    answer = await send(client, Call("GET", f"{url}/system_stats"))
    system = answer.object().get("system") if isinstance(answer, Reply) and answer.ok else None
    if not isinstance(system, dict):
        wanted = "COMFYUI_URL" in os.environ
        return Check(
            "ComfyUI",
            "broken" if wanted else "missing",
            f"no ComfyUI answers at {url}",
            "Start it, or set COMFYUI_URL, if a list names comfyui/ models.",
        )
    return Check("ComfyUI", "ok", f"{url}, version {plain(system.get('comfyui_version'))}")


def fal_call(key: str) -> Call:
    return Call(
        "GET",
        f"{settings.url('FAL_PLATFORM_URL')}/models/pricing",
        headers={"Authorization": f"Key {key}"},
        params=(("endpoint_id", "fal-ai/magi-distilled"),),
    )


def wavespeed_call(key: str) -> Call:
    return Call(
        "GET",
        f"{settings.url('WAVESPEED_URL')}/api/v3/balance",
        headers={"Authorization": f"Bearer {key}"},
    )


async def asked(client: httpx.AsyncClient, name: str, call: Call, key: str, page: str) -> Check:
    answer = await send(client, call, key)
    if not isinstance(answer, Reply):
        return Check(name, "broken", answer.reason, "Check the network, a proxy, and the URL.")
    if answer.status in (401, 403):
        return Check(name, "broken", f"HTTP {answer.status}: the key is refused", f"See {page}.")
    if not answer.ok:
        return Check(name, "broken", f"HTTP {answer.status}", "Try again later.")
    data = answer.object().get("data")
    balance = data.get("balance") if isinstance(data, dict) else None
    return Check(name, "ok", "the key works" + (f", balance ${balance}" if balance else ""))


def guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except ShotreelError as error:
        return Check(name, "broken", error.message, error.remedy)
