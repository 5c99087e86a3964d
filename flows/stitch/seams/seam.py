"""What happens to light, colour and movement where one shot follows another. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from math import hypot
from statistics import median

from flows.stitch.seams.ends import Ends
from flows.stitch.seams.match import Match, match_of
from flows.stitch.timeline import Timeline

# Levels of 255. A shot that goes on from the one before shows the same thing, so that a step is
# seen as a flicker: of luma from about 2 % on, and of colour where that is a tint.
LUMA_STEP = 5.0
COLOUR_STEP = 4.0
# A picture stands still where it changes by less than this part of what is usual in the shot; a
# shot in which nothing moves by more than the least level has no frozen frames.
_STILL = 0.15
_MOVING = 0.3
# The picture that was the shot's first image is shown once too often; it was coded twice.
_SAME = 0.5
# One picture held twice is not seen at 24 frames a second; from three on it is a stop.
FROZEN_FRAMES = 3


@dataclass(frozen=True)
class Seam:
    """`before` and `after` meet at `frame`, the film's first of `after`; `kind` is how.

    Steps are in levels of 255, from the last picture of `before` to the first of `after`:
    `luma_step` with its sign, `colour_step` the distance in Cb and Cr. `frozen` counts the
    pictures about the seam that only repeat their neighbour. `continues` says that `after` was made
    to go on from `before`. `match` is what was corrected of the steps.
    """

    before: str
    after: str
    frame: int
    kind: str
    continues: bool
    luma_step: float
    colour_step: float
    frozen: int
    match: Match | None = None

    @property
    def has_step(self) -> bool:
        """A step is a fault only where one shot goes on from the other: scenes may differ."""
        seen = abs(self.luma_step) >= LUMA_STEP or self.colour_step >= COLOUR_STEP
        return seen and self.continues and self.match is None

    @property
    def is_frozen(self) -> bool:
        return self.frozen >= FROZEN_FRAMES

    @property
    def is_notable(self) -> bool:
        return self.has_step or self.is_frozen

    @property
    def severity(self) -> float:
        """1 is the least that is notable."""
        step = max(abs(self.luma_step) / LUMA_STEP, self.colour_step / COLOUR_STEP)
        return max(self.frozen / FROZEN_FRAMES, step if self.has_step else 0.0)


def seams_of(timeline: Timeline, ends: Mapping[str, Ends], *, matched: bool = False) -> list[Seam]:
    """Every joint of two clips whose ends are known, by SHA-256; `matched` as the film was made."""
    seams = []
    for before, after in pairwise(timeline.spans):
        here, there = ends.get(before.sha256 or ""), ends.get(after.sha256 or "")
        if here is None or there is None or before.is_changed or after.is_changed:
            continue  # measured are the ends of whole clips
        y, cb, cr = (b - a for a, b in zip(here.last.mean, there.first.mean, strict=True))
        match = None
        if matched:
            match = match_of(
                here,
                there,
                begins=after.begins,
                continues=after.continues,
                num_frames=after.num_frames,
                rate=timeline.rate,
            )
        seams.append(
            Seam(
                before.name,
                after.name,
                after.start,
                after.begins.kind if after.begins else "cut",
                after.continues,
                round(y, 2),
                round(hypot(cb, cr), 2),
                _frozen(here, there, is_cut=after.begins is None),
                match,
            )
        )
    return seams


def _frozen(before: Ends, after: Ends, *, is_cut: bool) -> int:
    """Pictures that repeat the one before them: at the end, at the joint, at the beginning."""
    frozen = _repeats(before.changes_last[::-1], _usual(before))
    frozen += _repeats(after.changes_first, _usual(after))
    usual = min(_usual(before), _usual(after))
    if is_cut and usual >= _MOVING and before.last.change_to(after.first) < usual * _SAME:
        frozen += 1
    return frozen


def _usual(ends: Ends) -> float:
    """How much a picture of the shot changes, where it moves."""
    changes = [*ends.changes_first, *ends.changes_last]
    return max(median(changes), max(changes) / 2) if changes else 0.0


def _repeats(changes: Sequence[float], usual: float) -> int:
    """How many there are from the seam on."""
    if usual < _MOVING:
        return 0
    return sum(1 for _ in takewhile(lambda change: change < usual * _STILL, changes))
