"""A segment that has to be drawn: a seam, a card, a clip that differs. It is kept for next time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame

from blocks.errors import ClipError, StitchError
from blocks.media import open_media
from flows.stitch.edit import EditList, Format, Run, Segment, Shown, info_of, is_bt709
from flows.stitch.finish import Fit
from flows.stitch.fit import EXACT, Footage, moving, picture_size
from flows.stitch.item import Card, Item

if TYPE_CHECKING:
    from moviepy import VideoClip

# Raise it when the same would be drawn otherwise: what is cached is then drawn again.
VERSION = 2

X264 = {
    "preset": "veryfast",
    "crf": "17",
    "profile": "high",
    # Copied clips mostly number their parameter sets 0: with another number nothing is renamed.
    # Segments are drawn beside each other: one thread each, and few frames held to look ahead.
    "x264-params": "sps-id=1:log-level=error:threads=1:rc-lookahead=12",
}


@dataclass(frozen=True)
class Drawing:
    """A segment with all that a process needs to draw it: `items` are those it shows."""

    film: Format
    runs: tuple[Run, ...]
    items: Mapping[int, Item]
    fit: Fit

    @cached_property
    def key(self) -> str:
        """The same for what would look the same, wherever in a film it stands."""

        def source(shown: Shown | None) -> object:
            if shown is None:
                return None
            item = self.items[shown.item]
            if isinstance(item, Card):
                words = (item.kind, item.heading, item.text, item.note, item.duration_s)
                return [*words, shown.first]
            shape = picture_size(info_of(item), self.film)
            fit = None if shape == (self.film.width, self.film.height) else self.fit
            return [item.sha256, item.caption, fit, shown.first]

        runs = [
            [run.num_frames, run.transition, source(run.shown), source(run.after)]
            for run in self.runs
        ]
        facts = json.dumps([VERSION, X264, astuple(self.film), runs], default=str)
        return hashlib.sha256(facts.encode()).hexdigest()

    @property
    def num_frames(self) -> int:
        return sum(run.num_frames for run in self.runs)

    @property
    def is_pending(self) -> bool:
        """Whether something that it shows is not there yet."""
        return any(isinstance(i, Card) and i.kind == "pending" for i in self.items.values())

    @property
    def name(self) -> str:
        return " to ".join(item.title for _, item in sorted(self.items.items()))


def drawing_of(segment: Segment, edit: EditList, items: Sequence[Item], fit: Fit) -> Drawing:
    shown = {index: items[index] for index in segment.items}
    return Drawing(edit.format, segment.runs, shown, fit)


def place_of(drawing: Drawing, cache: Path) -> Path:
    return cache / "segments" / f"{drawing.key}.mp4"


def is_drawn(drawing: Drawing, cache: Path) -> bool:
    """Whether the segment is there, and whole: the machine may have gone down meanwhile."""
    path = place_of(drawing, cache)
    try:
        with open_media(path) as container:
            return len(container.streams.video[0].index_entries) == drawing.num_frames
    except (ClipError, av.FFmpegError, OSError, IndexError):
        return False


def draw(drawing: Drawing, cache: Path) -> Path:
    """Draw the segment without sound, unless it is there. One picture of each clip is held.

    Raises ClipError where a clip cannot be decoded, StitchError where the segment cannot be
    written.
    """
    path = place_of(drawing, cache)
    if is_drawn(drawing, cache):
        return path
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _encode(_frames(drawing), drawing.film, partial)
        partial.replace(path)
    except (av.FFmpegError, OSError) as error:
        raise StitchError(
            f"{drawing.name} could not be drawn: {error.strerror or error}.",
            remedy="The clips are safe. Make room on the disk, then run again.",
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return path


def _frames(drawing: Drawing) -> Iterator[VideoFrame]:
    """The segment's frames in order, in the film's format."""
    film = drawing.film
    first: dict[int, int] = {}
    for run in drawing.runs:
        for shown in filter(None, (run.shown, run.after)):
            first.setdefault(shown.item, shown.first)
    footage = {
        index: Footage(item, film, drawing.fit, first[index])
        for index, item in drawing.items.items()
        if not isinstance(item, Card)
    }
    clips: dict[int, VideoClip] = {}

    def clip_of(shown: Shown) -> VideoClip:
        index = shown.item
        if index not in clips:
            item = drawing.items[index]
            clips[index] = moving(item, footage.get(index), film, drawing.fit)
        return clips[index]

    for run in drawing.runs:
        source = footage.get(run.shown.item)
        if run.transition is None and source and source.is_plain:
            # Its frames are the film's already: they never become pictures.
            for index in range(run.shown.first, run.shown.first + run.num_frames):
                yield source.frame(index)
        else:
            clip = _transition(run, clip_of, film) if run.transition else clip_of(run.shown)
            start = 0 if run.transition else run.shown.first
            for index in range(start, start + run.num_frames):
                yield _as_frame(clip.get_frame(float(index / film.rate)), film)


def _transition(run: Run, clip_of: Callable[[Shown], VideoClip], film: Format) -> VideoClip:
    """One clip passing into another; neither its first nor its last frame is one of them alone."""
    from moviepy import VideoClip

    from flows.stitch.transition import Picture, passage

    after = clip_of(run.shown)
    before = clip_of(run.after) if run.after else None
    kind = run.transition
    assert kind is not None

    def picture_at(t: float) -> Picture:
        index = round(t * film.rate)
        old = None
        if before is not None and run.after is not None:
            old = before.get_frame(float((run.after.first + index) / film.rate))
        new = after.get_frame(float((run.shown.first + index) / film.rate))
        return passage(kind, old, new, (index + 1) / (run.num_frames + 1))

    return VideoClip(picture_at, duration=float(run.num_frames / film.rate))


def _as_frame(picture: object, film: Format) -> VideoFrame:
    matrix = "ITU709" if is_bt709(film.colour, film.height) else "ITU601"
    frame = VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=matrix, interpolation=EXACT)


def _encode(frames: Iterator[VideoFrame], film: Format, out: Path) -> None:
    with av.open(f"file:{out}", "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=film.rate, options=X264)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        context = stream.codec_context
        (
            context.color_range,
            context.color_primaries,
            context.color_trc,
            context.colorspace,
        ) = film.colour
        for index, frame in enumerate(frames):
            frame.pts = index
            frame.time_base = 1 / film.rate
            # Where the source had its keyframes is nothing to the encoder.
            frame.pict_type = PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
