"""Tones, and how loud each is in what is heard."""

from __future__ import annotations

import numpy as np

from flows.stitch.sound import SAMPLE_RATE

from .conftest import Sound

RATE = SAMPLE_RATE


def tone(hertz: int, duration_s: float, level: float = 0.25) -> Sound:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(duration_s * RATE)) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def level_of(sound: Sound, hertz: int) -> float:
    """The amplitude of one tone, by the left channel."""
    turn = np.exp(-2j * np.pi * hertz * np.arange(sound.shape[1]) / RATE)
    window = np.hanning(sound.shape[1])
    return float(2 * abs((sound[0] * turn * window).sum()) / window.sum())
