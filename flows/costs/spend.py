"""Everything that was paid, read from the ledger. The database adds up; rows come as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Text, distinct, func, select, type_coerce

from blocks.ledger import Ledger
from blocks.ledger.tables import attempts, charges, runs
from blocks.providers.services import SANDBOX
from flows.costs.bill import By, Total

AT_ONCE = 2_000
"""Rows that are read from the database at a time."""

MONTH = func.substr(charges.c.at, 1, 7)
GROUPS: dict[By, tuple[tuple[ColumnElement[Any], ...], str]] = {
    "shot": ((attempts.c.sequence, attempts.c.shot), "{}/{}"),
    "take": ((attempts.c.sequence, attempts.c.shot, attempts.c.take), "{}/{}.t{}"),
    "sequence": ((attempts.c.sequence,), "{}"),
    "film": ((runs.c.name,), "{}"),
    "model": ((attempts.c.model,), "{}"),
    "account": ((charges.c.service, charges.c.account), "{}/{}"),
    "run": ((charges.c.run_id,), "{}"),
    "month": ((MONTH,), "{}"),
}
"""The columns of a key, and how it is written."""


@dataclass(frozen=True, slots=True)
class Spend:
    """One charge row beside what it was for.

    Times and inputs are as the ledger keeps them, ISO 8601 in UTC and JSON: of a hundred thousand
    rows few have to be understood.
    """

    service: str
    account: str
    model: str
    sequence: str
    shot: str
    take: int
    film: str
    run_id: str
    attempt_id: str
    fingerprint: str
    request_id: str | None
    inputs: str
    submitted_at: str | None
    ended_at: str | None
    num_frames: int | None
    unit_price_usd: Decimal
    price_as_of: str
    at: str
    units: Decimal
    cost_usd: Decimal
    source: str
    cause: str


def spending(ledger: Ledger, *, live: bool) -> Iterator[Spend]:
    """Every charge, oldest first."""
    query = (
        select(
            charges.c.service,
            charges.c.account,
            attempts.c.model,
            attempts.c.sequence,
            attempts.c.shot,
            attempts.c.take,
            func.coalesce(runs.c.name, ""),
            charges.c.run_id,
            charges.c.attempt_id,
            attempts.c.fingerprint,
            charges.c.request_id,
            type_coerce(attempts.c.inputs, Text),
            type_coerce(attempts.c.submitted_at, Text),
            type_coerce(attempts.c.ended_at, Text),
            attempts.c.num_frames,
            attempts.c.unit_price_usd,
            attempts.c.price_as_of,
            type_coerce(charges.c.at, Text),
            charges.c.units,
            charges.c.cost_usd,
            charges.c.source,
            charges.c.cause,
        )
        .join(attempts, attempts.c.id == charges.c.attempt_id)
        .join(runs, runs.c.id == charges.c.run_id, isouter=True)
        .where(is_live(live))
        .order_by(charges.c.id)
    )
    with ledger.engine.connect().execution_options(yield_per=AT_ONCE) as connection:
        for row in connection.execute(query):
            yield Spend(*tuple(row))


def sums(ledger: Ledger, by: By, *, live: bool) -> list[Total]:
    """Sums of equal keys, in the order of their first charges.

    An attempt with corrections counts once.
    """
    columns, words = GROUPS[by]
    query = (
        select(
            func.sum(charges.c.units),
            func.sum(charges.c.cost_usd),
            func.count(distinct(charges.c.attempt_id)),
            *columns,
        )
        .join(attempts, attempts.c.id == charges.c.attempt_id)
        .where(is_live(live))
        .group_by(*columns)
        .order_by(func.min(charges.c.id))
    )
    if by == "film":
        query = query.join(runs, runs.c.id == charges.c.run_id, isouter=True)
    with ledger.engine.connect() as connection:
        return [
            Total(words.format(*key), units, cost_usd, count)
            for units, cost_usd, count, *key in connection.execute(query)
        ]


def anything_live(ledger: Ledger) -> bool:
    with ledger.engine.connect() as connection:
        return (
            connection.execute(select(charges.c.id).where(is_live(True)).limit(1)).first()
            is not None
        )


def is_live(live: bool) -> ColumnElement[bool]:
    sandboxed = charges.c.service.like(f"{SANDBOX}%")
    return ~sandboxed if live else sandboxed
