"""Seams in the flow: the ends of clips while they arrive, the report when the film is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from blocks.errors import ShotreelError
from flows.generate.all_clips import Clips
from flows.output.folder import Place
from flows.output.seams_table import csv_of, row_of
from flows.output.writing import write_atomically
from flows.planning.plan import Plan
from flows.report import artifacts
from flows.run.context import Clip
from flows.stitch import Stitched
from flows.stitch.seams.ends import Ends, ends_of, known_ends
from flows.stitch.seams.seam import Seam, seams_of
from flows.stitch.stitcher import stitch_cache


def ends_beside(plan: Plan, clips: Clips, processes: Executor) -> AbstractAsyncContextManager[None]:
    """While the block lasts, measure the ends of each clip that arrives, one at a time."""
    keys = dict.fromkeys(line.job.fingerprint for line in plan.lines if line.is_chosen)

    async def measure(clip: Clip) -> None:
        await _ends(clip.path, clip.sha256, processes)

    return clips.beside(keys if len(keys) > 1 else (), measure)


async def report_seams(
    film: Stitched | None, place: Place, processes: Executor, *, matched: bool
) -> list[Seam]:
    """Measure what is not known yet, and leave `seams.csv` where there is a seam."""
    if film is None:
        return []
    spans = film.timeline.spans if len(film.timeline.spans) > 1 else ()
    ends = await _all_ends(((span.clip, span.sha256) for span in spans), processes)
    seams = seams_of(film.timeline, ends, matched=matched)
    if seams:
        await asyncio.to_thread(write_atomically, place.seams, csv_of(seams))
        await artifacts.show_seams([row_of(seam) for seam in seams])
    else:
        await asyncio.to_thread(place.seams.unlink, missing_ok=True)
    return seams


async def _all_ends(
    clips: Iterable[tuple[Path | None, str | None]], processes: Executor
) -> dict[str, Ends]:
    """By SHA-256; a clip that cannot be measured is left out."""
    wanted = {sha256: path for path, sha256 in clips if path and sha256}
    found = await asyncio.gather(
        *(_ends(path, sha256, processes) for sha256, path in wanted.items())
    )
    return {sha256: ends for sha256, ends in zip(wanted, found, strict=True) if ends}


async def _ends(path: Path, sha256: str, processes: Executor) -> Ends | None:
    """In a worker process where they have to be measured."""
    cache = stitch_cache()
    with suppress(ShotreelError, OSError):
        if known := known_ends(sha256, cache):
            return known
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(processes, ends_of, path, sha256, cache)
    return None
