"""What a film is put together from: clips and cards, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from blocks.media.probe import MediaInfo
from blocks.media.use import WHOLE, Use, Voice
from flows.stitch.timeline import TransitionKind

if TYPE_CHECKING:
    from flows.stitch.seams.match import Match

CardKind = Literal["title", "slate", "pending"]


@dataclass(frozen=True)
class Begin:
    """How an item is to begin, over a time that it shares with the item before it."""

    kind: TransitionKind
    duration_s: Fraction


@dataclass(frozen=True)
class Clip:
    """A clip as the store has it. `name` is how messages call it, the shot's name say; `info` is
    what `probe` found, where that is known already.

    `begins` is None for a cut. `opens` says that it is the first of its sequence: it shares no
    frame with what is before it, and a fade comes up from black. `caption` is burnt in.
    `continues` says that it was made to go on from the clip before it, `match` how its first frames
    are made to look like that one's last. `use` is what of it is seen, `voice` what is heard
    beside it, `dialogue` what is said, for those who read. `is_own` says that no model made it.
    """

    path: Path
    sha256: str
    name: str = ""
    info: MediaInfo | None = None
    begins: Begin | None = None
    opens: bool = False
    caption: str = ""
    continues: bool = False
    match: Match | None = None
    use: Use = WHOLE
    voice: Voice | None = None
    dialogue: str = ""
    is_own: bool = False

    @property
    def title(self) -> str:
        return self.name or self.path.name


@dataclass(frozen=True)
class Card:
    """A picture with words on it: a title, or the slate of a shot that has no clip.

    A slate has a shot's name as `heading`, its prompt as `text` and why it is missing as `note`.
    `pending` stands for a clip that is still being made; it is never drawn. `title_of` is the
    sequence whose title it is, empty where it is the film's or none.
    """

    kind: CardKind
    name: str
    duration_s: Fraction
    heading: str = ""
    text: str = ""
    note: str = ""
    begins: Begin | None = None
    opens: bool = False
    title_of: str = ""
    voice: Voice | None = None
    dialogue: str = ""

    @property
    def title(self) -> str:
        return self.name


Item = Clip | Card
