"""The bill of one list: what each of its shots has cost, from the ledger's charges."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Literal, Protocol, TypeVar

from blocks.ledger import Attempt, Cost, Ledger
from blocks.money import plain
from flows.costs.variance import Why, why
from flows.planning.plan import Line

By = Literal["shot", "sequence", "model", "run", "take", "film", "account", "month"]


@dataclass(frozen=True)
class Item:
    """One line of the bill. `source` says who counted: estimate, provider or billing_feed.

    `estimate_usd` is what it was quoted at, `why` the reason where it costs something else.
    `month` (UTC) is that of its end, empty before.
    """

    sequence: str
    shot: str
    take: int
    model: str
    state: str
    request_id: str
    run_id: str
    units: Decimal
    cost_usd: Decimal
    source: str
    film: str
    account: str
    month: str
    fingerprint: str
    estimate_usd: Decimal
    why: Why

    @property
    def name(self) -> str:
        return f"{self.sequence}/{self.shot}.t{self.take}"


@dataclass(frozen=True)
class Total:
    key: str
    units: Decimal
    cost_usd: Decimal
    attempts: int


def bill_of(ledger: Ledger, lines: Sequence[Line], film: str = "") -> list[Item]:
    """A line for every take of every shot, in list order; a shared clip costs once."""
    held = ledger.holders(list({line.job.fingerprint for line in lines}))
    costs = ledger.costs([attempt.id for attempt in held.values()])
    items: list[Item] = []
    billed: set[str] = set()
    for line in lines:
        key = line.job.fingerprint
        attempt = held.get(key)
        cost = costs.get(attempt.id) if attempt and key not in billed else None
        items.append(item_of(line, attempt, cost, film, shared=key in billed))
        billed.add(key)
    return items


def item_of(
    line: Line, attempt: Attempt | None, cost: Cost | None, film: str, *, shared: bool
) -> Item:
    ended_at = attempt.ended_at if attempt else None
    return Item(
        line.job.shot.sequence,
        line.job.shot.shot,
        line.job.take,
        line.job.shot.model,
        attempt.state if attempt else "not bought",
        (attempt.request_id or "") if attempt else "",
        attempt.run_id if attempt else "",
        cost.units if cost else Decimal(0),
        cost.cost_usd if cost else Decimal(0),
        "shared" if shared else cost.source if cost else "",
        film,
        f"{attempt.service}/{attempt.account}" if attempt else "",
        f"{ended_at.astimezone(UTC):%Y-%m}" if ended_at else "",
        line.job.fingerprint,
        Decimal(0) if shared else attempt.cost_quoted_usd if attempt else line.quote.cost_usd,
        "" if shared else why(attempt, cost),
    )


class Priced(Protocol):
    """A line of a bill, or a charge of the ledger."""

    @property
    def sequence(self) -> str: ...
    @property
    def shot(self) -> str: ...
    @property
    def take(self) -> int: ...
    @property
    def film(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def month(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def units(self) -> Decimal: ...
    @property
    def cost_usd(self) -> Decimal: ...


P = TypeVar("P", bound=Priced)


def total(items: Sequence[Priced]) -> tuple[Decimal, Decimal]:
    """(units, USD)."""
    return (
        sum((item.units for item in items), Decimal(0)),
        sum((item.cost_usd for item in items), Decimal(0)),
    )


KEYS: dict[By, Callable[[Priced], str]] = {
    "shot": lambda item: f"{item.sequence}/{item.shot}",
    "sequence": lambda item: item.sequence,
    "model": lambda item: item.model,
    "run": lambda item: item.run_id,
    "take": lambda item: f"{item.sequence}/{item.shot}.t{item.take}",
    "film": lambda item: item.film,
    "account": lambda item: item.account,
    "month": lambda item: item.month,
}


def grouped(items: Sequence[P], by: By) -> dict[str, list[P]]:
    """Equal keys together, in the order in which the keys first appear."""
    groups: dict[str, list[P]] = {}
    for item in items:
        groups.setdefault(KEYS[by](item), []).append(item)
    return groups


def totals_by(items: Sequence[Item], by: By) -> list[Total]:
    return [Total(key, *total(group), len(group)) for key, group in grouped(items, by).items()]


HEADER = (
    "sequence",
    "shot",
    "take",
    "model",
    "state",
    "request_id",
    "units",
    "cost_usd",
    "cost_source",
    "account",
    "run",
    "estimate_usd",
    "why",
)


def to_csv(items: Sequence[Item]) -> str:
    """The bill as CSV with a last line that sums it up."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for i in items:
        writer.writerow(
            [
                safe_cell(i.sequence),
                safe_cell(i.shot),
                i.take,
                i.model,
                i.state,
                safe_cell(i.request_id),
                plain(i.units),
                plain(i.cost_usd),
                i.source,
                i.account,
                i.run_id,
                plain(i.estimate_usd),
                i.why,
            ]
        )
    units, cost_usd = total(items)
    estimate_usd = sum((item.estimate_usd for item in items), Decimal(0))
    sums = [plain(units), plain(cost_usd), "", "", "", plain(estimate_usd), ""]
    writer.writerow(["total", "", "", "", "", "", *sums])
    return out.getvalue()


def safe_cell(text: str) -> str:
    """A spreadsheet must not run a name that begins like a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
