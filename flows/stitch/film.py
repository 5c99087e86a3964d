"""Clips in, one film out: decided, rendered where needed, spliced, put in place."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from blocks.errors import ClipError, ShotreelError, StitchError
from blocks.media import MediaInfo, probe, sha256_file
from flows.stitch.edit import EditList, Segment, edit_list
from flows.stitch.finish import AS_IT_IS, Finish
from flows.stitch.fit import VERSION as FIT_VERSION
from flows.stitch.fit import fit
from flows.stitch.mark import mark
from flows.stitch.sound import finished_sound
from flows.stitch.sound import made_of as sound_made_of
from flows.stitch.splice import Piece, splice
from flows.stitch.timeline import Span, Timeline

# Raise it when the same clips would make another film: films that are there are made again.
VERSION = 3


@dataclass(frozen=True)
class Clip:
    """A clip as the store has it. `name` is how messages call it, the shot's name say; `info` is
    what `probe` found, where that is known already."""

    path: Path
    sha256: str
    name: str = ""
    info: MediaInfo | None = None

    @property
    def title(self) -> str:
        return self.name or self.path.name


@dataclass(frozen=True)
class Stitched:
    """A sequence or a film: `copied` and `rendered` count its clips. `made` is False where the
    file was there already; `begun_at` and `ended_at` are when it was made. `unsealed` says why it
    could not be sealed, though it should be."""

    path: Path
    num_frames: int
    duration_s: Fraction
    sha256: str
    copied: int
    rendered: int
    timeline: Timeline
    made: bool = True
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    unsealed: str = ""


class Seal(Protocol):
    """The last step on a film, before it takes its place: a signature, say."""

    @property
    def identity(self) -> str:
        """A film that another seal closed is made again."""
        ...

    def close(self, film: Path, clips: Sequence[Clip]) -> None:
        """Change the file, or leave it and raise ShotreelError."""
        ...


_NOTE: TypeAdapter[Stitched] = TypeAdapter(Stitched)


def stitch(
    clips: Sequence[Clip],
    out: Path,
    *,
    cache: Path,
    finish: Finish = AS_IT_IS,
    seal: Seal | None = None,
) -> Stitched:
    """Put the clips one after another into the MP4 `out`; nothing is done where it is so already.

    `out` is whole at every moment: the old film or the new one. `cache` keeps rendered segments
    and what was made of what. A film that could not be sealed is there without, and is made again
    the next time. Raises ClipError that names the clip, StitchError otherwise.
    """
    if not clips:
        raise StitchError(f"{out.name} has no clips.", remedy="List at least one shot.")
    if there := is_current(clips, out, cache=cache, finish=finish, seal=seal):
        return there
    begun_at = datetime.now(UTC)
    with ThreadPoolExecutor(2) as threads:
        infos = list(threads.map(_info, clips))
    plan = edit_list(infos)
    timeline = _timeline(plan, clips, infos)
    with ThreadPoolExecutor(1) as beside:
        heard = beside.submit(finished_sound, timeline, finish, cache)
        pieces = [
            _piece(segment, clips[segment.clip], infos[segment.clip], plan, cache)
            for segment in plan.segments
        ]
        sound = heard.result()
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        splice(pieces, plan.format, partial, sound.path if sound else None)
        mark(partial)
        unsealed = _close(seal, partial, clips)
        with ThreadPoolExecutor(1) as beside:
            written = beside.submit(_fsync, partial)
            sha256 = sha256_file(partial)
            written.result()
        partial.replace(out)
        _fsync(out.parent)
        copied = sum(segment.kind == "copy" for segment in plan.segments)
        stitched = Stitched(
            out,
            plan.num_frames,
            plan.num_frames / plan.format.rate,
            sha256,
            copied,
            len(clips) - copied,
            timeline,
            begun_at=begun_at,
            ended_at=datetime.now(UTC),
            unsealed=unsealed,
        )
        _remember(stitched, clips, finish, cache, None if unsealed else seal)
    except OSError as error:
        raise StitchError(
            f"{out} cannot be written: {error.strerror or error}.",
            remedy="The clips are safe. Choose a folder that you can write to, or make room.",
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return stitched


def is_current(
    clips: Sequence[Clip],
    out: Path,
    *,
    cache: Path,
    finish: Finish = AS_IT_IS,
    seal: Seal | None = None,
) -> Stitched | None:
    """What is known about `out`, if it is the untouched file that was made of these clips."""
    try:
        known = json.loads(_note(out, cache).read_bytes())
        if known["made_of"] != _made_of(clips, finish, seal) or known["file"] != _looks(out):
            return None
        return replace(_NOTE.validate_python(known["film"]), path=out, made=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nothing is known: it is made again


def _close(seal: Seal | None, film: Path, clips: Sequence[Clip]) -> str:
    """Why the film is not sealed; empty where it is, or need not be."""
    try:
        if seal:
            seal.close(film, clips)
    except ShotreelError as error:
        return str(error)
    return ""


def _info(clip: Clip) -> MediaInfo:
    try:
        return clip.info or probe(clip.path)
    except ClipError as error:
        raise ClipError(
            f"{clip.title}: {error.message}",
            remedy=error.remedy or "Fetch the clip again; it is not bought again.",
        ) from error


def _piece(segment: Segment, clip: Clip, info: MediaInfo, plan: EditList, cache: Path) -> Piece:
    if segment.kind == "copy":
        return Piece(clip.path, info, clip.title)
    path = fit(clip.path, clip.sha256, info, plan.format, cache, clip.title)
    return Piece(path, probe(path), clip.title)


def _timeline(plan: EditList, clips: Sequence[Clip], infos: Sequence[MediaInfo]) -> Timeline:
    film = plan.format
    return Timeline(
        film.rate,
        film.width,
        film.height,
        tuple(
            Span(
                clips[segment.clip].title,
                segment.start,
                segment.num_frames,
                clips[segment.clip].path,
                clips[segment.clip].sha256,
                clip_frames=segment.num_frames,
                has_audio=infos[segment.clip].has_audio,
            )
            for segment in plan.segments
        ),
    )


def _remember(
    film: Stitched, clips: Sequence[Clip], finish: Finish, cache: Path, seal: Seal | None
) -> None:
    facts = {
        "made_of": _made_of(clips, finish, seal),
        "file": _looks(film.path),
        "film": _NOTE.dump_python(film, mode="json"),
    }
    note = _note(film.path, cache)
    note.parent.mkdir(parents=True, exist_ok=True)
    partial = note.with_name(f".{note.name}.{os.getpid()}.part")
    partial.write_text(json.dumps(facts))
    partial.replace(note)


def _note(out: Path, cache: Path) -> Path:
    return cache / "films" / f"{hashlib.sha256(os.fsencode(out.absolute())).hexdigest()}.json"


def _made_of(clips: Sequence[Clip], finish: Finish, seal: Seal | None) -> list[object]:
    sealed = seal.identity if seal else ""
    heard = sound_made_of(finish)
    return [VERSION, FIT_VERSION, sealed, heard, *(clip.sha256 for clip in clips)]


def _looks(out: Path) -> list[int]:
    """Size and time of the last change: what tells an untouched file without reading it."""
    found = out.stat()
    return [found.st_size, found.st_mtime_ns]


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
