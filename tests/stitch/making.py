"""Films as the product makes them, in a thread, as a browser's test has a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from flows.stitch import Finish, Item, Stitched, Stitcher
from flows.stitch.film import Seal
from flows.stitch.finish import AS_IT_IS


def stitch(
    items: Sequence[Item],
    out: Path,
    *,
    cache: Path,
    finish: Finish = AS_IT_IS,
    seal: Seal | None = None,
    pool: Executor | None = None,
) -> Stitched:
    with ThreadPoolExecutor(1) as here:
        stitcher = Stitcher(pool or here, cache)
        making = known_or_made(stitcher, items, out, finish, seal)
        with ThreadPoolExecutor(1) as apart:
            return apart.submit(asyncio.run, making).result()


async def known_or_made(
    stitcher: Stitcher,
    items: Sequence[Item],
    out: Path,
    finish: Finish = AS_IT_IS,
    seal: Seal | None = None,
) -> Stitched:
    known = await stitcher.known(items, out, finish, seal)
    return known or await stitcher.make(items, out, finish, seal)
