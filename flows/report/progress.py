"""The state of every clip of a run, as it changes: what every view of its progress reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import Protocol

from flows.planning.plan import Plan
from flows.run.context import Phase

WORDS = {
    "reserved": "waiting for its turn",
    "posting": "being ordered",
    "unknown": "asking what became of it",
    "submitted": "at the provider",
    "ready": "being fetched",
    "stored": "here",
}
FINISHED = frozenset({"stored", "failed"})
PHASES: dict[Phase, str] = {
    "reading": "reading the shot list",
    "planning": "planning",
    "generating": "making clips",
    "stitching": "stitching the film",
    "done": "done",
}
DRAWN = "putting the film together"
MAX_NAMED = 3


@dataclass
class Row:
    """One clip. `cost_usd` counts towards `spent_usd` only where this run bought it; `ordered` says
    that it was, whatever has become of it."""

    name: str
    state: str
    note: str
    cost_usd: Decimal
    bought_here: bool
    begun_s: float | None = None
    ended_s: float | None = None
    ordered: bool = False

    @property
    def words(self) -> str:
        return self.note or WORDS.get(self.state, self.state)


class View(Protocol):
    """Shows a board. `changed` is called after every change, and must be quick."""

    def changed(self, progress: Progress, fingerprint: str | None) -> None: ...


@dataclass
class Progress:
    """Gives each clip's state, the spend so far, and the time left."""

    view: View | None = None
    phase: Phase = "reading"
    rows: dict[str, Row] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    drawing: dict[str, float] = field(default_factory=dict)
    """What is being drawn, and since when."""
    _pieces: int = 0
    _drawn: set[str] = field(default_factory=set)
    _share: float = 0.0
    _done_s: list[float] = field(default_factory=list)
    _began_s: float = field(default_factory=monotonic)
    _started_s: float = 0.0

    def plan(self, plan: Plan, *, stitches: bool = False) -> None:
        self.phase = "generating"
        self._started_s = monotonic()
        for line in plan.lines:
            if line.need in ("shared", "out") or line.job.fingerprint in self.rows:
                continue
            here = line.need == "stored"
            self.rows[line.job.fingerprint] = Row(
                line.job.name,
                "stored" if here else "reserved",
                "from the store" if here else "",
                line.cost_usd,
                line.need == "buy",
            )
        if stitches:  # each sequence, and the film
            self._pieces = len({line.job.shot.sequence for line in plan.lines}) + 1
        self._tell(None)

    def begins(self, what: str) -> None:
        """It is being drawn: a sequence, or the film."""
        self.drawing[what] = monotonic()
        self._tell(None)

    def ends(self, what: str) -> None:
        self.drawing.pop(what, None)
        self._drawn.add(what)
        self._tell(None)

    def state(self, fingerprint: str, state: str, note: str = "") -> None:
        row = self.rows.get(fingerprint)
        if row is None or (row.state, row.note) == (state, note):
            return
        now = monotonic()
        row.ordered |= state in ("submitted", "ready", "stored")
        if row.begun_s is None and state in ("posting", "submitted"):
            row.begun_s = now
        if row.state not in FINISHED and state in FINISHED:
            row.ended_s = now
            self._done_s.append(now)
        row.state, row.note = state, note
        self._tell(fingerprint)

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self._tell(None)

    def say(self, message: str) -> None:
        self.messages.append(message)
        self._tell(None)

    @property
    def spent_usd(self) -> Decimal:
        """Ordered by this run, whatever has come of it: it never falls."""
        bought = (row for row in self.rows.values() if row.bought_here and row.ordered)
        return sum((row.cost_usd for row in bought), Decimal(0))

    @property
    def elapsed_s(self) -> float:
        return monotonic() - self._began_s

    @property
    def share(self) -> float:
        """How much of the work is done, from 0 to 1: clips, and what is drawn of them. A clip that
        is ordered anew takes nothing back."""
        done = sum(row.state in FINISHED for row in self.rows.values()) + len(self._drawn)
        work = len(self.rows) + self._pieces
        now = 1.0 if self.phase == "done" else done / work if work else 0.0
        self._share = min(1.0, max(self._share, now))
        return self._share

    @property
    def is_drawing(self) -> bool:
        """Every clip has come, or will not: what is left is to draw."""
        return self.phase in ("generating", "stitching") and not self.unfinished()

    @property
    def doing(self) -> str:
        """What the run is at, in words."""
        if self.is_drawing:
            what = ", ".join(list(self.drawing)[:MAX_NAMED])
            more = len(self.drawing) - MAX_NAMED
            return f"drawing {what}{f' and {more} more' if more > 0 else ''}" if what else DRAWN
        return PHASES[self.phase]

    @property
    def counts(self) -> Counter[str]:
        return Counter(row.state for row in self.rows.values())

    @property
    def left_s(self) -> float | None:
        """Seconds until the last clip, at the pace so far; None before there is a pace."""
        left = sum(row.state not in FINISHED for row in self.rows.values())
        if not left:
            return 0.0
        if len(self._done_s) < 2:
            return None
        pace = (self._done_s[-1] - self._started_s) / len(self._done_s)
        return max(0.0, pace * left - (monotonic() - self._done_s[-1]))

    def unfinished(self) -> Sequence[Row]:
        return [row for row in self.rows.values() if row.state not in FINISHED]

    def _tell(self, fingerprint: str | None) -> None:
        if self.view:
            self.view.changed(self, fingerprint)
