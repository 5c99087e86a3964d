"""Sound that is made a block at a time and read in any range."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

import numpy as np

from flows.stitch.sound.source import SAMPLE_RATE, Samples

BLOCK = SAMPLE_RATE
"""Samples: one second."""

# Enough to look a second back and a second ahead without making anything twice.
_HELD = 5


class Held:
    """The blocks that `make` makes, by their number: rows x `length`. The last few are held."""

    def __init__(self, make: Callable[[int], Samples], length: int = BLOCK) -> None:
        self._make = make
        self._length = length
        self._blocks: OrderedDict[int, Samples] = OrderedDict()

    def samples(self, start: int, stop: int) -> Samples:
        """From column `start` up to `stop`: a copy."""
        parts = []
        for number in range(start // self._length, -(-max(stop, start + 1) // self._length)):
            zero = number * self._length
            begin, end = max(start - zero, 0), min(stop - zero, self._length)
            parts.append(self._block(number)[:, begin : max(begin, end)])
        return np.concatenate(parts, axis=1)

    def _block(self, number: int) -> Samples:
        if number not in self._blocks:
            made = self._make(number)
            self._blocks[number] = made
            if len(self._blocks) > _HELD:
                self._blocks.popitem(last=False)
        return self._blocks[number]


def blocks_of(samples: Callable[[int, int], Samples], num_samples: int) -> Iterator[Samples]:
    """The whole of something, a second at a time."""
    for start in range(0, num_samples, BLOCK):
        yield samples(start, min(start + BLOCK, num_samples))
