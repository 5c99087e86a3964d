"""What the film is made of: which frames are copied and which are drawn. Pure.

Seams are drawn and the rest is copied, as far as the packets allow. A copy begins at a keyframe
that needs nothing before it, and ends where the packets so far hold exactly the frames so far: the
last P-frame's B-frames are left over, and drawn with the seam. A clip mostly has one keyframe, so
one whose head lies in a transition, or is cut off, is drawn to its end. Cutting off its tail draws
at most those B-frames. Frames are counted from the first that is used; at another speed, or with
effects, all are drawn, and so are those of a picture that stands still.

    clip 1   copy ======|---|           a seam: what is left of clip 1, then the transition
    clip 2              |  |---|======  drawn anew, or copied from its next keyframe on
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from math import floor
from typing import Literal

from blocks.media.colour import BT709, UNTAGGED, Colour, is_wide
from blocks.media.probe import MediaInfo
from blocks.media.use import WHOLE
from flows.stitch.item import Card, Clip, Item
from flows.stitch.parameter_sets import ParameterSets
from flows.stitch.timeline import Transition, TransitionKind

_HD_ROWS = 720


@dataclass(frozen=True)
class Format:
    """What every segment of a film has in common. `rate` is frames per second."""

    codec: str
    width: int
    height: int
    rate: Fraction
    colour: Colour


@dataclass(frozen=True)
class Shown:
    """The item at index `item`, from its frame `first` on, at the film's rate."""

    item: int
    first: int


@dataclass(frozen=True)
class Run:
    """`num_frames` of one item, or of a transition to it: from `after`, or from black if None."""

    num_frames: int
    shown: Shown
    transition: TransitionKind | None = None
    after: Shown | None = None


@dataclass(frozen=True)
class Segment:
    """`num_frames` frames of the film from `start` on.

    A copy keeps the packets of one clip; a render draws its runs in the film's format.
    """

    kind: Literal["copy", "render"]
    start: int
    runs: tuple[Run, ...]

    @property
    def num_frames(self) -> int:
        return sum(run.num_frames for run in self.runs)

    @property
    def items(self) -> frozenset[int]:
        """The indexes of everything that is seen in it."""
        shown = chain.from_iterable((run.shown, run.after) for run in self.runs)
        return frozenset(each.item for each in shown if each)


@dataclass(frozen=True)
class Place:
    """Where an item stands: in `num_frames` frames of the film from `start` on.

    `begins` is what it shares with the item before it, `from_black` how many of its own frames
    come up from black; `wanted` is how many frames the list asks for, for either.
    """

    start: int
    num_frames: int
    begins: Transition | None
    from_black: int
    wanted: int

    @property
    def shared(self) -> int:
        return self.begins.num_frames if self.begins else 0

    @property
    def is_short(self) -> bool:
        return self.shared + self.from_black < self.wanted


@dataclass(frozen=True)
class EditList:
    """`places` has one for each item."""

    format: Format
    segments: tuple[Segment, ...]
    places: tuple[Place, ...]

    @property
    def num_frames(self) -> int:
        return sum(segment.num_frames for segment in self.segments)


def edit_list(
    items: Sequence[Item], rate: Fraction | None = None, size: tuple[int, int] | None = None
) -> EditList:
    """The items one after another. Every clip has its `info`; at least one clip is needed.

    Clips that all agree are copied as they are, if nothing has to be drawn beside them. Otherwise
    the film has the format that is seen longest (the first such in the list), among those that a
    render can match; where there is none, that of the longest as H.264 in BT.709. `rate` and `size`
    (width, height) are those of the film, where they are chosen.
    """
    film, lead = _format(items, rate, size)
    places = _places(items, film.rate)
    headers = ParameterSets()
    segments: list[Segment] = []
    seam: list[Run] = []
    at = 0

    def end_segment(kind: Literal["copy", "render"], runs: list[Run]) -> None:
        nonlocal at
        if runs:
            segments.append(Segment(kind, at, tuple(runs)))
            at += segments[-1].num_frames
            runs.clear()

    for index, (item, place) in enumerate(zip(items, places, strict=True)):
        first, end = place.shared, place.num_frames
        if index + 1 < len(items):
            end -= places[index + 1].shared
        if place.begins:
            after = Shown(index - 1, places[index - 1].num_frames - first)
            seam.append(Run(first, Shown(index, 0), place.begins.kind, after))
        elif place.from_black:
            first = place.from_black
            seam.append(Run(first, Shown(index, 0), "fade"))
        copied = range(0)
        if lead and isinstance(item, Clip) and _fits(item, lead):
            copied = _copied(item, first, end)
            if copied and not headers.add(info_of(item).extradata):
                copied = range(0)  # the film has no number free for its parameter sets
        end_segment("render", seam)
        drawn_until = copied.start if copied else end
        if first < drawn_until:
            end_segment("render", [Run(drawn_until - first, Shown(index, first))])
        if copied:
            end_segment("copy", [Run(len(copied), Shown(index, copied.start))])
            if copied.stop < end:
                seam.append(Run(end - copied.stop, Shown(index, copied.stop)))
    end_segment("render", seam)
    return EditList(film, tuple(segments), places)


