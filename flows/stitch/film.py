"""Clips in, one film out: decided, drawn where needed, spliced, put in place."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from blocks.errors import ClipError, ShotreelError, StitchError
from blocks.files import fsync, replacing, sha256_file
from blocks.media.probe import MediaInfo, probe
from blocks.media.use import WHOLE
from flows.stitch.dialogue import cues_of
from flows.stitch.edit import (
    EditList,
    Place,
    Segment,
    edit_list,
    fitted_frames,
    info_of,
    moving_frames,
    used_frames,
)
from flows.stitch.finish import AS_IT_IS, Finish
from flows.stitch.item import Card, Clip, Item
from flows.stitch.notes import notes_of
from flows.stitch.render import VERSION as RENDER_VERSION
from flows.stitch.render import (
    Drawing,
    drawing_of,
    headers_of,
    place_of,
)
from flows.stitch.seams.match import VERSION as MATCH_VERSION
from flows.stitch.seams.matched import matched
from flows.stitch.sound import FinishedSound, finished_sound
from flows.stitch.sound import made_of as sound_made_of
from flows.stitch.splice import Piece, splice
from flows.stitch.timeline import Span, Timeline
from flows.stitch.xmp import mark, source_type_of

# Raise it when the same clips would make another film: films that are there are made again.
VERSION = 5

# What of `Finish` changes pictures and is not in the items already.
_PICTURED = {"fit", "match_seams"}


@dataclass(frozen=True)
class Stitched:
    """A sequence or a film: `copied` counts the clips of which there are untouched frames,
    `rendered` the others. `made` is False where the file was there already; `begun_at` and
    `ended_at` are when it was made. `unsealed` says why it could not be sealed, though it should
    be; `notes` what else is not as it was asked for.
    """

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
    notes: tuple[str, ...] = ()
    untouched_frames: int | None = None
    """Those that are copies of the clips', packet by packet. None: made before this was counted."""

    @property
    def untouched(self) -> str:
        """The share of them, in words; empty where it is not known."""
        if self.untouched_frames is None:
            return ""
        return f"{100 * self.untouched_frames // max(1, self.num_frames)}% of them untouched"


@dataclass(frozen=True)
class Cutting:
    """A film as it is decided: its clips are probed, its segments are known."""

    items: tuple[Item, ...]
    edit: EditList
    finish: Finish
    begun_at: datetime

    @property
    def drawings(self) -> Iterator[Drawing]:
        """What has to be drawn before it can be assembled."""
        return (self.drawing(segment) for segment in self.edit.segments if segment.kind == "render")

    def drawing(self, segment: Segment) -> Drawing:
        return drawing_of(segment, self.edit, self.items, self.finish.fit)

    @property
    def timeline(self) -> Timeline:
        return timeline_of(self.items, self.edit)

    def heard(self, cache: Path) -> FinishedSound | None:
        """Its sound, from the cache where it is there. None where nothing sounds."""
        return finished_sound(self.timeline, self.finish, cache)


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


def cut(items: Sequence[Item], finish: Finish, *, cache: Path, name: str) -> Cutting:
    """Decide about the film. Raises ClipError, and StitchError where there is no clip."""
    if not any(isinstance(item, Clip) for item in items):
        raise StitchError(f"{name} has no clips.", remedy="List at least one shot.")
    begun_at = datetime.now(UTC)
    with ThreadPoolExecutor(2) as threads:
        probed = tuple(threads.map(_probed, items))
    edit = edit_list(probed, finish.frame_rate, finish.frame_size)
    if finish.match_seams:
        probed = matched(probed, edit, cache)
        edit = edit_list(probed, finish.frame_rate, finish.frame_size)
    return Cutting(probed, edit, finish, begun_at)


def assemble(cutting: Cutting, out: Path, *, cache: Path, seal: Seal | None = None) -> Stitched:
    """Splice copies and drawn segments, and put the film in place. All of them are drawn."""
    edit = cutting.edit
    pieces = [_piece(segment, cutting, cache) for segment in edit.segments]
    sound = cutting.heard(cache)
    try:
        with replacing(out) as part:
            cues = cues_of(cutting.timeline)
            splice(pieces, edit.format, part, sound.path if sound else None, cues)
            own = (item.is_own for item in cutting.items if isinstance(item, Clip))
            mark(part, source_type_of(own))
            unsealed = _close(seal, part, cutting.items)
            with ThreadPoolExecutor(1) as beside:
                written = beside.submit(fsync, part)
                sha256 = sha256_file(part)
                written.result()
        fsync(out.parent)
        of_clips = {i for i, item in enumerate(cutting.items) if isinstance(item, Clip)}
        copied = {i for segment in edit.segments if segment.kind == "copy" for i in segment.items}
        stitched = Stitched(
            out,
            edit.num_frames,
            edit.num_frames / edit.format.rate,
            sha256,
            len(copied),
            len(of_clips - copied),
            cutting.timeline,
            begun_at=cutting.begun_at,
            ended_at=datetime.now(UTC),
            unsealed=unsealed,
            notes=tuple(_notes(cutting, sound)),
            untouched_frames=sum(
                segment.num_frames for segment in edit.segments if segment.kind == "copy"
            ),
        )
        _remember(stitched, cutting, cache, None if unsealed else seal)
    except OSError as error:
        raise StitchError(
            f"{out} cannot be written: {error.strerror or error}.",
            remedy="The clips are safe. Choose a folder that you can write to, or make room.",
        ) from error
    return stitched


