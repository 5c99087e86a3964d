"""What tells a program which clip and which frame it sees: squares in the frame's lower bar."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .layers import Bytes

_ON, _OFF = 214, 48
_FRAME_BITS, _CLIP_BITS = 8, 16


def clip_code(seed: int) -> int:
    """Sixteen bits that tell clips apart."""
    return int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:2], "big")


@dataclass(frozen=True, slots=True)
class EdgeCode:
    """A row of squares at the lower right: the clip's sixteen bits, then the frame's eight."""

    width: int
    height: int
    clip: int

    @property
    def side(self) -> int:
        return max(4, min(self.width, self.height) // 90)

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the upper left corner"""
        length = (_CLIP_BITS + _FRAME_BITS) * self.side
        return (self.width - length - self.side * 2) // 2 * 2, self.height - self.side * 2

    def draw(self, picture: Bytes, index: int) -> None:
        x, y = self.corner
        word = (self.clip << _FRAME_BITS) | (index & 0xFF)
        for bit in range(_CLIP_BITS + _FRAME_BITS):
            on = word >> (_CLIP_BITS + _FRAME_BITS - 1 - bit) & 1
            left = x + bit * self.side
            picture[y : y + self.side, left : left + self.side - 1] = _ON if on else _OFF


def read_edge_code(luma: NDArray[Any]) -> tuple[int, int]:
    """(clip code, frame number modulo 256) of a decoded frame's luma plane."""
    height, width = luma.shape
    code = EdgeCode(width, height, 0)
    x, y = code.corner
    word = 0
    for bit in range(_CLIP_BITS + _FRAME_BITS):
        left = x + bit * code.side
        square = luma[y + 1 : y + code.side - 1, left + 1 : left + code.side - 2]
        word = word << 1 | int(float(square.mean()) > (_ON + _OFF) / 2)
    return word >> _FRAME_BITS, word & 0xFF
