"""The hand-over in the flow: stills while clips arrive, the files beside the film in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import settings
from blocks.errors import SetupError, ShotreelError, StitchError
from blocks.ledger import Attempt
from flows.generate.all_clips import Clips
from flows.output import contact_sheet, editors, otio, poster, stills
from flows.output.drawing import Pictures
from flows.output.folder import Place
from flows.output.pictures import pictures_of
from flows.output.provenance import provenance_of
from flows.output.record import is_current, key_of, remember
from flows.output.writing import write_atomically
from flows.planning.plan import Plan
from flows.report import artifacts
from flows.run.context import Clip
from flows.stitch import Stitched
from flows.stitch.dialogue import cues_of, srt, vtt
from flows.stitch.timeline import Timeline
from flows.tasks.arguments import unvisited

_VERSIONS = (
    otio.VERSION,
    editors.VERSION,
    poster.VERSION,
    contact_sheet.VERSION,
    stills.VERSION,
)


@dataclass(frozen=True)
class Written:
    """`left_out` says why there is no file for an editor."""

    files: list[Path]
    left_out: Sequence[str]


@dataclass(frozen=True)
class HandedOver:
    """`errors` are by the name of what went wrong: film and bill are there whatever it is."""

    errors: Mapping[str, ShotreelError]
    left_out: Sequence[str]
    task_runs: int


def stills_beside(
    plan: Plan, clips: Clips, processes: Executor
) -> AbstractAsyncContextManager[None]:
    """While the block lasts, make the still of each clip that arrives, one at a time."""
    make = partial(_still, processes=processes)
    return clips.beside((line.job.fingerprint for line in plan.lines), make)


async def hand_over(
    title: str,
    manifest: Mapping[str, Any],
    film: Stitched | None,
    attempts: Mapping[str, Attempt],
    clips: Iterable[Clip],
    place: Place,
    processes: Executor,
) -> HandedOver:
    """Write timeline, poster, contact sheet and provenance, where they are not there already."""
    written: Written | None = None
    errors: dict[str, ShotreelError] = {}
    if film and film.unsealed:
        errors["Content Credentials"] = StitchError(film.unsealed)
    try:
        timeline = film.timeline if film else None
        in_film = {span.sha256 for span in timeline.spans if span.sha256} if timeline else set()
        provenance = provenance_of(manifest["film"], manifest["shots"], attempts, in_film)
        key = key_of(_VERSIONS, editors.is_installed(), title, manifest, provenance, repr(timeline))
        folder = settings.home() / "handover"
        if not await asyncio.to_thread(is_current, folder, place.out, key):
            written = await write_files(
                title,
                unvisited(manifest),
                unvisited(provenance),
                unvisited(film),
                unvisited(list(clips)),
                unvisited(place),
                unvisited(processes),
            )
            await asyncio.to_thread(remember, folder, place.out, key, written.files)
    except ShotreelError as error:
        errors["the hand-over"] = error
    except Exception as error:  # noqa: BLE001 - whatever it is, the film is made and paid for
        errors["the hand-over"] = SetupError(
            f"Timeline, poster or contact sheet could not be made: {type(error).__name__}: {error}",
            remedy="The film, the clips and the bill are there. Run the same command again.",
        )
    return HandedOver(errors, written.left_out if written else (), int(written is not None))


@task(name="hand-over", task_run_name="hand-over", cache_policy=NO_CACHE)
async def write_files(
    title: str,
    manifest: Mapping[str, Any],
    provenance: Mapping[str, Any],
    film: Stitched | None,
    clips: list[Clip],
    place: Place,
    processes: Executor,
) -> Written:
    await asyncio.gather(*(_still(clip, processes) for clip in clips))
    timeline = film.timeline if film else None
    pictures = pictures_of(place, title, manifest, provenance, timeline, stills.stills_folder())
    loop = asyncio.get_running_loop()
    subtitles: list[Path] = []
    drawing = loop.run_in_executor(processes, Pictures.draw, pictures)
    timelines, left_out = list[Path](), list[str]()
    try:
        await asyncio.to_thread(write_atomically, place.provenance, _json(provenance))
        if film:
            path = film.path.relative_to(place.out).as_posix()
            cut = otio.otio_of(title, path, film.timeline, manifest["shots"])
            await asyncio.to_thread(write_atomically, place.otio, _json(cut))
            others, left_out = await _for_editors(cut, place, processes)
            timelines = [place.otio, *others]
            subtitles = await asyncio.to_thread(write_subtitles, film.timeline, place)
    finally:
        shown = await drawing
    if shown:
        await artifacts.show_sheet(shown)
    return Written([place.provenance, *pictures.files, *timelines, *subtitles], left_out)


async def _for_editors(
    cut: Mapping[str, Any], place: Place, processes: Executor
) -> tuple[list[Path], list[str]]:
    """The cut in other programs' formats, where the extra is installed, and what was left out. A
    format that does not have the film's rate has no file: one of an earlier film would be of
    another cut."""
    if not editors.is_installed():
        return [], []
    loop = asyncio.get_running_loop()
    made = await loop.run_in_executor(
        processes, editors.editors_of, dict(cut), place.out.absolute()
    )
    files = []
    for suffix in editors.ADAPTERS:
        path = place.otio.with_suffix(f".{suffix}")
        if suffix in made.texts:
            await asyncio.to_thread(write_atomically, path, made.texts[suffix])
            files.append(path)
        else:
            await asyncio.to_thread(path.unlink, missing_ok=True)
    return files, list(made.left_out)


def write_subtitles(timeline: Timeline, place: Place) -> list[Path]:
    """The files that were written; where nothing is said there are none."""
    cues = cues_of(timeline)
    for path, told in zip(place.subtitles, (srt, vtt), strict=True):
        if cues:
            write_atomically(path, told(cues))
        else:
            path.unlink(missing_ok=True)
    return [*place.subtitles] if cues else []


async def _still(clip: Clip, processes: Executor) -> None:
    """A clip of which no still can be made has an empty tile."""
    cache = stills.stills_folder()
    if stills.still_path(clip.sha256, cache, stills.WIDTH_PX).exists():
        return
    loop = asyncio.get_running_loop()
    arguments = (clip.path, clip.sha256, cache, stills.WIDTH_PX)
    with suppress(ShotreelError, OSError):
        await loop.run_in_executor(processes, stills.still, *arguments)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
