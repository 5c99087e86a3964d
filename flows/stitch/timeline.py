"""Where each shot stands in a film: what sound, seams, hand-over and pages go by. Pure.

Times are frames at the film's rate. Two spans overlap where one passes into the next:

    shot 1  |==============|
    shot 2            |==============|      begins with a transition of 4 frames
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

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