def is_current(
    items: Sequence[Item],
    out: Path,
    *,
    cache: Path,
    finish: Finish = AS_IT_IS,
    seal: Seal | None = None,
) -> Stitched | None:
    """What is known about `out`, if it is the untouched file that was made of these items."""
    try:
        known = json.loads(_note(out, cache).read_bytes())
        if known["made_of"] != _made_of(items, finish, seal) or known["file"] != _looks(out):
            return None
        return replace(_NOTE.validate_python(known["film"]), path=out, made=False, unsealed="")
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nothing is known: it is made again


def timeline_of(items: Sequence[Item], edit: EditList) -> Timeline:
    film = edit.format
    return Timeline(
        film.rate,
        film.width,
        film.height,
        tuple(
            Span(
                item.title,
                place.start,
                place.num_frames,
                begins=place.begins,
                title_of=item.title_of,
                voice=item.voice,
                dialogue=item.dialogue,
            )
            if isinstance(item, Card)
            else _span_of_clip(item, place, film.rate)
            for item, place in zip(items, edit.places, strict=True)
        ),
    )


def _span_of_clip(clip: Clip, place: Place, rate: Fraction) -> Span:
    info, used = info_of(clip), used_frames(clip)
    return Span(
        clip.title,
        place.start,
        place.num_frames,
        clip.path,
        clip.sha256,
        clip_start=round(used.start / info.rate * rate),
        clip_frames=fitted_frames(info, rate),
        has_audio=info.has_audio,
        begins=place.begins,
        continues=clip.continues,
        from_black=place.from_black,
        in_s=used.start / info.rate,
        out_s=used.stop / info.rate,
        speed=clip.use.speed,
        still=place.num_frames - moving_frames(clip, rate),
        is_changed=clip.use != WHOLE,
        voice=clip.voice,
        dialogue=clip.dialogue,
    )


def _close(seal: Seal | None, film: Path, items: Sequence[Item]) -> str:
    """Why the film is not sealed; empty where it is, or need not be."""
    try:
        if seal:
            seal.close(film, [item for item in items if isinstance(item, Clip)])
    except ShotreelError as error:
        return str(error)
    return ""


def _probed(item: Item) -> Item:
    if isinstance(item, Card) or item.info:
        return item
    try:
        return replace(item, info=_probe(item.path, item.sha256))
    except ClipError as error:
        raise ClipError(
            f"{item.title}: {error.message}",
            remedy=error.remedy or "Fetch the clip again; it is not bought again.",
        ) from error


@lru_cache(4096)
def _probe(path: Path, sha256: str) -> MediaInfo:
    """Once for a sequence, the film, and each film after it of the same process."""
    return probe(path)


def _piece(segment: Segment, cutting: Cutting, cache: Path) -> Piece:
    run = segment.runs[0]
    item = cutting.items[run.shown.item]
    if segment.kind == "copy" and isinstance(item, Clip):
        info, first = info_of(item), run.shown.first
        headers = info.extradata, info.reorder_frames
        first += used_frames(item).start
        return Piece(item.path, *headers, info.num_frames, item.title, first, run.num_frames)
    drawing = cutting.drawing(segment)
    path, num_frames = place_of(drawing, cache), drawing.num_frames
    return Piece(path, *headers_of(path), num_frames, drawing.name, 0, num_frames)


def _notes(cutting: Cutting, sound: FinishedSound | None) -> Iterator[str]:
    yield from notes_of(cutting.items, cutting.edit, cutting.timeline)
    if sound and (short := sound.shortfall(cutting.finish)):
        yield short


def _remember(film: Stitched, cutting: Cutting, cache: Path, seal: Seal | None) -> None:
    facts = {
        "made_of": _made_of(cutting.items, cutting.finish, seal),
        "file": _looks(film.path),
        "film": _NOTE.dump_python(film, mode="json"),
    }
    with replacing(_note(film.path, cache)) as part:
        part.write_text(json.dumps(facts))


def _note(out: Path, cache: Path) -> Path:
    return cache / "films" / f"{hashlib.sha256(os.fsencode(out.absolute())).hexdigest()}.json"


def _made_of(items: Sequence[Item], finish: Finish, seal: Seal | None) -> list[object]:
    shape = {name for name in ("rate", "size") if getattr(finish, name)}
    chosen = finish.model_dump(mode="json", include=_PICTURED | shape)
    sealed = seal.identity if seal else ""
    made_by = [VERSION, RENDER_VERSION, MATCH_VERSION, sound_made_of(finish)]
    return [*made_by, sealed, chosen, *map(_identity, items)]


def _identity(item: Item) -> list[object]:
    begins = [item.begins.kind, str(item.begins.duration_s)] if item.begins else None
    voice = item.voice
    heard = [voice.sha256, voice.gain_db, str(voice.at_s)] if voice else None
    beside = [heard, item.dialogue]
    if isinstance(item, Clip):
        shown = [item.sha256, item.title, begins, item.opens, item.caption, item.continues]
        own = ["own"] if item.is_own else []  # films of bought clips alone stay what they are
        return [*shown, repr(item.use), *beside, *own]
    words = [item.kind, item.name, item.heading, item.text, item.note]
    return [*words, str(item.duration_s), begins, item.opens, *beside]


def _looks(out: Path) -> list[int]:
    """Size and time of the last change: what tells an untouched file without reading it."""
    found = out.stat()
    return [found.st_size, found.st_mtime_ns]
