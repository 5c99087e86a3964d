"""Why a request costs something else than was estimated."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from blocks.errors import Paid
from blocks.ledger import Attempt, Cost
from blocks.ledger.states import State
from blocks.money import in_nano

UNSENT: tuple[State, ...] = ("reserved", "released")

Why = Literal[
    "",
    "not bought",
    "not billed yet",
    "not charged",
    "refund",
    "price changed",
    "other units",
    "other units, price changed",
]
"""not bought: nothing was sent, or it was given up for free · not billed yet: it may be charged,
and the estimate stands until the provider counts · not charged: it failed for free · refund:
delivered or deducted, and given back · price changed: a unit costs another amount than quoted ·
other units: the provider counted others than the price rule · empty: as estimated"""


def why(attempt: Attempt | None, cost: Cost | None) -> Why:
    """What stands between an attempt's quote and what it has cost so far."""
    if attempt is None:
        return "not bought"
    return reason(
        state=attempt.state,
        charged=attempt.charged,
        units_quoted=attempt.units_quoted,
        unit_price_usd=attempt.unit_price_usd,
        cost=cost,
    )


def reason(
    *,
    state: str,
    charged: Paid | None,
    units_quoted: Decimal,
    unit_price_usd: Decimal,
    cost: Cost | None,
) -> Why:
    if cost is None or cost.source == "estimate":
        return _unbilled(state, charged, counted=cost is not None)
    if cost.source == "no_price":
        return ""
    as_priced = in_nano(cost.units * unit_price_usd)
    other_units, other_price = cost.units != units_quoted, cost.cost_usd != as_priced
    if cost.cost_usd == 0 and unit_price_usd:
        return "not charged" if state in ("failed", "released") else "refund"
    if other_units:
        return "other units, price changed" if other_price else "other units"
    return "price changed" if other_price else ""


def _unbilled(state: str, charged: Paid | None, *, counted: bool) -> Why:
    if counted:
        return "not billed yet"
    if state == "failed" and charged == "no":
        return "not charged"
    # Whatever may have been sent may be charged, though nobody knows the amount.
    return "not bought" if state in UNSENT else "not billed yet"
