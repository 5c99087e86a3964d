"""The states of an attempt, as pure rules.

reserved -> posting -> submitted -> ready -> stored
   |           |           |          `-> lost      paid; the provider no longer has it
   |           |           `-> failed               charged: yes / no / unknown
   `-----------+-> released                         refused, never sent, or given up
               `-> unknown -> submitted | released | (several candidates: a person decides)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from blocks.errors import Paid
from blocks.providers.base import Findings, Found

State = Literal[
    "reserved",
    "posting",
    "unknown",
    "submitted",
    "ready",
    "stored",
    "lost",
    "failed",
    "released",
]

NEXT: dict[State, frozenset[State]] = {
    "reserved": frozenset({"posting", "released"}),
    # A refusal with "try again" puts the attempt back: nothing was accepted.
    "posting": frozenset({"submitted", "unknown", "released", "reserved"}),
    "unknown": frozenset({"submitted", "released"}),
    # A completed job whose process died is seen ready, or stored, by the next one.
    "submitted": frozenset({"ready", "failed", "lost"}),
    "ready": frozenset({"stored", "lost"}),
    "stored": frozenset({"ready", "lost"}),
    "lost": frozenset({"ready", "released"}),
    "failed": frozenset({"failed", "released"}),
    "released": frozenset(),
}

OCCUPYING: tuple[State, ...] = ("posting", "unknown", "submitted")
"""States in which the provider may be at work on the attempt: what an account's limit counts."""

UNFINISHED: tuple[State, ...] = (*OCCUPYING, "ready")
"""States of what may have been bought, and whose clip is not here yet."""

OPEN: tuple[State, ...] = ("reserved", *OCCUPYING)
"""States in which the quoted cost is set aside, since no charge is known yet."""


def holds(state: State, charged: Paid | None) -> bool:
    """Whether the attempt keeps its fingerprint from being bought again."""
    if state == "failed":
        return charged != "no"
    return state != "released"


@dataclass(frozen=True)
class Adopt:
    found: Found


@dataclass(frozen=True)
class Release:
    cause: str


@dataclass(frozen=True)
class AskPerson:
    candidates: tuple[Found, ...]


@dataclass(frozen=True)
class KeepAsking:
    """`for_s`: until silence proves that nothing was accepted; None: it never does by itself."""

    for_s: float | None


Settlement = Adopt | Release | AskPerson | KeepAsking


def settle(
    findings: Findings,
    known: Sequence[str],
    *,
    silent_s: float,
    quiet_s: float | None,
    rivals: int = 0,
) -> Settlement:
    """What an unknown outcome has come to.

    `known` are request ids that the ledger already has; `silent_s` the time since the request was
    sent; `rivals` other unknown attempts that the same candidates could belong to.
    """
    candidates = tuple(c for c in findings.candidates if c.ticket.request_id not in known)
    certain = tuple(c for c in candidates if c.certain)
    if len(certain) == 1 and rivals == 0:
        return Adopt(certain[0])
    if certain:
        return AskPerson(certain)
    if quiet_s is None:
        return AskPerson(candidates) if candidates else KeepAsking(None)
    if silent_s < quiet_s or not findings.complete:
        return KeepAsking(max(quiet_s - silent_s, 1.0))
    if candidates:
        return AskPerson(candidates)
    return Release(f"the provider lists no such request {silent_s:.0f} s after it was sent")