def num_frames_of(item: Item, rate: Fraction) -> int:
    """How many frames an item has at a rate."""
    if isinstance(item, Card):
        return max(1, _rounded(item.duration_s * rate))
    return moving_frames(item, rate) + _rounded(item.use.freeze_s * rate)


def moving_frames(clip: Clip, rate: Fraction) -> int:
    """How many of a clip's frames at a rate come before its picture stands still."""
    seen_s = len(used_frames(clip)) / info_of(clip).rate / abs(clip.use.speed)
    return max(1, round(seen_s * rate))


def used_frames(clip: Clip) -> range:
    """Which of the clip's own frames are used."""
    info = info_of(clip)
    return clip.use.frames(info.num_frames, info.rate)


def fitted_frames(clip: MediaInfo, rate: Fraction) -> int:
    """How many frames a clip has at another rate: its duration times the rate, rounded."""
    return max(1, round(clip.duration_s * rate))


def matches(clip: MediaInfo, film: Format) -> bool:
    """Whether the clip's decoded frames are the film's as they are."""
    return (
        clip.pix_fmt == "yuv420p"
        and (clip.width, clip.height, clip.rate) == (film.width, film.height, film.rate)
        and _told(clip) == film.colour
        and clip.sample_aspect == 1
        and not clip.rotation
        and not clip.mirrored
        and clip.spliceable
    )


# time --------------------------------------------------------------------------------------------


def _places(items: Sequence[Item], rate: Fraction) -> tuple[Place, ...]:
    """Where each item stands, with as much of each transition as the items have frames for."""
    frames = [num_frames_of(item, rate) for item in items]
    opens = [index == 0 or item.opens for index, item in enumerate(items)]
    wanted = [_wanted(item, opens[index], rate) for index, item in enumerate(items)]
    # What of an item's frames the transition into the next one wants.
    into = (0 if opened else want for opened, want in zip(opens, wanted, strict=True))
    beyond = [*islice(into, 1, None), 0]
    places: list[Place] = []
    end = 0
    for index, item in enumerate(items):
        got = _portion(wanted[index], beyond[index], frames[index])
        shared = 0
        if not opens[index]:
            got = min(got, _portion(wanted[index], wanted[index - 1], frames[index - 1]))
            shared = got
        begins = Transition(item.begins.kind, shared) if item.begins and shared else None
        places.append(Place(end - shared, frames[index], begins, got - shared, wanted[index]))
        end += frames[index] - shared
    return tuple(places)


def _wanted(item: Item, opens: bool, rate: Fraction) -> int:
    """Frames of the transition that an item begins with; the first can only come up from black."""
    if item.begins is None or (opens and item.begins.kind != "fade"):
        return 0
    return max(1, _rounded(item.begins.duration_s * rate))


def _portion(own: int, other: int, num_frames: int) -> int:
    """What `own` gets of an item's frames, where another transition wants some at its other end."""
    return own if own + other <= num_frames else floor(Fraction(num_frames * own, own + other))


def _rounded(frames: Fraction) -> int:
    return floor(frames + Fraction(1, 2))


# copies ------------------------------------------------------------------------------------------


