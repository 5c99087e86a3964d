"""The Prefect tasks that stitch, and what they have drawn in worker processes meanwhile.

The flow goes on polling; what can be drawn is drawn while other clips are still being made, so
that the film is ready moments after its last clip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import settings
from blocks.errors import ShotreelError, StitchError
from flows.generate.all_clips import Clips, Outcome
from flows.output.folder import Place
from flows.planning.plan import Plan
from flows.run.context import current
from flows.stitch import Finish, Item, Stitched, assemble, cut, is_current
from flows.stitch.assemble import Outcomes, film_items, film_order, has_clip, sequence_items
from flows.stitch.film import Cutting, Seal
from flows.stitch.render import Drawing, draw_row, is_drawn, rows_of
from flows.stitch.sound import FinishedSound, key_of
from flows.stitch.sound.fades import parts_of
from flows.tasks.arguments import unvisited

T = TypeVar("T")

# Deciding again at every clip would be a burden in lists of thousands: a tenth of the time at most.
_REST = 10


@task(name="stitch", task_run_name="stitch-{what}", cache_policy=NO_CACHE)
async def stitch_items(
    what: str, items: Sequence[Item], out: Path, finish: Finish, seal: Seal | None = None
) -> Stitched:
    """Clips and cards to one file, in this order."""
    cache = _cache()
    known = partial(is_current, items, out, cache=cache, finish=finish, seal=seal)
    made = await asyncio.to_thread(known)
    if made is not None:
        return made
    cutting = await asyncio.to_thread(cut, items, finish, cache=cache, name=out.name)
    await asyncio.gather(*_begin(cutting.drawings), await _hear(cutting))
    return await _in_process(partial(assemble, cutting, out, cache=cache, seal=seal))


async def stitch_sequences(
    plan: Plan, clips: Clips, place: Place, finish: Finish
) -> dict[str, Stitched | ShotreelError | None]:
    """Each sequence as soon as its last clip is here, while others are still being made."""

    async def one(name: str, keys: Sequence[str]) -> Stitched | ShotreelError | None:
        outcomes = {key: await clips.of(key) for key in keys}
        items = sequence_items(sequences[name], outcomes, finish)
        return await _stitched(name, items, place.sequence(name), finish.of_sequence())

    sequences = film_order(plan)
    early = asyncio.create_task(draw_early(plan, clips, finish))
    try:
        made = await asyncio.gather(
            *(one(name, [line.job.fingerprint for line in sequences[name]]) for name in sequences)
        )
    finally:
        early.cancel()
        await asyncio.gather(early, return_exceptions=True)
    return dict(zip(sequences, made, strict=True))


async def stitch_film(
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    place: Place,
    finish: Finish,
    seal: Seal | None = None,
) -> Stitched | ShotreelError | None:
    """All sequences, in list order; None where there is nothing to make it of."""
    items = film_items(plan, outcomes, finish)
    return await _stitched("film", items, place.film, finish, seal)


async def _stitched(
    what: str,
    items: Sequence[Item] | None,
    out: Path,
    finish: Finish,
    seal: Seal | None = None,
) -> Stitched | ShotreelError | None:
    shop = current.get()
    named = f"sequence {what}" if out.parent.name == "sequences" else "the film"
    try:
        if items is None:
            return None  # a shot is missing, and then the old one is to stay
        if not has_clip(items):
            # Nothing of the list is in it: under its name it would pass for what was asked for.
            await asyncio.to_thread(_set_aside, out)
            return None
        shop.task_runs += 1
        shop.watcher.begins(named)
        return await stitch_items(what, unvisited(items), out, finish, seal)
    except ShotreelError as error:
        return error
    finally:
        shop.watcher.ends(named)


async def draw_early(plan: Plan, clips: Clips, finish: Finish) -> None:
    """Begin to draw each segment when all that it shows is there, and the music over all of it.

    Which format the film will have is a guess until its last clip is here, and so is how long it
    is and that the other clips are as silent; where it was wrong, it is made again.
    """
    outcomes: dict[str, Outcome | None] = {
        line.job.fingerprint: None for line in plan.lines if line.is_chosen
    }
    if all(line.need == "stored" for line in plan.lines):
        return  # nothing to wait for: the film is stitched at once
    coming = {asyncio.create_task(clips.of(key)): key for key in outcomes}
    try:
        while coming:
            done, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
            outcomes |= {coming.pop(each): each.result() for each in done}
            begun = monotonic()
            with suppress(ShotreelError):  # said when the film is stitched
                drawings, scored = await asyncio.to_thread(_ready, plan, dict(outcomes), finish)
                _begin(drawings)
                if scored:
                    await _hear(scored)
            await asyncio.sleep((monotonic() - begun) * _REST)
    finally:
        for each in coming:
            each.cancel()


def _ready(plan: Plan, outcomes: Outcomes, finish: Finish) -> tuple[list[Drawing], Cutting | None]:
    """What can be drawn of the film as far as its clips are there; and the film, where nothing but
    music is heard in it."""
    items = film_items(plan, outcomes, finish)
    if items is None or not has_clip(items):
        return [], None
    cutting = cut(items, finish, cache=_cache(), name="film.mp4")
    drawings = [drawing for drawing in cutting.drawings if not drawing.is_pending]
    return drawings, cutting if finish.music and not parts_of(cutting.timeline) else None


async def _hear(cutting: Cutting) -> asyncio.Future[FinishedSound | None]:
    """Have its sound made, once in a run."""
    sounds = current.get().sounds
    key = await asyncio.to_thread(lambda: key_of(cutting.timeline, cutting.finish))
    if key not in sounds:
        making = _in_process(partial(cutting.heard, _cache())) if key else asyncio.sleep(0)
        sounds[key] = asyncio.create_task(making)
        sounds[key].add_done_callback(_retrieve)
    return sounds[key]


def _begin(drawings: Iterable[Drawing]) -> list[asyncio.Future[None]]:
    """Have segments drawn, each once in a run."""
    known, cache = current.get().drawings, _cache()

    async def one(row: Sequence[Drawing]) -> None:
        left = [each for each in row if not await asyncio.to_thread(is_drawn, each, cache)]
        if left:
            await _in_process(partial(draw_row, left, cache))

    wanted = {drawing.key: drawing for drawing in drawings}
    for row in rows_of(each for key, each in wanted.items() if key not in known):
        drawn = asyncio.create_task(one(row))
        drawn.add_done_callback(_retrieve)
        known.update(dict.fromkeys((each.key for each in row), drawn))
    return list(dict.fromkeys(known[key] for key in wanted))


async def _in_process(work: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(current.get().processes, work)
    except BrokenProcessPool:
        raise StitchError(
            "A process that stitches was ended from outside, for want of memory perhaps.",
            remedy="The clips are safe. Run the same command again.",
        ) from None


def _retrieve(drawn: asyncio.Future[Any]) -> None:
    """Whoever needs it hears of its error; a guess that nobody needs is no news."""
    if not drawn.cancelled():
        drawn.exception()


def _set_aside(out: Path) -> None:
    with suppress(OSError):
        out.replace(out.with_name(f"{out.stem}.old{out.suffix}"))


def _cache() -> Path:
    return settings.home() / "stitch"
