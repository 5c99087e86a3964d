"""Clips whose frames and sound tell who they are: `media/` has four of 4 s at 24 frames a second.

On top of each picture are 16 blocks, black or white: 6 bits of the clip, 9 of the frame, 1 of
parity. At the bottom are six colours. 60 ms of a tone begin with the frames BEEPS; else is silence.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .conftest import Pictures, Sound
from .tones import RATE

MEDIA = Path(__file__).parent / "media"
SDR, PQ, BT2020 = (MEDIA / f"{name}.mp4" for name in ("numbered", "pq", "bt2020sdr"))
# Its first video stream is a cover picture.
COVERED = MEDIA / "covered.mp4"

PATCHES = [(200, 40, 40), (40, 180, 40), (40, 40, 200), (128, 128, 128), (235, 235, 235)]
PATCHES += [(200, 170, 60)]
BEEPS_S = (1.0, 3.0)

Picture = NDArray[np.uint8]


def numbered(clip: int, frame: int, width: int = 640, height: int = 360) -> Picture:
    """The picture that `number_of` and `patches_of` read: rows x columns x RGB."""
    picture = np.full((height, width, 3), (70, 70, 110), np.uint8)
    picture[..., 0] = 40 + (np.arange(width) * 255 // width + frame * 3) % 256 // 4
    bits = (clip & 63) << 9 | (frame & 511)
    bits = bits << 1 | bits.bit_count() & 1
    stripe = height // 6
    for block in range(16):
        columns = slice(block * width // 16, (block + 1) * width // 16)
        picture[:stripe, columns] = 235 if bits >> (15 - block) & 1 else 16
    for patch, colour in enumerate(PATCHES):
        picture[height - stripe :, patch * width // 6 : (patch + 1) * width // 6] = colour
    return picture


def number_of(picture: Picture) -> tuple[int, int] | None:
    """(clip, frame); None where no number can be read."""
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture
    height, width = grey.shape
    row, bits = height // 12, 0
    for block in range(16):
        column = (2 * block + 1) * width // 32
        bits = bits << 1 | int(grey[row - 3 : row + 3, column - 3 : column + 3].mean() > 110)
    if (bits >> 1).bit_count() & 1 != bits & 1:
        return None
    return bits >> 10, bits >> 1 & 511


def numbers_of(pictures: Pictures) -> list[int | None]:
    """The number of each frame."""
    found = [number_of(picture) for picture in pictures]
    return [number and number[1] for number in found]


def patches_of(picture: Picture) -> NDArray[np.float64]:
    """6 x RGB."""
    height, width, _ = picture.shape
    rows = picture[height - height // 10 : height - height // 20]
    columns = ((2 * patch + 1) * width // 12 for patch in range(6))
    return np.array([rows[:, at - 8 : at + 8].reshape(-1, 3).mean(axis=0) for at in columns])


def beeps_s(sound: Sound, level: float = 0.1) -> list[float]:
    """When each tone begins that follows a tenth of a second of silence."""
    loud = np.flatnonzero(abs(sound[0]) > level)
    if not loud.size:
        return []
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE / 10)]
    return [float(start / RATE) for start in starts]
