"""Pictures that slide past each other: 4:2:0 planes, layers, scenes.

Everything is painted once, as planes; a frame is then a few multiplications of 16-bit integers,
which numpy does without holding the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint16]
Floats = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
Planes = tuple[Bytes, Bytes, Bytes]

# R'G'B' 0-255 to limited-range Y'CbCr, ITU-R BT.709.
_BT709 = np.array(
    [
        [0.18259, 0.61423, 0.06201],
        [-0.10064, -0.33857, 0.43922],
        [0.43922, -0.39894, -0.04027],
    ],
    np.float32,
)
_OFFSET = np.array([16.0, 128.0, 128.0], np.float32)


def planes(rgb: Floats) -> Planes:
    """(height, width, 3) colours 0-255, even sizes, to 4:2:0 planes."""
    luma = rgb @ _BT709[0] + _OFFSET[0]
    half = rgb[0::2, 0::2] + rgb[1::2, 0::2] + rgb[0::2, 1::2] + rgb[1::2, 1::2]
    chroma = half @ (_BT709[1:].T / 4) + _OFFSET[1:]
    return (
        np.clip(luma + 0.5, 16, 235).astype(np.uint8),
        np.clip(chroma[..., 0] + 0.5, 16, 240).astype(np.uint8),
        np.clip(chroma[..., 1] + 0.5, 16, 240).astype(np.uint8),
    )


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture wider than the frame; `at(i)` is (x in the picture, y in the frame) of frame i.

    Colours are multiplied with their opacity (0-256) beforehand.
    """

    coloured: tuple[Words, Words, Words]
    clear: tuple[Words, Words, Words]
    at: Callable[[int], tuple[int, int]]
    left: int = 0
    width: int | None = None

    def draw(self, frame: Planes, index: int) -> None:
        x, y = self.at(index)
        rows, columns = self.coloured[0].shape
        width = min(self.width or frame[0].shape[1], frame[0].shape[1] - self.left, columns)
        for plane, coloured, clear, by in zip(
            frame, self.coloured, self.clear, (1, 2, 2), strict=True
        ):
            top, start = y // by, x // by
            skip = max(0, -top)
            height = min(rows // by, plane.shape[0] - top)
            if height <= skip:
                continue
            part = np.s_[skip:height, start : start + width // by]
            target = plane[top + skip : top + height, self.left // by : (self.left + width) // by]
            mixed = target * clear[part]
            mixed += coloured[part]
            mixed >>= 8
            target[...] = mixed


@dataclass(frozen=True, slots=True)
class Scene:
    backdrop: Planes
    layers: tuple[Layer, ...]
    accent: Colour

    def draw(self, frame: Planes, index: int) -> None:
        for target, source in zip(frame, self.backdrop, strict=True):
            target[...] = source
        for layer in self.layers:
            layer.draw(frame, index)


def layer(
    rgb: Floats,
    opacity: Floats,
    at: Callable[[int], tuple[int, int]],
    left: int = 0,
    width: int | None = None,
) -> Layer:
    """`opacity` 0-1 by pixel; sizes are even."""
    coverage = (np.clip(opacity, 0, 1) * 256).astype(np.uint16)
    half = (
        coverage[0::2, 0::2] + coverage[1::2, 0::2] + coverage[0::2, 1::2] + coverage[1::2, 1::2]
    ) // 4
    luma, blue, red = planes(rgb)
    return Layer(
        (luma * coverage, blue * half, red * half),
        (256 - coverage, 256 - half, 256 - half),
        at,
        left,
        width,
    )
