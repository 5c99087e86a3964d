"""The Prefect tasks that stitch, each in a worker process, so that the flow goes on polling."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import settings
from blocks.errors import ShotreelError
from flows.costs.estimate import Plan
from flows.generate.all_clips import Clips, Outcome
from flows.generate.workshop import Clip, current
from flows.report.place import Place
from flows.stitch import Clip as Piece
from flows.stitch import Stitched, is_current, stitch
from flows.stitch.film import Seal
from flows.stitch.finish import AS_IT_IS, Finish


@task(name="stitch", task_run_name="stitch-{what}", cache_policy=NO_CACHE)
async def stitch_clips(
    what: str, pieces: Sequence[Piece], out: Path, finish: Finish, seal: Seal | None = None
) -> Stitched:
    """Clips to one file, in this order."""
    cache = settings.home() / "stitch"
    known = partial(is_current, pieces, out, cache=cache, finish=finish, seal=seal)
    made = await asyncio.to_thread(known)
    if made is not None:
        return made
    loop = asyncio.get_running_loop()
    work = partial(stitch, pieces, out, cache=cache, finish=finish, seal=seal)
    return await loop.run_in_executor(current.get().processes, work)


async def stitch_sequences(
    plan: Plan, clips: Clips, place: Place
) -> dict[str, Stitched | ShotreelError | None]:
    """Each sequence as soon as its last clip is here, while others are still being made."""

    async def one(name: str, keys: Sequence[str]) -> Stitched | ShotreelError | None:
        outcomes = {key: await clips.of(key) for key in keys}
        return await _stitched(
            name, pieces_of(outcomes, keys), place.sequence(name), AS_IT_IS.of_sequence()
        )

    sequences = film_order(plan)
    made = await asyncio.gather(*(one(name, keys) for name, keys in sequences.items()))
    return dict(zip(sequences, made, strict=True))


async def stitch_film(
    plan: Plan, outcomes: Mapping[str, Outcome], place: Place, seal: Seal | None = None
) -> Stitched | ShotreelError | None:
    """All sequences, in list order; None where no clip is there."""
    keys = [key for sequence in film_order(plan).values() for key in sequence]
    return await _stitched("film", pieces_of(outcomes, keys), place.film, AS_IT_IS, seal)


def film_order(plan: Plan) -> dict[str, list[str]]:
    """Fingerprints by sequence, in list order; the first take of a shot is the one in the film."""
    order: dict[str, list[str]] = {}
    for line in plan.lines:
        if line.job.take == 1:
            order.setdefault(line.job.shot.sequence, []).append(line.job.fingerprint)
    return order


def pieces_of(outcomes: Mapping[str, Outcome], keys: Sequence[str]) -> list[Piece]:
    jobs = current.get().jobs
    return [
        Piece(clip.path, clip.sha256, jobs[key].name, clip.info)
        for key in keys
        if isinstance(clip := outcomes[key], Clip)
    ]


async def _stitched(
    what: str, pieces: Sequence[Piece], out: Path, finish: Finish, seal: Seal | None = None
) -> Stitched | ShotreelError | None:
    if not pieces:
        return None
    current.get().task_runs += 1
    try:
        return await stitch_clips(what, pieces, out, finish, seal)
    except ShotreelError as error:
        return error
