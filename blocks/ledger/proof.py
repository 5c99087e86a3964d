"""What a service's own counts prove about a price, as pure rules.

A quote is our reading of a price until the service has counted a request like it. So where a run
has a budget, one request of each kind goes first and the rest waits for its count; as many more
may be in flight as counts have come; and what is set aside for the next ones is what was counted.
A wrong quote then costs one clip, not a wave of them.

A kind is a model and the inputs that drive its price.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from blocks.providers.cards.roles import MARK, NAMES

NOT_PRICED = frozenset(
    {*NAMES["prompt"], *NAMES["negative_prompt"], *NAMES["seed"], MARK, "image", "video"}
)
"""Inputs that no price depends on: words, a seed, and files as earlier versions have named them
(URLs come into the inputs later)."""

RECENT = 10
"""The newest counts of a kind: what they say is what the next one will cost."""

ABSURD = 10
"""More than so many times its quote is no other price: a unit was misread, by us or by them."""


@dataclass(frozen=True)
class Count:
    """What a service has counted for one request, beside what was quoted for it.

    An estimate of ours is none: a price that is learned from it would prove itself.
    """

    price_key: str
    quoted_usd: Decimal
    units: Decimal
    cost_usd: Decimal
    is_billed: bool

    def at(self, unit_price_usd: Decimal) -> Count:
        """What as many units cost at this price. A bill names money itself, and stays."""
        if self.is_billed:
            return self
        return replace(self, cost_usd=self.units * unit_price_usd)


class CountAwaitedError(Exception):
    """A request waits for what these attempts come to."""

    def __init__(self, attempt_ids: tuple[str, ...]) -> None:
        super().__init__(*attempt_ids)
        self.attempt_ids = attempt_ids


def price_key(inputs: Mapping[str, Any]) -> str:
    """Names the kind within its model: the inputs that drive the price, in one spelling."""
    priced = {name: value for name, value in inputs.items() if name not in NOT_PRICED}
    return json.dumps(priced, sort_keys=True, ensure_ascii=False)


def dearest(counts: Iterable[Count]) -> Count | None:
    """The count to reckon with: the service may charge as much again."""
    return max(counts, key=lambda count: count.cost_usd, default=None)


def reservation_usd(
    quoted_usd: Decimal, own: Sequence[Count], others: Sequence[Count] = ()
) -> Decimal:
    """What to set aside for a request, never less than its quote.

    `own` are counts of its kind; without any, it may exceed its quote as far as `others` of its
    model have exceeded theirs.
    """
    if counted := dearest(own):
        return max(quoted_usd, counted.cost_usd)
    return quoted_usd * max((excess(count) for count in others), default=Decimal(1))


def excess(count: Count) -> Decimal:
    """How many times its quote a request was charged; 1 where it was not above it."""
    return max(Decimal(1), count.cost_usd / count.quoted_usd) if count.quoted_usd else Decimal(1)


def room(counted: int) -> int:
    """Requests that may be in flight on the strength of so many counts."""
    return max(1, 2 * counted)


def is_absurd(quoted_usd: Decimal, counted_usd: Decimal) -> bool:
    return counted_usd > ABSURD * quoted_usd
