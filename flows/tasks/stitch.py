"""The Prefect tasks that stitch, and what they have drawn in worker processes meanwhile.

The flow goes on polling; what can be drawn is drawn while other clips are still being made, so
that the film is ready moments after its last clip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

from prefect.assets import Asset, add_asset_metadata, materialize
from prefect.cache_policies import NO_CACHE

from blocks.errors import ShotreelError
from blocks.processes import Processes
from flows.film_list import FilmList
from flows.generate.all_clips import Clips, Outcome
from flows.output.credentials import credentials
from flows.planning.film_order import film_order
from flows.planning.plan import Plan
from flows.report.progress import Progress
from flows.stitch import Finish, Item, Stitched, Stitcher
from flows.stitch.assemble import Outcomes, film_items, has_clip, sequence_items
from flows.stitch.film import Cutting, Seal
from flows.stitch.render import Drawing
from flows.stitch.sound.fades import parts_of
from flows.stitch.stitcher import stitch_cache
from flows.tasks.arguments import unvisited
from flows.tasks.assets import clips_in, film_asset, sequence_asset, sequences_in
from flows.tasks.hand_over import stills_beside
from flows.tasks.seams import ends_beside

FILM = "the film"

WORKERS = 2
"""Processes that stitch, so that the loop goes on polling."""

# Deciding again at every clip would be a burden in lists of thousands: a tenth of the time at most.
_REST = 10


async def stitch_items(
    what: str,
    items: Sequence[Item],
    out: Path,
    finish: Finish,
    stitcher: Stitcher,
    seal: Seal | None,
    asset: Asset,
) -> Stitched:
    """Clips and cards to one file, in this order: the task that materializes `asset`."""
    made = await stitcher.make(items, out, finish, seal)
    facts = {
        "clips": made.copied + made.rendered,
        "frames": made.num_frames,
        "duration_s": float(made.duration_s),
        "sha256": made.sha256,
    }
    add_asset_metadata(asset, facts)
    return made


Result = Stitched | ShotreelError | None
"""None where there is nothing to make it of."""


class Films:
    """The sequences and the film of one run, made in `processes`."""

    def __init__(
        self, film: FilmList, progress: Progress, processes: Executor, seal: Seal | None = None
    ) -> None:
        self.processes = processes
        self.task_runs = 0
        self._id, self._place, self._finish = film.id, film.place, film.finish
        self._progress, self._seal = progress, seal
        self._stitcher = Stitcher(processes, stitch_cache())

    @asynccontextmanager
    async def beside(self, plan: Plan, clips: Clips) -> AsyncIterator[None]:
        """While the block lasts, look at each clip that arrives: its still, and its ends."""
        async with (
            stills_beside(plan, clips, self.processes),
            ends_beside(plan, clips, self.processes),
        ):
            yield

    async def sequences(self, plan: Plan, clips: Clips) -> dict[str, Result]:
        """Each as soon as its last clip is here, while others are still being made."""

        async def one(name: str, keys: Sequence[str]) -> Result:
            outcomes = {key: await clips.of(key) for key in keys}
            items = sequence_items(sequences[name], outcomes, self._finish)
            return await self._stitched(name, items, self._place.sequence(name), is_film=False)

        sequences = film_order(plan)
        early = asyncio.create_task(draw_early(self._stitcher, plan, clips, self._finish))
        try:
            keys = {name: [x.job.fingerprint for x in lines] for name, lines in sequences.items()}
            made = await asyncio.gather(*(one(*each) for each in keys.items()))
        finally:
            early.cancel()
            await asyncio.gather(early, return_exceptions=True)
        return dict(zip(sequences, made, strict=True))

    async def film(self, plan: Plan, clips: Clips) -> dict[str, Result]:
        """All sequences, in list order."""
        outcomes = await clips.all()
        self._progress.enter("stitching")
        items = film_items(clips.as_made(plan), outcomes, self._finish)
        return {FILM: await self._stitched("film", items, self._place.film, is_film=True)}

    async def _stitched(
        self, what: str, items: Sequence[Item] | None, out: Path, *, is_film: bool
    ) -> Result:
        named = FILM if is_film else f"sequence {what}"
        finish = self._finish if is_film else self._finish.of_sequence()
        seal = self._seal if is_film else None
        try:
            if items is None:
                return None  # a shot is missing, and then the old one is to stay
            if not has_clip(items):
                # Nothing of the list is in it: under its name it would pass for what was asked for.
                await asyncio.to_thread(_set_aside, out)
                return None
            if known := await self._stitcher.known(items, out, finish, seal):
                return known
            asset = film_asset(self._id) if is_film else sequence_asset(self._id, what)
            made_of = (sequences_in if is_film else clips_in)(self._id, items)
            stitching = materialize(
                asset,
                by="shotreel",
                asset_deps=[*made_of],
                name="stitch",
                task_run_name="stitch-{what}",
                cache_policy=NO_CACHE,
            )(stitch_items)
            self.task_runs += 1
            self._progress.begins(named)
            return await stitching(
                what,
                unvisited(items),
                out,
                finish,
                unvisited(self._stitcher),
                unvisited(seal),
                unvisited(asset),
            )
        except ShotreelError as error:
            return error
        finally:
            self._progress.ends(named)


@asynccontextmanager
async def films_of(film: FilmList, progress: Progress) -> AsyncIterator[Films]:
    """Raises InputError where the film could not be signed as the environment asks for."""
    seal = credentials()
    with Processes(WORKERS) as processes:
        yield Films(film, progress, processes, seal)


async def draw_early(stitcher: Stitcher, plan: Plan, clips: Clips, finish: Finish) -> None:
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
                drawings, scored = await asyncio.to_thread(
                    _ready, stitcher, plan, dict(outcomes), finish
                )
                stitcher.draw(drawings)
                if scored:
                    await stitcher.hear(scored)
            await asyncio.sleep((monotonic() - begun) * _REST)
    finally:
        for each in coming:
            each.cancel()


def _ready(
    stitcher: Stitcher, plan: Plan, outcomes: Outcomes, finish: Finish
) -> tuple[list[Drawing], Cutting | None]:
    """What can be drawn of the film as far as its clips are there; and the film, where nothing but
    music is heard in it."""
    items = film_items(plan, outcomes, finish)
    if items is None or not has_clip(items):
        return [], None
    cutting = stitcher.cut(items, finish, "film.mp4")
    drawings = [drawing for drawing in cutting.drawings if not drawing.is_pending]
    return drawings, cutting if finish.music and not parts_of(cutting.timeline) else None


def _set_aside(out: Path) -> None:
    with suppress(OSError):
        out.replace(out.with_name(f"{out.stem}.old{out.suffix}"))
