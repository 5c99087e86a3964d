"""Two other ways to buy the same clips, for comparison: a plain loop, and fal's own Python SDK.

    python -m tests.bench.clients naive|sdk URL SHOTS CLIPS_FOLDER

Each prints one line of JSON: how many clips it has, and how many shots it gave up.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

MODEL = "fal-ai/magi-distilled"
TRIES = 10
AT_ONCE = 40

Buy = Callable[[dict[str, Any]], Awaitable[bytes]]


async def naive_clip(client: httpx.AsyncClient, queue_url: str, inputs: dict[str, Any]) -> bytes:
    """What is written in an afternoon: any error begins the clip again."""
    for _ in range(TRIES):
        try:
            reply = await client.post(f"{queue_url}/{MODEL}", json=inputs)
            reply.raise_for_status()
            ticket = reply.json()
            while True:
                status = (await client.get(ticket["status_url"])).json()
                if status["status"] == "COMPLETED":
                    break
                await asyncio.sleep(0.25)
            result = await client.get(ticket["response_url"])
            result.raise_for_status()
            media = await client.get(result.json()["video"]["url"])
            media.raise_for_status()
            return media.content
        except (httpx.HTTPError, ValueError, KeyError):
            await asyncio.sleep(0.25)
    raise RuntimeError("gave up")


async def naive(url: str) -> tuple[Buy, httpx.AsyncClient]:
    client = httpx.AsyncClient(headers={"Authorization": "Key naive"}, timeout=30)
    queue_url = f"{url}/fal/queue"
    return lambda inputs: naive_clip(client, queue_url, inputs), client


async def sdk(url: str) -> tuple[Buy, httpx.AsyncClient]:
    """fal-client as its documentation shows it: subscribe, then download.

    It speaks only https, so `url` is a TLS front; it reads its hosts when it is imported.
    """
    host = url.removeprefix("https://")
    os.environ |= {"FAL_KEY": "sdk", "FAL_RUN_HOST": host, "FAL_QUEUE_RUN_HOST": host}
    import fal_client

    fal = fal_client.AsyncClient()
    client = httpx.AsyncClient(timeout=30)

    async def buy(inputs: dict[str, Any]) -> bytes:
        result = await fal.subscribe(MODEL, arguments=inputs)
        media = await client.get(result["video"]["url"])
        media.raise_for_status()
        return media.content

    return buy, client


async def main(kind: str, url: str, shots: Path, folder: Path) -> None:
    buy, client = await (naive(url) if kind == "naive" else sdk(url))
    room = asyncio.Semaphore(AT_ONCE)
    clips = failed = 0

    async def one(row: dict[str, str]) -> None:
        nonlocal clips, failed
        inputs = {"prompt": row["prompt"], "seed": int(row["seed"]), "resolution": "480p"}
        async with room:
            try:
                content = await buy(inputs)
            except Exception:  # noqa: BLE001 - whatever a client raises, its clip is not there
                failed += 1
                return
        (folder / f"{row['shot']}.mp4").write_bytes(content)
        clips += 1

    with shots.open(newline="") as file:
        rows = list(csv.DictReader(file))
    await asyncio.gather(*(one(row) for row in rows))
    await client.aclose()
    print(json.dumps({"clips": clips, "failed": failed}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
