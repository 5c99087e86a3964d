"""What of a clip is used in the film, and what is heard and said beside it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path

from blocks.media.effects import Effect

Moment = Fraction | int
"""Seconds of the clip, or the number of one of its frames."""


@dataclass(frozen=True)
class Use:
    """The frames from `begins` up to `ends` (None: to the clip's end), `speed` times as quick.

    A speed below 0 is backwards. In the end the last frame stands for `freeze_s`.
    """

    begins: Moment = 0
    ends: Moment | None = None
    speed: Fraction = Fraction(1)
    freeze_s: Fraction = Fraction(0)
    effects: tuple[Effect, ...] = ()

    @property
    def keeps_frames(self) -> bool:
        """Whether the frames that are used are shown as they are, one after another."""
        return self.speed == 1 and not self.effects

    def frames(self, num_frames: int, rate: Fraction) -> range:
        """Which of a clip's frames: at least one, and none that it does not have."""
        stop = num_frames if self.ends is None else min(_frame_at(self.ends, rate), num_frames)
        start = min(_frame_at(self.begins, rate), num_frames - 1)
        return range(start, max(start + 1, stop))

    def is_beyond(self, num_frames: int, rate: Fraction) -> bool:
        """Whether a clip of so many frames has not all that is to be used."""
        ends = num_frames if self.ends is None else _frame_at(self.ends, rate)
        return ends > num_frames or _frame_at(self.begins, rate) >= num_frames

    def seen_s(self, num_frames: int, rate: Fraction) -> Fraction:
        """How long it lasts, of a clip of so many frames."""
        moving_s = len(self.frames(num_frames, rate)) / rate / abs(self.speed)
        return moving_s + self.freeze_s


WHOLE = Use()


@dataclass(frozen=True)
class Voice:
    """A sound file that begins `at_s` after its shot's first frame, heard to its own end."""

    path: Path
    sha256: str
    duration_s: Fraction
    gain_db: float = 0.0
    at_s: Fraction = Fraction(0)


def _frame_at(moment: Moment, rate: Fraction) -> int:
    """The frame nearest to it."""
    return moment if isinstance(moment, int) else floor(moment * rate + Fraction(1, 2))
