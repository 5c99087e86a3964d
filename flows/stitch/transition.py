"""How one picture passes into the next. Pure: pictures are rows x columns x RGB, 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.stitch.timeline import TransitionKind

Picture = NDArray[np.uint8]

_SOFT_EDGE = 0.12  # of the width: a hard edge would flicker on moving pictures
_SHADOW = 0.02  # of the width, before the picture that slides in
_DRAG = 0.3  # how far the picture below goes along, as a part of the way
_DIM = 0.45  # how much light it loses meanwhile


def passage(kind: TransitionKind, before: Picture | None, after: Picture, part: float) -> Picture:
    """The picture when `part` of the transition is over (0 to 1); from black where it has none."""
    if kind == "fade" or before is None:
        return _fade(before, after, part)
    if kind == "dissolve":
        return _mixed(before, after, np.uint16(round(part * 256)))
    return _wipe(before, after, part) if kind == "wipe" else _slide(before, after, part)


def _fade(before: Picture | None, after: Picture, part: float) -> Picture:
    if before is None:
        return _lit(after, part)
    return _lit(before, 1 - 2 * part) if part < 1 / 2 else _lit(after, 2 * part - 1)


def _wipe(before: Picture, after: Picture, part: float) -> Picture:
    """From left to right."""
    columns = (np.arange(after.shape[1]) + 0.5) / after.shape[1]
    inside = np.clip((part * (1 + _SOFT_EDGE) - columns) / _SOFT_EDGE, 0, 1)
    weights = np.round(_eased(inside) * 256).astype(np.uint16)
    return _mixed(before, after, weights[:, None])


def _slide(before: Picture, after: Picture, part: float) -> Picture:
    """The new picture comes from the right over the old one, which gives way and loses light."""
    width = after.shape[1]
    eased = float(_eased(np.float64(part)))
    edge = width - round(width * eased)
    away = round(width * eased * _DRAG)
    picture = np.empty_like(after)
    picture[:, edge:] = after[:, : width - edge]
    picture[:, :edge] = _lit(before[:, away : away + edge], 1 - _DIM * eased)
    near = np.arange(edge - 1, -1, -1) / max(1, round(width * _SHADOW))
    shade = 1 - 0.5 * np.exp(-near)
    weights = np.round(shade * 256).astype(np.uint16)[:, None]
    picture[:, :edge] = (picture[:, :edge] * weights + np.uint16(128)) >> 8
    return picture


def _mixed(before: Picture, after: Picture, weight: np.uint16 | NDArray[np.uint16]) -> Picture:
    """`weight` of 256 parts are of `after`. In 16 bits: twice as quick as floats, and rounded."""
    mixed = before * (np.uint16(256) - weight)
    mixed += after * weight
    mixed += np.uint16(128)
    mixed >>= 8
    return mixed.astype(np.uint8)


def _lit(picture: Picture, light: float) -> Picture:
    weight = np.uint16(round(max(0.0, light) * 256))
    return ((picture * weight + np.uint16(128)) >> 8).astype(np.uint8)


def _eased(part: NDArray[np.float64] | np.float64) -> NDArray[np.float64] | np.float64:
    """Slow at both ends."""
    return part * part * (3 - 2 * part)
