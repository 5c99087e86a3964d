"""A segment that has to be drawn: a seam, a card, a clip that differs. It is kept for next time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame

from blocks.errors import ClipError, StitchError
from blocks.files import replacing
from blocks.media.colour import VERSION as COLOUR_VERSION
from blocks.media.colour import is_bt709, is_wide
from blocks.media.probe import open_media, presentation_order
from blocks.media.use import WHOLE
from flows.stitch.edit import (
    EditList,
    Format,
    Run,
    Segment,
    Shown,
    info_of,
    num_frames_of,
    used_frames,
)
from flows.stitch.finish import Fit
from flows.stitch.frames import EXACT, Frames, moving, picture_size
from flows.stitch.item import Card, Item
from flows.stitch.seams.match import VERSION as MATCH_VERSION
from flows.stitch.timeline import TransitionKind
from flows.stitch.writing import writing

if TYPE_CHECKING:
    from moviepy import VideoClip

# Raise it when the same would be drawn otherwise: what is cached is then drawn again.
VERSION = 4

X264 = {
    "preset": "veryfast",
    "crf": "16",
    "profile": "high",
    # Copied clips mostly number their parameter sets 0: with another number nothing is renamed.
    # Segments are drawn beside each other: one thread each, and few frames held to look ahead.
    "x264-params": "sps-id=1:log-level=error:threads=1:rc-lookahead=8:"
    # At this quality they cost a third of the time and are not seen.
    "subme=1:ref=1",
}
_FULL_RANGE = 2


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
            match = item.match
            if match and shown.first >= match.num_frames:
                match = None
            made = [MATCH_VERSION, astuple(match)] if match else []
            if is_wide(info_of(item).colour) or info_of(item).mirrored:
                made.append(COLOUR_VERSION)
            if item.use != WHOLE:
                frames = num_frames_of(item, self.film.rate)
                made += ["used", *_bounds(used_frames(item)), frames, astuple(item.use)[2:]]
            return [item.sha256, item.caption, fit, shown.first, *made]

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


def _bounds(frames: range) -> tuple[int, int]:
    return frames.start, frames.stop


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


def headers_of(drawn: Path) -> tuple[bytes, int]:
    """The segment's configuration record, and how many frames decoding runs ahead of showing."""
    try:
        with open_media(drawn) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size]
            extradata = stream.codec_context.extradata or b""
    except (ClipError, av.FFmpegError, OSError) as error:
        raise StitchError(
            f"A segment of the film cannot be read again: {error}",
            remedy="The clips are safe. Remove the folder stitch/segments of the home, run again.",
        ) from error
    return extradata, max(i - place for i, place in enumerate(presentation_order(packets)))


def rows_of(drawings: Iterable[Drawing]) -> Iterator[tuple[Drawing, ...]]:
    """Which drawings, in the film's order, one process should make after another: what is seen of
    a clip alone and then the seam that it ends in, so that the clip is decoded once."""
    row: list[Drawing] = []
    for drawing in drawings:
        follows = len(row) == 1 and len(row[0].items) == 1 and min(drawing.items) in row[0].items
        if row and not follows:
            yield tuple(row)
            row.clear()
        row.append(drawing)
    if row:
        yield tuple(row)


def draw_row(drawings: Sequence[Drawing], cache: Path) -> None:
    """Draw segments one after another; see `draw`."""
    sources: _Sources = {}
    for drawing in drawings:
        draw(drawing, cache, sources)


def draw(drawing: Drawing, cache: Path, sources: _Sources | None = None) -> Path:
    """Draw the segment without sound, unless it is there. One picture of each clip is held.

    `sources` are taken over from the drawing before, and left to the next.

    Raises ClipError where a clip cannot be decoded, StitchError where the segment cannot be
    written.
    """
    path = place_of(drawing, cache)
    if is_drawn(drawing, cache):
        return path
    known = {} if sources is None else sources
    with writing(f"{drawing.name} could not be drawn"), replacing(path) as part:
        _encode(_frames(drawing, known), drawing.film, part)
    return path


def _frames(drawing: Drawing, sources: _Sources) -> Iterator[VideoFrame]:
    """The segment's frames in order, in the film's format."""
    for index in sources.keys() - drawing.items.keys():
        del sources[index]
    started: set[int] = set()
    for run in drawing.runs:
        for shown in filter(None, (run.shown, run.after)):
            index = shown.item
            if index not in started and (index not in sources or sources[index].at > shown.first):
                item = drawing.items[index]
                sources[index] = _Source(item, drawing.film, drawing.fit, shown.first)
            started.add(index)
    for run in drawing.runs:
        source = sources[run.shown.item]
        if run.transition is None:
            for index in range(run.shown.first, run.shown.first + run.num_frames):
                yield source.frame(index)
            continue
        clip = _transition(run, run.transition, sources, drawing.film)
        for index in range(run.num_frames):
            picture = np.asarray(clip.get_frame(float(index / drawing.film.rate)), np.uint8)
            yield VideoFrame.from_ndarray(picture, format="yuv420p")


class _Source:
    """An item's frames as the film has them, forwards only; `at` is the next that was not seen."""

    def __init__(self, item: Item, film: Format, fit: Fit, first: int) -> None:
        self._film = film
        self.at = first
        self._footage = None if isinstance(item, Card) else Frames(item, film, fit, first)
        # What is the film's already never becomes a picture.
        self._plain = self._footage is not None and self._footage.is_plain
        self._clip = None if self._plain else moving(item, self._footage, film, fit)

    def frame(self, index: int) -> VideoFrame:
        self.at = index + 1
        if self._clip is None:
            assert self._footage is not None
            return self._footage.frame(index)
        picture = np.asarray(self._clip.get_frame(float(index / self._film.rate)), np.uint8)
        matrix = "ITU709" if is_bt709(self._film.colour, self._film.height) else "ITU601"
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        return frame.reformat(format="yuv420p", dst_colorspace=matrix, interpolation=EXACT)


_Sources = dict[int, _Source]


def _transition(
    run: Run, kind: TransitionKind, sources: Mapping[int, _Source], film: Format
) -> VideoClip:
    """One item passing into another; neither the first nor the last frame is one of them alone."""
    from moviepy import VideoClip

    from flows.stitch.transition import TRANSITIONS, Picture, black_picture

    black = 0 if film.colour[0] == _FULL_RANGE else 16
    duration_s = float(run.num_frames / film.rate)

    def clip_of(shown: Shown) -> VideoClip:
        @lru_cache(1)  # moviepy asks for the first frame again and again, to see its size
        def planes_of(index: int) -> Picture:
            return np.asarray(sources[shown.item].frame(index).to_ndarray(), np.uint8)

        clip = VideoClip(lambda t: planes_of(shown.first + round(t * film.rate)))
        return clip.with_duration(duration_s).with_fps(float(film.rate))

    after = clip_of(run.shown)
    if run.after:
        before = clip_of(run.after)
    else:  # it comes up from black
        dark = black_picture(np.empty((film.height * 3 // 2, film.width), np.uint8), black)
        kind, before = "dissolve", VideoClip(lambda _: dark, duration=duration_s)
    return after.with_effects([TRANSITIONS[kind](before, black)])


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
