"""The Prefect tasks that stitch. Segments are drawn in worker processes as soon as their clips are
there, so that the flow goes on polling and the film is ready moments after its last clip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.stitch import Finish, Item, Stitched, assemble, cut, is_current


@task(name="stitch", task_run_name="stitch-{what}", cache_policy=NO_CACHE)
async def stitch_items(what: str, items: Sequence[Item], out: Path, finish: Finish) -> Stitched:
    """Clips and cards to one file, in this order."""
    made = await asyncio.to_thread(is_current, items, out, cache=cache(), finish=finish)
    if made is not None:
        return made
    cutting = await asyncio.to_thread(cut, items, finish, name=out.name)
    await drawn(cutting)
    return await in_process(partial(assemble, cutting, out, cache=cache()))
