"""How far music steps back while a clip is heard. Pure.

Everything goes by steps of 10 ms. Music is down before a clip's sound begins, since what comes is
known, and it waits out the pauses between words before it rises again:

    clip   ________|=====|__|====|______________
    music  ======\\_____________________/========
               ramp, held            ramp

A step depends on what is near it alone, so that any range of the film can be made by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

STEP = 480
"""Samples."""

DOWN_DB = 12.0
# Clip sound quieter than the threshold by this much lowers nothing; up to it, more and more.
_KNEE_DB = 6.0
_RAMP = 50  # steps
_AHEAD = _RAMP // 2
_HOLD = 50 + _RAMP // 2
_RAMP_SHAPE = np.hanning(_RAMP + 3)[1:-1] / np.hanning(_RAMP + 3)[1:-1].sum()

BEFORE = _HOLD + _AHEAD + 1
AFTER = 2 * _AHEAD + 1
"""Steps that have to be known before and after those that are asked for."""

Steps = NDArray[np.float64]


def levels_of(sound: NDArray[np.float32]) -> Steps:
    """The level of each step, in dB of full scale (RMS); both channels together."""
    power = (sound.astype(np.float64) ** 2).mean(axis=0).reshape(-1, STEP).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def gains_of(levels: Steps, threshold_db: float) -> NDArray[np.float32]:
    """A gain for each sample; `levels` are of BEFORE steps more in front and AFTER behind."""
    wanted = DOWN_DB * np.clip((levels - threshold_db) / _KNEE_DB + 1, 0, 1)
    held = sliding_window_view(wanted, _HOLD + _AHEAD + 1).max(axis=1)
    ramped = np.convolve(held, _RAMP_SHAPE, "valid")
    # Between the middles of two steps the gain goes straight, one step more at either end.
    steps = 10 ** (-ramped / 20)
    at = (np.arange((len(steps) - 2) * STEP) + 0.5) / STEP + 0.5
    return np.asarray(np.interp(at, np.arange(len(steps)), steps), np.float32)