def _copied(clip: Clip, first: int, end: int) -> range:
    """The frames that can be copied of those from `first` to before `end`; perhaps none."""
    if not clip.use.keeps_frames:
        return range(0)
    info, used = info_of(clip), used_frames(clip)
    matched = clip.match.num_frames if clip.match else 0
    at = bisect_left(info.keyframes, used.start + max(first, matched))
    if at == len(info.keyframes):
        return range(0)
    begin = info.keyframes[at]
    until = bisect_right(info.closed, min(used.start + end, used.stop))
    if not until or info.closed[until - 1] <= begin:
        return range(0)
    return range(begin - used.start, info.closed[until - 1] - used.start)


def _copies(clip: MediaInfo) -> bool:
    """Whether every player shows the clip's packets as they are, in an MP4 among others."""
    return (
        clip.codec == "h264"
        and clip.profile_family == "High"
        and clip.pix_fmt in ("yuv420p", "yuvj420p")
        and clip.spliceable
        and not clip.rotation
        and not clip.mirrored
        and not is_wide(clip.colour)
    )


def _fits(clip: Clip, lead: MediaInfo) -> bool:
    """Whether the clip's packets can stand in a film of the lead's format."""
    info = info_of(clip)
    return not clip.caption and _copies(info) and info.stream_key == lead.stream_key


# the film's format -------------------------------------------------------------------------------


def _format(
    items: Sequence[Item], rate: Fraction | None, size: tuple[int, int] | None
) -> tuple[Format, MediaInfo | None]:
    """The film's format, and a clip that has it; None where all are drawn."""
    clips = [item for item in items if isinstance(item, Clip)]
    first = info_of(clips[0])
    alike = [clip for clip in clips if _has(info_of(clip), rate, size)]
    if _is_copied_whole(items) and alike == clips and all(_fits(clip, first) for clip in clips):
        return _format_of(first), first
    if matchable := [clip for clip in alike if _matchable(info_of(clip))]:
        lead = _lead(matchable)
        return _format_of(lead), lead
    film = _new_format(_lead(clips))
    width, height = size or (film.width, film.height)
    return replace(film, rate=rate or film.rate, width=width, height=height), None


def _has(clip: MediaInfo, rate: Fraction | None, size: tuple[int, int] | None) -> bool:
    return rate in (None, clip.rate) and size in (None, (clip.width, clip.height))


def _is_copied_whole(items: Sequence[Item]) -> bool:
    """Whether there is nothing but whole clips and cuts, and none is to match another."""
    return all(
        isinstance(item, Clip) and item.use == WHOLE and not item.begins and not item.match
        for item in items
    )


def _matchable(clip: MediaInfo) -> bool:
    """Whether a render can have the clip's format."""
    return _copies(clip) and clip.pix_fmt == "yuv420p" and clip.sample_aspect == 1


def _lead(clips: Sequence[Clip]) -> MediaInfo:
    """The first clip of the format that is seen longest."""
    seen_s: dict[tuple[object, ...], Fraction] = {}
    for clip in clips:
        info = info_of(clip)
        own_s = clip.use.seen_s(info.num_frames, info.rate)
        seen_s[info.stream_key] = seen_s.get(info.stream_key, Fraction(0)) + own_s
    return max(map(info_of, clips), key=lambda info: seen_s[info.stream_key])


def _format_of(clip: MediaInfo) -> Format:
    return Format(clip.codec, clip.width, clip.height, clip.rate, _told(clip))


def _told(clip: MediaInfo) -> Colour:
    """The clip's colour as the film tells it: players read untagged HD as BT.709, so it is said."""
    return BT709 if clip.colour[3] == UNTAGGED and clip.height >= _HD_ROWS else clip.colour


def _new_format(clip: MediaInfo) -> Format:
    """The clip's format as H.264 can have it: upright, square pixels, even sides, BT.709."""
    width, height = shown_size(clip)
    # The rate of uneven frames is a mean; a film has one that players know.
    rate = clip.rate if clip.rate.denominator in (1, 1001) else Fraction(max(1, round(clip.rate)))
    return Format("h264", width + width % 2, height + height % 2, rate, BT709)


def shown_size(clip: MediaInfo) -> tuple[int, int]:
    """Width and height in square pixels, upright."""
    width, height = round(clip.width * clip.sample_aspect), clip.height
    return (height, width) if clip.rotation % 180 else (width, height)


def info_of(clip: Clip) -> MediaInfo:
    assert clip.info is not None, "a clip is probed before it is edited"
    return clip.info
