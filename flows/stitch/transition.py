"""How one picture passes into the next. Pure.

A picture is Y'CbCr 4:2:0 as the film has it, its three planes one after another in one array of
3/2 x rows times columns: an untouched frame is not led through RGB only to be mixed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flows.stitch.timeline import TransitionKind

Picture = NDArray[np.uint8]
Plane = NDArray[np.uint8]

_GREY = 128  # no colour
_SOFT_EDGE = 0.12  # of the width: a hard edge would flicker on moving pictures
_SHADOW = 0.02  # of the width, before the picture that slides in
_DRAG = 0.3  # how far the picture below goes along, as a part of the way
_DIM = 0.45  # how much light it loses meanwhile


def passage(
    kind: TransitionKind, before: Picture | None, after: Picture, part: float, black: int = 16
) -> Picture:
    """The picture when `part` of the transition is over (0 to 1); from black where it has none.

    `black` is the luma of it.
    """
    if before is None:
        before = black_picture(after, black)
        return _mixed(before, after, _weight(part))
    if kind == "fade":
        dark = black_picture(after, black)
        if part < 1 / 2:
            return _mixed(before, dark, _weight(2 * part))
        return _mixed(dark, after, _weight(2 * part - 1))
    if kind == "dissolve":
        return _mixed(before, after, _weight(part))
    picture = np.empty_like(after)
    levels = (black, _GREY, _GREY)
    for plane, old, new, level in zip(
        planes(picture), planes(before), planes(after), levels, strict=True
    ):
        if kind == "wipe":
            plane[:] = _wiped(old, new, part)
        else:
            _slide(plane, old, new, part, level)
    return picture


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


def _wiped(old: Plane, new: Plane, part: float) -> Plane:
    """From left to right."""
    columns = (np.arange(new.shape[1]) + 0.5) / new.shape[1]
    inside = np.clip((part * (1 + _SOFT_EDGE) - columns) / _SOFT_EDGE, 0, 1)
    return _mixed(old, new, np.round(_eased(inside) * 256).astype(np.uint16))


def _slide(plane: Plane, old: Plane, new: Plane, part: float, level: int) -> None:
    """The new picture comes from the right over the old one, which gives way and loses light."""
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
