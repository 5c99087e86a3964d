"""What was paid, read from the ledger: as a table to add up, as a stream to write out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Text, func, select, type_coerce

from blocks.ledger import Ledger
from blocks.ledger.film_runs import film_of_run, is_live
from blocks.ledger.price_history import TopUp
from blocks.ledger.tables import attempts, charges, runs
from blocks.providers.services import SANDBOX

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


def spending(ledger: Ledger, which: Which) -> Iterator[Spend]:
    """Charges, oldest first."""
    query = (
        select(
            charges.c.service,
            charges.c.account,
            attempts.c.model,
            attempts.c.sequence,
            attempts.c.shot,
            attempts.c.take,
            film_of_run,
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
        .where(*which.conditions())
        .order_by(charges.c.id)
    )
    with ledger.engine.connect().execution_options(yield_per=AT_ONCE) as connection:
        for row in connection.execute(query):
            yield Spend(*tuple(row))


def charges_frame(ledger: Ledger, which: Which) -> pd.DataFrame:
    """The charges as `totals_by` takes them, oldest first."""
    query = (
        select(
            attempts.c.sequence,
            attempts.c.shot,
            attempts.c.take,
            film_of_run,
            attempts.c.model,
            charges.c.service,
            charges.c.account,
            charges.c.run_id,
            func.substr(type_coerce(charges.c.at, Text), 1, 7),
            charges.c.attempt_id,
            type_coerce(charges.c.units, BigInteger),
            type_coerce(charges.c.cost_usd, BigInteger),
        )
        .join(attempts, attempts.c.id == charges.c.attempt_id)
        .join(runs, runs.c.id == charges.c.run_id, isouter=True)
        .where(*which.conditions())
        .order_by(charges.c.id)
    )
    with ledger.engine.connect() as connection:
        found = pd.DataFrame.from_records(
            list(map(tuple, connection.execute(query))),
            columns=[
                *("sequence", "shot", "take", "film", "model", "service", "account"),
                *("run", "month", "attempt", "units", "cost_usd"),
            ],
        )
    found["provider"] = found["service"].str.removeprefix(SANDBOX)
    found["account"] = found["service"] + "/" + found["account"]
    return found


def anything_live(ledger: Ledger) -> bool:
    with ledger.engine.connect() as connection:
        return (
            connection.execute(select(charges.c.id).where(is_live(True)).limit(1)).first()
            is not None
        )
