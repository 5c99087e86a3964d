"""A shot: what one row of a shot list orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from blocks.media.use import WHOLE, Use, Voice
from blocks.providers.model import FileName, Model, Value


@dataclass(frozen=True, slots=True)
class Shot:
    """`row` is the row that a spreadsheet shows (the header is row 1).

    `inputs` holds every input that the list or the model's defaults set, by the provider's names,
    without the seed and files; it is not to be changed. `seed` is None where it is left open.
    `files` are by the place in the inputs where their URL goes: `@previous`, an http(s) URL or an
    absolute path. `or_else` is the same shot of the next model,
    where the list names alternatives.

    `transition` is how the shot begins, over `transition_s` shared with the shot before it in its
    sequence; 0 for a cut. `sequence_title` is what a card before its sequence says, at one of the
    sequence's shots or more. `own` are the list's own columns (x_...), as they stand there. `use`
    is what of its clip is in the film, `voice` what is heard beside it, `dialogue` what is said in
    it; nothing of them is bought. `take` is the one of its takes that is in the film. `twin` tells
    it from rows before it that ask for the very same and leave the seed open, 1 for the first.
    """

    row: int
    sequence: str
    shot: str
    made_by: Model
    inputs: Mapping[str, Value]
    seed: int | None
    takes: int
    transition: str
    transition_s: Decimal
    notes: str
    files: Mapping[str, FileName] = field(default_factory=dict)
    or_else: Shot | None = None
    max_usd: Decimal | None = None
    """The most that one clip of it may cost."""
    caption: str = ""
    sequence_title: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    use: Use = WHOLE
    voice: Voice | None = None
    dialogue: str = ""
    take: int = 1
    twin: int = 1
    is_out: bool = False
    """Marked as out of the film: its clip is kept, and none is bought."""
    still: Shot | None = None
    """What makes the picture that its clip begins with; its takes are pictures."""
    approved: str = ""
    """How the fingerprint of the still begins that a person has approved."""

    @property
    def name(self) -> str:
        """What messages and the film's timeline call it."""
        return f"{self.sequence}/{self.shot}"

    @property
    def duration_s(self) -> Fraction:
        """How long its clip is expected to be."""
        return self.made_by.clip_frames(self.inputs) / self.made_by.clip_rate(self.inputs)

    @property
    def seen_s(self) -> Fraction:
        """How long it is expected to be seen."""
        rate = self.made_by.clip_rate(self.inputs)
        return self.use.seen_s(int(self.duration_s * rate), rate)

    @property
    def model(self) -> str:
        """What the list calls it."""
        return self.made_by.name

    @property
    def alternatives(self) -> Iterator[Shot]:
        """The shot itself, and what the list names in its place."""
        yield self
        if self.or_else:
            yield from self.or_else.alternatives
