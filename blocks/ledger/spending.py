"""What was paid: charge by charge, and in sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, func, select, type_coerce

from blocks.ledger.film_runs import film_of_run, is_live
from blocks.ledger.ledger import Ledger
from blocks.ledger.price_history import TopUp
from blocks.ledger.tables import attempts, charges, runs

AT_ONCE = 2_000
"""Rows that are read from the database at a time."""


@dataclass(frozen=True)
class Which:
    """Which charges: of real accounts or of the sandbox, of one film or all, from a day (UTC) up to
    a day, that included."""

    live: bool
    film: str | None = None
    since: date | None = None
    until: date | None = None

    @property
    def begins_at(self) -> datetime | None:
        return midnight(self.since) if self.since else None

    @property
    def ends_before(self) -> datetime | None:
        return midnight(self.until + timedelta(days=1)) if self.until else None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = [is_live(self.live)]
        if self.film is not None:
            found.append(film_of_run == self.film)
        if self.begins_at is not None:
            found.append(charges.c.at >= self.begins_at)
        if self.ends_before is not None:
            found.append(charges.c.at < self.ends_before)
        return found

    def has_day(self, payment: TopUp) -> bool:
        """Whether it was paid in these days."""
        day = payment.at.astimezone(UTC).date()
        return (self.since or day) <= day <= (self.until or day)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


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


SPEND: Mapping[str, ColumnElement[Any]] = {
    "service": charges.c.service,
    "account": charges.c.account,
    "model": attempts.c.model,
    "sequence": attempts.c.sequence,
    "shot": attempts.c.shot,
    "take": attempts.c.take,
    "film": film_of_run,
    "run_id": charges.c.run_id,
    "attempt_id": charges.c.attempt_id,
    "fingerprint": attempts.c.fingerprint,
    "request_id": charges.c.request_id,
    "inputs": type_coerce(attempts.c.inputs, Text),
    "submitted_at": type_coerce(attempts.c.submitted_at, Text),
    "ended_at": type_coerce(attempts.c.ended_at, Text),
    "num_frames": attempts.c.num_frames,
    "unit_price_usd": attempts.c.unit_price_usd,
    "price_as_of": attempts.c.price_as_of,
    "at": type_coerce(charges.c.at, Text),
    "units": charges.c.units,
    "cost_usd": charges.c.cost_usd,
    "source": charges.c.source,
    "cause": charges.c.cause,
}

SUMMED: Mapping[str, ColumnElement[Any]] = {
    "sequence": attempts.c.sequence,
    "shot": attempts.c.shot,
    "take": attempts.c.take,
    "film": film_of_run,
    "model": attempts.c.model,
    "service": charges.c.service,
    "account": charges.c.account,
    "run": charges.c.run_id,
    "month": func.substr(type_coerce(charges.c.at, Text), 1, 7),
    "attempt": charges.c.attempt_id,
    "units": type_coerce(charges.c.units, BigInteger),
    "cost_usd": type_coerce(charges.c.cost_usd, BigInteger),
}


def spending(ledger: Ledger, which: Which) -> Iterator[Spend]:
    """Charges, oldest first."""
    query = _charges([SPEND[field.name] for field in fields(Spend)], which)
    with ledger.engine.connect().execution_options(yield_per=AT_ONCE) as connection:
        for row in connection.execute(query):
            yield Spend(*row)


def amounts(ledger: Ledger, which: Which) -> list[tuple[Any, ...]]:
    """Charges, oldest first, as rows of `SUMMED`; units and USD in whole billionths."""
    with ledger.engine.connect() as connection:
        return list(map(tuple, connection.execute(_charges(list(SUMMED.values()), which))))


def _charges(columns: Sequence[ColumnElement[Any]], which: Which) -> Select[Any]:
    return (
        select(*columns)
        .join_from(charges, attempts, attempts.c.id == charges.c.attempt_id)
        .join(runs, runs.c.id == charges.c.run_id, isouter=True)
        .where(*which.conditions())
        .order_by(charges.c.id)
    )


def anything_live(ledger: Ledger) -> bool:
    query = select(charges.c.id).where(is_live(True)).limit(1)
    with ledger.engine.connect() as connection:
        return connection.execute(query).first() is not None


@dataclass(frozen=True)
class Count:
    """Attempts of a model in one state."""

    service: str
    account: str
    model: str
    state: str
    attempts: int


@dataclass(frozen=True)
class Sum:
    """What a model's requests were charged, corrections included, as one source has counted it."""

    service: str
    account: str
    model: str
    source: str
    cost_usd: Decimal
    units: Decimal


def attempts_by_state(ledger: Ledger) -> list[Count]:
    keys = (attempts.c.service, attempts.c.account, attempts.c.model, attempts.c.state)
    with ledger.engine.connect() as connection:
        found = connection.execute(select(*keys, func.count()).group_by(*keys))
        return [Count(*row) for row in found]


def charges_by_source(ledger: Ledger) -> list[Sum]:
    keys = (attempts.c.service, attempts.c.account, attempts.c.model, charges.c.source)
    query = (
        select(*keys, func.sum(charges.c.cost_usd), func.sum(charges.c.units))
        .join(attempts, attempts.c.id == charges.c.attempt_id)
        .group_by(*keys)
    )
    with ledger.engine.connect() as connection:
        return [Sum(*row) for row in connection.execute(query)]
