"""Loud moments are held under a ceiling, and nothing else is touched.

Peaks are true peaks, read between the samples as ITU-R BS.1770 does: at four times the rate. The
gain is known before a peak comes (5 ms), so that nothing is cut off, and it rises again by 60 dB a
second, too quick to be heard as pumping. It goes by steps of one millisecond and depends on what is
within a second, so that any range can be made by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from flows.stitch.sound.held import BLOCK, Held
from flows.stitch.sound.source import Samples

STEP = 48
_PHASES = 4
_TAPS = 12  # on either side
_AHEAD = 5  # steps
_RISE_DB = 0.06  # a step
_BEFORE = BLOCK // STEP
_AFTER = _AHEAD + 1

_RAMP = np.hanning(_AHEAD + 3)[1:-1] / np.hanning(_AHEAD + 3)[1:-1].sum()


def _interpolation() -> NDArray[np.float32]:
    """For each phase between two samples, the weights of the samples around it."""
    places = np.arange(1 - _TAPS, _TAPS + 1)
    away = places[None, :] - (np.arange(1, _PHASES) / _PHASES)[:, None]
    window = np.i0(8 * np.sqrt(np.clip(1 - (away / (_TAPS + 0.5)) ** 2, 0, 1))) / np.i0(8)
    weights = np.sinc(away) * window
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_WEIGHTS = _interpolation()
# No true peak is higher than the highest sample around it by more than this factor.
_MOST = float(abs(_WEIGHTS).sum(axis=1).max())


class Limiter:
    """`samples` gives the source's times `gain`, under `ceiling`; both are factors."""

    def __init__(self, source: Callable[[int, int], Samples], gain: float, ceiling: float) -> None:
        self._source = source
        self._gain = np.float32(gain)
        self._ceiling = ceiling
        self._needs = Held(self._need, length=BLOCK // STEP)

    def samples(self, start: int, stop: int) -> Samples:
        first, last = start // STEP - 1, -(-stop // STEP) + 1
        needed = self._needs.samples(first - _BEFORE, last + _AFTER)[0]
        sound = self._source(start, stop) * self._gain
        if needed.any():
            gains = 10 ** (-reduction_of(needed) / 20)
            at = (np.arange(start, stop) + 0.5) / STEP - 0.5 - first
            sound *= np.interp(at, np.arange(len(gains)), gains).astype(np.float32)
        return sound

    def _need(self, block: int) -> NDArray[np.float32]:
        """By how many dB each step of a second is above the ceiling: 1 x steps."""
        start = block * BLOCK
        sound = self._source(start - _TAPS, start + BLOCK + _TAPS) * self._gain
        if abs(sound).max() * _MOST <= self._ceiling:
            return np.zeros((1, BLOCK // STEP), np.float32)
        peaks = abs(sound[:, _TAPS : _TAPS + BLOCK])
        for weights in _WEIGHTS:
            between = sound[:, 1 : 1 + BLOCK] * weights[0]
            for place, weight in enumerate(weights[1:], 2):
                between += sound[:, place : place + BLOCK] * weight
            np.maximum(peaks, abs(between), out=peaks)
        highest = peaks.max(axis=0).reshape(-1, STEP).max(axis=1)
        over = 20 * np.log10(np.maximum(highest, self._ceiling) / self._ceiling)
        return np.asarray(over[None], np.float32)


def reduction_of(needed: NDArray[np.float32]) -> NDArray[np.float64]:
    """In dB for each step; `needed` has _BEFORE steps more in front and _AFTER behind."""
    # Between the middles of two steps the gain goes straight: both have to be low enough.
    wide = sliding_window_view(needed, 3).max(axis=1).astype(np.float64)
    rise = _RISE_DB * np.arange(len(wide))
    rising = np.maximum(np.maximum.accumulate(wide + rise) - rise, 0)
    ahead = sliding_window_view(rising, _AHEAD + 1).max(axis=1)
    return np.convolve(ahead, _RAMP, "valid")[_BEFORE - 1 - _AHEAD :]
