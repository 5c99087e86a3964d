"""The state of every clip of a run, as it changes: what every view of its progress reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import Literal, Protocol

from flows.planning.plan import Plan

Phase = Literal["reading", "planning", "generating", "stitching", "done"]

WORDS = {
    "reserved": "waiting for its turn",
    "posting": "being ordered",
    "unknown": "asking what became of it",
    "submitted": "at the provider",
    "ready": "being fetched",
    "stored": "here",
}
FINISHED = frozenset({"stored", "failed"})


@dataclass
class Row:
    """One clip. `cost_usd` counts towards `spent_usd` only where this run bought it."""

    name: str
    state: str
    note: str
    cost_usd: Decimal
    bought_here: bool
    begun_s: float | None = None
    ended_s: float | None = None

    @property
    def words(self) -> str:
        return self.note or WORDS.get(self.state, self.state)


class View(Protocol):
    """Shows a board. `changed` is called after every change, and must be quick."""

    def changed(self, board: Progress, fingerprint: str | None) -> None: ...


@dataclass
class Progress:
    """Gives each clip's state, the spend so far, and the time left."""

    view: View | None = None
    phase: Phase = "reading"
    rows: dict[str, Row] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    _done_s: list[float] = field(default_factory=list)
    _started_s: float = 0.0

    def plan(self, plan: Plan) -> None:
        self.phase = "generating"
        self._started_s = monotonic()
        for line in plan.lines:
            if line.need == "shared" or line.job.fingerprint in self.rows:
                continue
            here = line.need == "stored"
            self.rows[line.job.fingerprint] = Row(
                line.job.name,
                "stored" if here else "reserved",
                "from the store" if here else "",
                line.cost_usd,
                line.need == "buy",
            )
        self._tell(None)

    def state(self, fingerprint: str, state: str, note: str = "") -> None:
        row = self.rows.get(fingerprint)
        if row is None or (row.state, row.note) == (state, note):
            return
        now = monotonic()
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
        """Ordered by this run: what is at the provider, and what came of it."""
        ordered = ("submitted", "ready", "stored")
        bought = (r for r in self.rows.values() if r.bought_here and r.state in ordered)
        return sum((row.cost_usd for row in bought), Decimal(0))

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


view: ContextVar[View | None] = ContextVar("view", default=None)
"""Set by the command line before it calls the flow."""
