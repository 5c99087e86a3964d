"""What makes one shot begin as the one before it ends, and lets it become itself again. Pure.

A service that goes on from a picture mostly comes back a little brighter, darker or tinted. The
first frames are given the light and the colour of the shot before, wholly at the seam and less from
frame to frame, over so long that the change is not seen. Only pictures that are meant to belong
together are touched: a shot that continues the one before, and a dissolve. A hard cut never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from flows.stitch.seams.ends import RGB_OF_YCC, YCC_OF_RGB, Ends, Picture
from flows.stitch.timeline import Transition

# Raise it when the same pictures would be corrected otherwise.
VERSION = 1

# What is smaller is not seen, in levels of 255, and would only cost the clip its untouched frames.
_LEAST = 2.0
# Shots that differ by more are different scenes, and are left so.
_MOST_LUMA, _MOST_COLOUR = 32.0, 16.0
# Contrast is corrected by this factor at most, and only where both show the same thing.
_MOST_GAIN = 1.25
_LEAST_SPREAD = 1.0  # a plain colour has no contrast
# A third of a level from frame to frame is not seen; but in three seconds a shot is to be itself.
_LEVELS_PER_S = 8
_RAMP_S = (Fraction(1), Fraction(3))


@dataclass(frozen=True)
class Match:
    """For Y', Cb and Cr in levels of 255: `value * gain + offset` in the first frame, and over
    `num_frames` frames nothing any more."""

    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    num_frames: int

    def weight(self, index: int) -> float:
        """How much of it is applied to frame `index` of the shot: smoothly from 1 to 0."""
        done = min(1.0, max(0.0, index / self.num_frames))
        return 1 - done * done * (3 - 2 * done)

    def applied(self, picture: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Frame `index` of the shot, rows x columns x RGB. BT.709."""
        weight = self.weight(index)
        if weight <= 0:
            return picture
        gain = 1 + (np.asarray(self.gain) - 1) * weight
        # One matrix there and back: RGB to Y'CbCr, gain, and to RGB again.
        matrix = np.asarray(RGB_OF_YCC @ np.diag(gain) @ YCC_OF_RGB, np.float32)
        offset = np.asarray(RGB_OF_YCC @ (np.asarray(self.offset) * weight), np.float32)
        corrected = picture.reshape(-1, 3).astype(np.float32) @ matrix.T + offset
        levels = np.clip(np.rint(corrected), 0, 255).reshape(picture.shape)
        return np.asarray(levels, np.uint8)


def may_match(begins: Transition | None, *, continues: bool) -> bool:
    """Whether a shot that begins so belongs together with the one before it."""
    return continues or (begins is not None and begins.kind == "dissolve")


def match_of(
    before: Ends,
    after: Ends,
    *,
    begins: Transition | None,
    continues: bool,
    num_frames: int,
    rate: Fraction,
) -> Match | None:
    """How `after` is made to begin as `before` ends; None where it is to stay as it is.

    `begins` and `continues` are of `after`, and so is `num_frames`, at the film's `rate`.
    """
    if not may_match(begins, continues=continues):
        return None
    shared = begins.num_frames if begins else 0
    here, there = before.last, after.first
    steps = [a - b for a, b in zip(here.mean, there.mean, strict=True)]
    luma, colour = abs(steps[0]), max(abs(steps[1]), abs(steps[2]))
    if max(luma, colour) < _LEAST or luma > _MOST_LUMA or colour > _MOST_COLOUR:
        return None
    gains = tuple(_gain(here, there, channel) if continues else 1.0 for channel in range(3))
    offsets = tuple(
        round(a - gain * b, 3) for a, b, gain in zip(here.mean, there.mean, gains, strict=True)
    )
    ramp_s = max(_RAMP_S[0], min(_RAMP_S[1], Fraction(max(luma, colour)) / _LEVELS_PER_S))
    frames = min(num_frames, max(shared, ceil(ramp_s * rate)))
    return Match((gains[0], gains[1], gains[2]), (offsets[0], offsets[1], offsets[2]), frames)


def _gain(here: Picture, there: Picture, channel: int) -> float:
    """What brings the contrast of one picture to the other's."""
    if there.spread[channel] < _LEAST_SPREAD:
        return 1.0
    gain = here.spread[channel] / there.spread[channel]
    return round(min(_MOST_GAIN, max(1 / _MOST_GAIN, gain)), 4)
