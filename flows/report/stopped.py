"""What is said of a run that was stopped: what it has ordered, and what it has called off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from blocks.ledger import Attempt, Ledger
from blocks.ledger.states import UNFINISHED
from blocks.money import usd
from flows.generate.lifecycle import CALLED_OFF

AT_A_TERMINAL = "run the same command again, or `shotreel recover`"
IN_PREFECT = "press Retry in the menu of this run, or run the deployment recover"


def left_by(ledger: Ledger, since: datetime | None = None) -> str:
    """Of every run of this ledger; what was called off `since` then."""
    ended = ledger.in_states(("failed",)) if since else []
    off = [a for a in ended if a.ended_at and since and a.ended_at >= since]
    return words(ledger.in_states(UNFINISHED), off, AT_A_TERMINAL)


async def left_by_run(ledger: Ledger, fingerprints: Sequence[str]) -> str:
    held = await ledger.book(ledger.holders, fingerprints)
    left = [attempt for attempt in held.values() if attempt.state in UNFINISHED]
    return f"Stopped. {words(left, list(held.values()), IN_PREFECT)}"


def words(left: Sequence[Attempt], ended: Sequence[Attempt], remedy: str) -> str:
    off = sum(attempt.cause == CALLED_OFF for attempt in ended)
    said = []
    if off:
        said.append(f"{off} clip{'s were' if off > 1 else ' was'} called off, and cost nothing.")
    if left:
        cost_usd = sum((attempt.cost_quoted_usd for attempt in left), Decimal(0))
        what = f"{len(left)} clip{'s' if len(left) > 1 else ''} ({usd(cost_usd)})"
        are, they = ("are", "They are") if len(left) > 1 else ("is", "It is")
        said.append(f"{what} {are} ordered and not here yet. {they} not lost: {remedy}.")
    return " ".join(said) or "Nothing that was bought is missing."
