"""How one picture passes into the next, as moviepy's effects.

A picture is Y'CbCr 4:2:0 as the film has it, its three planes one after another in one array of
3/2 x rows times columns: an untouched frame is not led through RGB only to be mixed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from moviepy import Effect, VideoClip
from numpy.typing import NDArray

from flows.stitch.timeline import TransitionKind

Picture = NDArray[np.uint8]
Plane = NDArray[np.uint8]

_GREY = 128  # no colour
_SOFT_EDGE = 0.12  # of the width: a hard edge would flicker on moving pictures
_SHADOW = 0.02  # of the width, before the picture that slides in
_DRAG = 0.3  # how far the picture below goes along, as a part of the way
_DIM = 0.45  # how much light it loses meanwhile


@dataclass
class Transition(Effect):  # type: ignore[misc]  # moviepy has no types
    """The whole of a clip becomes the passage from `before` to it, both of planes at its rate.

    `black` is the luma of it. Neither the first nor the last picture is one of the two alone.
    """

    before: VideoClip
    black: int = 16

    def apply(self, clip: VideoClip) -> VideoClip:
        last = round(clip.duration * clip.fps) + 1

        def picture_at(t: float) -> Picture:
            part = (round(t * clip.fps) + 1) / last
            before, after = (np.asarray(each.get_frame(t)) for each in (self.before, clip))
            return self.mixed(before, after, part)

        return clip.with_updated_frame_function(picture_at)

    @abstractmethod
    def mixed(self, before: Picture, after: Picture, part: float) -> Picture:
        """The picture when `part` of it is over (0 to 1)."""


class Dissolve(Transition):
    def mixed(self, before: Picture, after: Picture, part: float) -> Picture:
        return _mixed(before, after, _weight(part))


class Fade(Transition):
    """To black, and from there."""

    def mixed(self, before: Picture, after: Picture, part: float) -> Picture:
        dark = black_picture(after, self.black)
        if part < 1 / 2:
            return _mixed(before, dark, _weight(2 * part))
        return _mixed(dark, after, _weight(2 * part - 1))


class _ByPlane(Transition):
    def mixed(self, before: Picture, after: Picture, part: float) -> Picture:
        picture = np.empty_like(after)
        levels = (self.black, _GREY, _GREY)
        pictures = (planes(each) for each in (picture, before, after))
        for plane, old, new, level in zip(*pictures, levels, strict=True):
            self.mix(plane, old, new, part, level)
        return picture

    @abstractmethod
    def mix(self, plane: Plane, old: Plane, new: Plane, part: float, level: int) -> None:
        """Fill the plane; `level` is black in it."""


class Wipe(_ByPlane):
    """From left to right."""

    def mix(self, plane: Plane, old: Plane, new: Plane, part: float, level: int) -> None:
        columns = (np.arange(new.shape[1]) + 0.5) / new.shape[1]
        inside = np.clip((part * (1 + _SOFT_EDGE) - columns) / _SOFT_EDGE, 0, 1)
        plane[:] = _mixed(old, new, np.round(_eased(inside) * 256).astype(np.uint16))


class Slide(_ByPlane):
    """The new picture comes from the right over the old one, which gives way and loses light."""

    def mix(self, plane: Plane, old: Plane, new: Plane, part: float, level: int) -> None:
        width = new.shape[1]
        eased = float(_eased(np.float64(part)))
        edge = width - round(width * eased)
        away = round(width * eased * _DRAG)
        plane[:, edge:] = new[:, : width - edge]
        # Nearest to the edge it lies in the other's shadow.
        far = np.arange(edge - 1, -1, -1) / (width * _SHADOW)
        light = (1 - _DIM * eased) * (1 - np.exp(-far) / 2)
        dark = np.full((1, edge), level, np.uint8)
        plane[:, :edge] = _mixed(
            dark, old[:, away : away + edge], np.round(light * 256).astype(np.uint16)
        )


TRANSITIONS: dict[TransitionKind, type[Transition]] = {
    "dissolve": Dissolve,
    "fade": Fade,
    "wipe": Wipe,
    "slide": Slide,
}


def planes(picture: Picture) -> Iterator[Plane]:
    """Luma, blue and red: views into the picture."""
    rows, columns = picture.shape[0] * 2 // 3, picture.shape[1]
    flat = picture.reshape(-1)
    luma, chroma = rows * columns, rows * columns // 4
    yield flat[:luma].reshape(rows, columns)
    for start in (luma, luma + chroma):
        yield flat[start : start + chroma].reshape(rows // 2, columns // 2)


def black_picture(like: Picture, black: int) -> Picture:
    picture = np.full_like(like, _GREY)
    next(planes(picture))[:] = black
    return picture


def _weight(part: float) -> np.uint16:
    return np.uint16(round(part * 256))


def _mixed(old: Plane, new: Plane, weight: np.uint16 | NDArray[np.uint16]) -> Plane:
    """`weight` of 256 parts are of `new`. In 16 bits: twice as quick as floats, and rounded."""
    mixed = new * weight
    mixed += old * (np.uint16(256) - weight)
    mixed += np.uint16(128)
    mixed >>= 8
    return mixed.astype(np.uint8)


def _eased(part: NDArray[np.float64] | np.float64) -> NDArray[np.float64] | np.float64:
    """Slow at both ends."""
    return part * part * (3 - 2 * part)
