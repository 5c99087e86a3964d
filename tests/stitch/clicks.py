"""A click track: a click with the first sample of known frames, and where clicks are heard."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .conftest import Sound
from .tones import RATE

CLICK_FRAMES = (0, 7, 23)


def clicks(rate: Fraction, num_frames: int = 24) -> Sound:
    sound = np.zeros((2, round(num_frames * RATE / rate)), np.float32)
    for frame in CLICK_FRAMES:
        sound[:, round(frame * RATE / rate)] = 0.9
    return sound


def heard_clicks(sound: Sound, threshold: float = 0.3) -> list[int]:
    """Where each click is loudest: what AAC leaves of one sample is symmetrical about it."""
    loud = abs(sound[0])
    threshold *= loud.max()
    found = []
    while loud.max() > threshold:
        found.append(int(loud.argmax()))
        loud[max(0, found[-1] - 400) : found[-1] + 400] = 0
    return sorted(found)
