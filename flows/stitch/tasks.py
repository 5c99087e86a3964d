"""The Prefect tasks that stitch. Segments are drawn in worker processes as soon as their clips are
there, so that the flow goes on polling and the film is ready moments after its last clip."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import settings
from blocks.errors import ShotreelError, StitchError
from flows.costs.estimate import Plan
from flows.generate.all_clips import Clips, Outcome
from flows.generate.workshop import current
from flows.report.place import Place
from flows.stitch import Clip, Finish, Item, Stitched, assemble, cut, is_current
from flows.stitch.film import Cutting
from flows.stitch.reel import film_items, film_order, items_of, pending_items
from flows.stitch.render import Drawing, draw, is_drawn


@task(name="stitch", task_run_name="stitch-{what}", cache_policy=NO_CACHE)
async def stitch_items(what: str, items: Sequence[Item], out: Path, finish: Finish) -> Stitched:
    """Clips and cards to one file, in this order."""
    made = await asyncio.to_thread(is_current, items, out, cache=cache(), finish=finish)
    if made is not None:
        return made
    cutting = await asyncio.to_thread(cut, items, finish, name=out.name)
    await drawn(cutting)
    return await in_process(partial(assemble, cutting, out, cache=cache()))
