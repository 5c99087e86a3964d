"""Films as the product makes them, from a test that has no loop: drawn here, or in a pool."""

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
        return asyncio.run(stitcher.stitch(items, out, finish, seal))
