"""What the film is made of: which clips are copied and which are rendered to fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from blocks.media import Colour, MediaInfo
from flows.stitch.parameters import ParameterSets

BT709: Colour = (1, 1, 1, 1)
_UNTAGGED = 2


@dataclass(frozen=True)
class Format:
    """What every segment of a film has in common. `rate` is frames per second."""

    codec: str
    width: int
    height: int
    rate: Fraction
    colour: Colour


@dataclass(frozen=True)
class Segment:
    """`num_frames` frames of the film from `start` on, from the clip at index `clip`.

    A copy keeps the clip's packets; a render draws its pictures anew in the film's format.
    """

    kind: Literal["copy", "render"]
    clip: int
    start: int
    num_frames: int


@dataclass(frozen=True)
class EditList:
    format: Format
    segments: tuple[Segment, ...]

    @property
    def num_frames(self) -> int:
        return sum(segment.num_frames for segment in self.segments)


def edit_list(clips: Sequence[MediaInfo]) -> EditList:
    """Straight cuts: the clips one after another, each a copy where it agrees with the film.

    Clips that all agree are copied as they are. Otherwise the film has the format of which there
    are most frames (the first such in the list), among those that a render can match; where there
    is none, that of the most frames as H.264. At least one clip is needed.
    """
    if len({clip.stream_key for clip in clips}) == 1 and all(map(_copies, clips)):
        lead, film = clips[0], _format_of(clips[0])
    elif matchable := list(filter(_matchable, clips)):
        lead = _lead(matchable)
        film = _format_of(lead)
    else:
        lead, film = None, _new_format(_lead(clips))
    headers = ParameterSets()
    segments: list[Segment] = []
    start = 0
    for index, clip in enumerate(clips):
        copied = (
            lead is not None
            and _copies(clip)
            and clip.stream_key == lead.stream_key
            and (film.codec != "h264" or headers.add(clip.extradata) is not None)
        )
        num_frames = clip.num_frames if copied else fitted_frames(clip, film.rate)
        segments.append(Segment("copy" if copied else "render", index, start, num_frames))
        start += num_frames
    return EditList(film, tuple(segments))


def fitted_frames(clip: MediaInfo, rate: Fraction) -> int:
    """How many frames a clip has at another rate: its duration times the rate, rounded."""
    return max(1, round(clip.duration_s * rate))


def is_bt709(colour: Colour, height: int) -> bool:
    """Whether a player shows these pictures by the BT.709 matrix, else by BT.601.

    Untagged pictures are read by their height, as browsers do.
    """
    matrix = colour[3]
    return height >= 720 if matrix == _UNTAGGED else matrix == BT709[3]


def _copies(clip: MediaInfo) -> bool:
    """Whether players show the clip's packets as they are, in an MP4 among others."""
    if not clip.spliceable or clip.rotation:
        return False
    if clip.codec == "h264":
        return clip.profile_family == "High" and clip.pix_fmt in ("yuv420p", "yuvj420p")
    return clip.codec == "hevc" and clip.pix_fmt in ("yuv420p", "yuv420p10le")


def _matchable(clip: MediaInfo) -> bool:
    """Whether a render can have the clip's format."""
    return (
        _copies(clip)
        and clip.codec == "h264"
        and clip.pix_fmt == "yuv420p"
        and clip.sample_aspect == 1
    )


def _lead(clips: Sequence[MediaInfo]) -> MediaInfo:
    """The first clip of the format that has most frames."""
    frames: dict[tuple[object, ...], int] = {}
    for clip in clips:
        frames[clip.stream_key] = frames.get(clip.stream_key, 0) + clip.num_frames
    return max(clips, key=lambda clip: frames[clip.stream_key])


def _format_of(clip: MediaInfo) -> Format:
    return Format(clip.codec, clip.width, clip.height, clip.rate, clip.colour)


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
