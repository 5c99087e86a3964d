"""An attempt's history as phases: what it waited for, and who was at work. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Literal

from blocks.ledger import Change, State

Kind = Literal["shot", "turn", "order", "doubt", "make", "fetch"]
"""shot: waits for the shot that it goes on from · turn: waits for room at the account · order: the
request is being sent · doubt: its answer was lost, the provider is asked · make: queued or at work
at the provider, which the ledger cannot tell apart · fetch: download and check"""

KINDS: dict[State, Kind] = {
    "reserved": "turn",
    "posting": "order",
    "unknown": "doubt",
    "submitted": "make",
    "ready": "fetch",
}


@dataclass(frozen=True)
class Phase:
    kind: Kind
    begun_at: datetime
    ended_at: datetime

    @property
    def duration_s(self) -> float:
        return (self.ended_at - self.begun_at).total_seconds()


@dataclass(frozen=True)
class Took:
    """What the phases of one kind took, over all attempts that went through it."""

    kind: Kind
    attempts: int
    total_s: float
    median_s: float
    longest_s: float


def phases_of(changes: Sequence[Change], parent_here_at: datetime | None = None) -> list[Phase]:
    """From state to state; states that wait for nothing (stored, failed, …) are no phase.

    `parent_here_at` is when the clip was there that this one goes on from. A phase that has not
    ended is left out: when it will is not known.
    """
    phases: list[Phase] = []
    for change, following in pairwise(changes):
        kind = KINDS.get(change.state)
        if kind is None:
            continue
        begun_at, ended_at = change.at, following.at
        if kind == "turn" and parent_here_at and begun_at < parent_here_at:
            until = min(parent_here_at, ended_at)
            phases.append(Phase("shot", begun_at, until))
            begun_at = until
        if ended_at > begun_at:
            phases.append(Phase(kind, begun_at, ended_at))
    return phases


def took(attempts: Iterable[Sequence[Phase]]) -> list[Took]:
    """Sums by kind, in the order in which an attempt goes through them."""
    by_kind: dict[Kind, list[float]] = {}
    for phases in attempts:
        own: dict[Kind, float] = {}
        for phase in phases:
            own[phase.kind] = own.get(phase.kind, 0.0) + phase.duration_s
        for kind, duration_s in own.items():
            by_kind.setdefault(kind, []).append(duration_s)
    order: tuple[Kind, ...] = ("shot", *KINDS.values())
    return [
        Took(kind, len(found), sum(found), median(found), max(found))
        for kind in order
        if (found := by_kind.get(kind))
    ]
