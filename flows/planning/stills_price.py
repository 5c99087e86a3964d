"""What is spent before a person has seen a picture, beside what the list costs."""

from __future__ import annotations

from decimal import Decimal

from blocks.money import usd
from flows.planning.plan import Line, Plan

MOST = Decimal("0.05")
"""Stills are for seeing before paying: with dearer ones that is no longer so."""


def stills_usd(plan: Plan) -> Decimal:
    return sum((line.cost_usd for line in plan.stills), Decimal(0))


def share_of_stills(plan: Plan) -> Decimal | None:
    """Of the price of stills and the clips that begin with them, what the stills are, from 0 to 1.

    None where no clip waits, or the stills are here already: nothing is spent before it is seen.
    """
    first_usd = stills_usd(plan)
    clips_usd = sum((x.quote.cost_usd for x in plan.lines if begins_with_still(x)), Decimal(0))
    return first_usd / (first_usd + clips_usd) if first_usd and plan.waits_usd else None


def begins_with_still(line: Line) -> bool:
    previous = line.job.previous
    return line.need in ("waits", "buy") and previous is not None and previous.is_still


def stills_words(plan: Plan) -> str:
    """How much of the price is spent before the first approval; empty where nothing is."""
    share = share_of_stills(plan)
    if share is None:
        return ""
    said = f"Spent before an approval: {usd(stills_usd(plan))}, {share:.1%} of stills and clips"
    if share <= MOST:
        return f"{said}."
    return f"{said}, which is more than {MOST:.0%}: a cheaper image_model or smaller pictures help."
