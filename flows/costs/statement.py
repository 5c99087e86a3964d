"""The accounts of one film: what it has cost, what was saved, what was paid in vain, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import func, select

from blocks.ledger import Ledger
from blocks.ledger.tables import attempts, charges, runs
from flows.costs.bill import By, Item, Total, total, totals_by
from flows.costs.variance import Why
from flows.planning.plan import Line

Wasted = Literal["failed, and charged", "lost, and charged", "given up", "superseded"]
"""given up: released by a person after it was charged · superseded: the list has since asked for
another clip in its place"""


@dataclass(frozen=True)
class Paid:
    """An attempt that money was charged for, in any run of this film."""

    sequence: str
    shot: str
    take: int
    fingerprint: str
    state: str
    request_id: str
    cost_usd: Decimal


@dataclass(frozen=True)
class InVain:
    """Money that no clip of the film has come of. `in_bill`: the bill's total holds it too."""

    name: str
    request_id: str
    cost_usd: Decimal
    why: Wasted
    in_bill: bool


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
    """`cost_usd` is the bill's total: what the clips of the list have cost in all runs.

    `estimate_usd` is what they were quoted at; `saved_usd` what the clips that did not have to be
    bought in this run would have cost at today's prices.
    """

    film: str
    items: tuple[Item, ...]
    units: Decimal
    cost_usd: Decimal
    estimate_usd: Decimal
    saved_usd: Decimal
    in_vain: tuple[InVain, ...]
    differences: tuple[Difference, ...]

    @property
    def in_vain_usd(self) -> Decimal:
        return sum((vain.cost_usd for vain in self.in_vain), Decimal(0))

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

    def by(self, by: By) -> list[Total]:
        """Units and USD by shot, take, sequence, film, model, account, run or month."""
        return totals_by(self.items, by)

    def differences_by_reason(self) -> Mapping[Why, Decimal]:
        sums: dict[Why, Decimal] = {}
        for each in self.differences:
            sums[each.why] = sums.get(each.why, Decimal(0)) + each.difference_usd
        return sums


def state_accounts(
    film: str, lines: Sequence[Line], items: Sequence[Item], paid: Iterable[Paid]
) -> Statement:
    """The statement of a list's bill. `items` are its lines, in the order of `lines`."""
    units, cost_usd = total(items)
    had = (line.quote.cost_usd for line in lines if line.need in ("stored", "bought", "shared"))
    estimated = [item for item in items if item.source != "shared" and item.why != "not bought"]
    return Statement(
        film=film,
        items=tuple(items),
        units=units,
        cost_usd=cost_usd,
        estimate_usd=sum((item.estimate_usd for item in estimated), Decimal(0)),
        saved_usd=sum(had, Decimal(0)),
        in_vain=tuple(wasted(items, paid)),
        differences=tuple(
            Difference(item.name, item.request_id, item.estimate_usd, item.cost_usd, item.why)
            for item in estimated
            if item.cost_usd != item.estimate_usd
        ),
    )


ENDED_BADLY: Mapping[str, Wasted] = {
    "failed": "failed, and charged",
    "lost": "lost, and charged",
    "released": "given up",
}


def wasted(items: Sequence[Item], paid: Iterable[Paid]) -> Iterable[InVain]:
    """Charged, and not in the film. A clip of another shot or film that is paid for is no waste."""
    wanted = {(item.sequence, item.shot, item.take) for item in items}
    current = {item.fingerprint for item in items}
    billed = {item.request_id for item in items if item.cost_usd}
    for each in paid:
        if (each.sequence, each.shot, each.take) not in wanted or each.cost_usd <= 0:
            continue
        ended = ENDED_BADLY.get(each.state)
        if ended is None and each.fingerprint in current:
            continue
        name = f"{each.sequence}/{each.shot}.t{each.take}"
        in_bill = each.request_id in billed
        yield InVain(name, each.request_id, each.cost_usd, ended or "superseded", in_bill)


def paid_for(ledger: Ledger, film: str, services: Iterable[str]) -> list[Paid]:
    """Every attempt that was charged in a run of this film (a list is known by its name)."""
    query = (
        select(
            attempts.c.sequence,
            attempts.c.shot,
            attempts.c.take,
            attempts.c.fingerprint,
            attempts.c.state,
            attempts.c.request_id,
            func.sum(charges.c.cost_usd),
        )
        .join(charges, charges.c.attempt_id == attempts.c.id)
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(runs.c.name == film, attempts.c.service.in_(sorted(services)))
        .group_by(attempts.c.id)
        .order_by(attempts.c.created_at)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execute(query).all()
    return [
        Paid(sequence, shot, take, fingerprint, state, request_id or "", cost_usd)
        for sequence, shot, take, fingerprint, state, request_id, cost_usd in rows
    ]


def film_of(ledger: Ledger, run_id: str) -> str:
    """The name of the list that a run makes."""
    with ledger.engine.connect() as connection:
        name = connection.execute(select(runs.c.name).where(runs.c.id == run_id)).scalar()
    return name or ""
