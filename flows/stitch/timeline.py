"""Where each shot stands in a film: what sound, seams, hand-over and pages go by. Pure.

Times are frames at the film's rate. Two spans overlap where one passes into the next:

    shot 1  |==============|
    shot 2            |==============|      begins with a transition of 4 frames
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

from blocks.media.use import Voice

TransitionKind = Literal["dissolve", "fade", "wipe", "slide"]


@dataclass(frozen=True)
class Transition:
    """How a span begins: `num_frames` are shared with the span before it; a cut is None."""

    kind: TransitionKind
    num_frames: int


@dataclass(frozen=True)
class Span:
    """A shot or a card in the film: seen in `num_frames` frames from `start` on.

    `name` is "sequence/shot", or what the card is; `clip` and `sha256` are None for a card.
    `clip_start` is the first frame of the clip that is seen, `clip_frames` how many it has, both
    at the film's rate. `continues` says that it was made to go on from the shot before it;
    `from_black` is how many of its frames come up from black, where it shares none. `title_of` is
    the sequence that a card is the title of.

    Of the clip the seconds from `in_s` up to `out_s` are used, `speed` times as quick, below 0
    backwards; `still` frames at the end show its last picture. `is_changed` says that frames at
    its ends are not the clip's own. `voice` is heard from it on, `dialogue` is said in it.
    """

    name: str
    start: int
    num_frames: int
    clip: Path | None = None
    sha256: str | None = None
    clip_start: int = 0
    clip_frames: int = 0
    has_audio: bool = False
    begins: Transition | None = None
    continues: bool = False
    from_black: int = 0
    title_of: str = ""
    in_s: Fraction = Fraction(0)
    out_s: Fraction | None = None
    speed: Fraction = Fraction(1)
    still: int = 0
    is_changed: bool = False
    voice: Voice | None = None
    dialogue: str = ""

    @property
    def end(self) -> int:
        """The first frame in which it is not seen any more."""
        return self.start + self.num_frames


@dataclass(frozen=True)
class Timeline:
    """`rate` is frames per second; spans are in the film's order."""

    rate: Fraction
    width: int
    height: int
    spans: tuple[Span, ...]

    @property
    def num_frames(self) -> int:
        return max((span.end for span in self.spans), default=0)


def cuts(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """From and up to which frame each span has the film to itself; what two share is halved."""
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    for index, (early, late) in enumerate(pairwise(spans)):
        if late.start < early.end:
            ends[index] = starts[index + 1] = (late.start + early.end) // 2
    return list(zip(starts, ends, strict=True))
