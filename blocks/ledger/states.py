"""The states of an attempt, as pure rules.

reserved -> posting -> submitted -> ready -> stored
   |           |           |          `-> lost      paid; the provider no longer has it
   |           |           `-> failed               charged: yes / no / unknown
   `-----------+-> released                         refused, never sent, or given up
               `-> unknown -> submitted | released | (several candidates: a person decides)

No end is for good while the provider may have the clip: what is lost or has failed is asked about
again, and a person may adopt a request for an attempt that was released.
"""

from __future__ import annotations

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
    "submitted": frozenset({"ready", "failed", "lost", "released"}),
    "ready": frozenset({"stored", "failed", "lost", "released"}),
    "stored": frozenset({"ready", "lost"}),
    "lost": frozenset({"submitted", "ready", "failed", "released"}),
    "failed": frozenset({"submitted", "ready", "failed", "released"}),
    "released": frozenset({"submitted"}),
}

ENDED: tuple[State, ...] = ("lost", "failed")
"""States whose clip the provider may yet give: they are asked about again."""

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
    """`for_s`: until silence proves that nothing was accepted; None: it never does by itself.

    `unread` says why the provider's word could not be had this time.
    """

    for_s: float | None
    unread: str = ""


Settlement = Adopt | Release | AskPerson | KeepAsking


def settle(
    findings: Findings, *, silent_s: float, quiet_s: float | None, clocks_agree: bool = True
) -> Settlement:
    """What an unknown outcome has come to.

    `findings` are of requests that no attempt has; `silent_s` is the time since the request was
    sent. A candidate that is not certain is never adopted, and never passed over. Where this
    machine's clock and the provider's do not agree, silence proves nothing.
    """
    candidates = findings.candidates
    certain = tuple(c for c in candidates if c.certain)
    if len(certain) == 1:
        return Adopt(certain[0])
    if certain:
        return AskPerson(certain)
    if findings.unread:
        left_s = None if quiet_s is None else max(quiet_s - silent_s, 1.0)
        return KeepAsking(left_s, findings.unread)
    if quiet_s is None:
        return AskPerson(candidates) if candidates else KeepAsking(None)
    if silent_s < quiet_s:
        return KeepAsking(max(quiet_s - silent_s, 1.0))
    if candidates:
        return AskPerson(candidates)
    if not clocks_agree:
        return KeepAsking(None)
    return Release(f"the provider lists no such request {silent_s:.0f} s after it was sent")
