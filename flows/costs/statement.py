"""The accounts of one film: what it cost, what of it is not in the film, what was saved, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from flows.costs.bill import By, Item, Total, frame_of, total, totals_by, units_of
from flows.costs.variance import Why
from flows.planning.plan import Line

if TYPE_CHECKING:
    import pandas as pd

REASONS = {
    "superseded": "superseded: the list has since asked for another clip in its place",
    "dropped": "dropped: the list no longer has it",
    "still": "the still that its clip begins with",
    "out": "marked as out of the film",
    "other take": "another take is in the film",
    "failed": "no clip: it failed, and was charged",
    "lost": "no clip: it was lost, and charged",
    "released": "no clip: it was given up after it was charged",
}
ON_ITS_WAY = "not in the film yet"


@dataclass(frozen=True)
class Difference:
    """A clip that costs something else than was estimated."""

    name: str
    request_id: str
    estimate_usd: Decimal
    cost_usd: Decimal
    why: Why

    @property
    def difference_usd(self) -> Decimal:
        return self.cost_usd - self.estimate_usd


@dataclass(frozen=True)
class Statement:
    """`items` are the bill: of each take of the list, `num_takes` of them, then the others.

    `cost_usd` is what the film has cost in all its runs, `estimate_usd` what that was quoted at;
    `saved_usd` what the clips that did not have to be bought in this run would cost today.
    """

    film: str
    items: tuple[Item, ...]
    num_takes: int
    saved_usd: Decimal
    differences: tuple[Difference, ...]

    @property
    def takes(self) -> tuple[Item, ...]:
        """Those of the list, in its order."""
        return self.items[: self.num_takes]

    @property
    def besides(self) -> tuple[Item, ...]:
        """What was charged for clips that the list no longer asks for."""
        return self.items[self.num_takes :]

    @property
    def not_in_film(self) -> tuple[Item, ...]:
        return tuple(i for i in self.items if i.in_film != "yes" and i.cost_usd)

    @property
    def units(self) -> Decimal:
        return total(self.items)[0]

    @property
    def units_of(self) -> Mapping[str, Decimal]:
        """By provider."""
        return units_of(self.items)

    @property
    def cost_usd(self) -> Decimal:
        return total(self.items)[1]

    @property
    def estimate_usd(self) -> Decimal:
        bought = (item.estimate_usd for item in self.items if item.why != "not bought")
        return sum(bought, Decimal(0))

    @property
    def not_billed_usd(self) -> Decimal:
        """What of the cost is an estimate still."""
        waiting = (item.cost_usd for item in self.items if item.why == "not billed yet")
        return sum(waiting, Decimal(0))

    @property
    def awaited_usd(self) -> Decimal:
        """The estimate of what may be charged and of which no cost is known yet."""
        waiting = (i for i in self.items if i.why == "not billed yet" and not i.source)
        return sum((item.estimate_usd for item in waiting), Decimal(0))

    @cached_property
    def frame(self) -> pd.DataFrame:
        return frame_of(self.items)

    def by(self, by: By) -> list[Total]:
        """Units and USD by shot, take, sequence, film, model, account, run or month."""
        return totals_by(self.frame, by)

    def spent_in(self, run_id: str) -> Decimal:
        """What of the cost was charged for requests of one run."""
        return total([item for item in self.items if item.run_id == run_id])[1]

    def not_in_film_by_reason(self) -> Mapping[str, Decimal]:
        """USD by the word of `Item.in_film`."""
        sums: dict[str, Decimal] = {}
        for item in self.not_in_film:
            sums[item.in_film] = sums.get(item.in_film, Decimal(0)) + item.cost_usd
        return sums


def state_accounts(film: str, lines: Sequence[Line], items: Sequence[Item]) -> Statement:
    """The statement of a film's bill. The first items are those of `lines`, in their order."""
    had = (line.quote.cost_usd for line in lines if line.need in ("stored", "bought", "shared"))
    return Statement(
        film=film,
        items=tuple(items),
        num_takes=len(lines),
        saved_usd=sum(had, Decimal(0)),
        differences=tuple(
            Difference(item.name, item.request_id, item.estimate_usd, item.cost_usd, item.why)
            for item in items
            if item.source != "shared"
            and item.why != "not bought"
            and item.cost_usd != item.estimate_usd
        ),
    )


def reason_of(item: Item) -> str:
    """Why what was paid for it is not in the film."""
    if item.in_film == "no clip":
        return REASONS.get(item.state, ON_ITS_WAY)
    return REASONS[item.in_film]
