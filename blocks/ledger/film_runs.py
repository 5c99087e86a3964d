"""What the ledger knows of a film: its runs, what they were charged, the list it was last made of.

A film is known by its identity (`runs.film`). Runs that an earlier version has made carry the name
of their list alone, which two films may share: a list makes those its own whose clips it asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from blocks import timing
from blocks.ledger.engine import writing
from blocks.ledger.ledger import Ledger
from blocks.ledger.queries import chunks
from blocks.ledger.rows import COLUMNS, Attempt, Cost
from blocks.ledger.tables import attempts, charges, lists, runs
from blocks.providers.services import SANDBOX

film_of_run: ColumnElement[str] = func.coalesce(func.nullif(runs.c.film, ""), runs.c.name, "")
"""A run's film; the name of its list in runs of before."""


@dataclass(frozen=True)
class Charged:
    """An attempt that money was charged for; `at` is when first."""

    attempt: Attempt
    cost: Cost
    at: datetime


@dataclass(frozen=True)
class MadeList:
    """The shots of a film's list when it was last made, as JSON values."""

    at: datetime
    shots: Sequence[Mapping[str, Any]]


def known_films(ledger: Ledger) -> list[tuple[str, str]]:
    """(identity, name) of every film that has a run, oldest first."""
    query = select(film_of_run, runs.c.name).group_by(film_of_run, runs.c.name)
    with ledger.engine.connect() as connection:
        found = connection.execute(query.order_by(func.min(runs.c.started_at)))
        return [(film, name) for film, name in found]


def runs_of(ledger: Ledger, film: str) -> set[str]:
    with ledger.engine.connect() as connection:
        return set(connection.execute(select(runs.c.id).where(film_of_run == film)).scalars())


def films_of_runs(ledger: Ledger, ids: Sequence[str]) -> dict[str, str]:
    """The film that each of these runs was for."""
    found: dict[str, str] = {}
    with ledger.engine.connect() as connection:
        for some in chunks(ids):
            query = select(runs.c.id, film_of_run).where(runs.c.id.in_(some))
            found |= {row.id: row[1] for row in connection.execute(query)}
    return found


def run_ids(
    ledger: Ledger, film: str, name: str, place: str, fingerprints: Sequence[str]
) -> list[str]:
    """The film's runs, and those of before that are its own: see `adopt_runs`."""
    with ledger.engine.connect() as connection:
        own = (
            connection.execute(select(runs.c.id).where(film_of_run.in_((film, place))))
            .scalars()
            .all()
        )
        return list(dict.fromkeys([*own, *_nameless(connection, name, fingerprints)]))


def adopt_runs(
    ledger: Ledger, film: str, name: str, place: str, fingerprints: Sequence[str]
) -> None:
    """Count to the film the runs that have bought clips of its list when no film was noted, and
    those of the list's place, where it was given a name since."""
    with writing(ledger.engine) as connection:
        if place != film:
            connection.execute(
                update(runs).where(runs.c.film == place, runs.c.film != "").values(film=film)
            )
        for some in chunks(_nameless(connection, name, fingerprints)):
            connection.execute(update(runs).where(runs.c.id.in_(some)).values(film=film))


def _nameless(connection: Connection, name: str, fingerprints: Sequence[str]) -> list[str]:
    before = connection.execute(
        select(runs.c.id).where(runs.c.film == "", runs.c.name == name).limit(1)
    ).first()
    found: dict[str, None] = {}
    for some in chunks(fingerprints if before else ()):
        query = (
            select(runs.c.id)
            .distinct()
            .join(attempts, attempts.c.run_id == runs.c.id)
            .where(runs.c.film == "", runs.c.name == name, attempts.c.fingerprint.in_(some))
        )
        found |= dict.fromkeys(connection.execute(query).scalars())
    return list(found)


def charged_in(
    ledger: Ledger,
    film: str,
    *,
    live: bool,
    since: datetime | None = None,
    before: datetime | None = None,
) -> list[Charged]:
    """Every attempt that the film's runs were charged for in this time, oldest first."""
    time = [charges.c.at >= since] if since else []
    time += [charges.c.at < before] if before else []
    query = (
        select(charges.c.at, charges.c.units, charges.c.cost_usd, charges.c.source, *COLUMNS)
        .join(attempts, attempts.c.id == charges.c.attempt_id)
        .join(runs, runs.c.id == charges.c.run_id)
        .where(film_of_run == film, is_live(live), *time)
        .order_by(charges.c.id)
    )
    found: dict[str, Charged] = {}
    with ledger.engine.connect() as connection:
        for at, units, cost_usd, source, *row in connection.execute(query):
            attempt = Attempt(*row)
            none = Charged(attempt, Cost(Decimal(0), Decimal(0), source), at)
            sums = found.get(attempt.id, none)
            cost = Cost(sums.cost.units + units, sums.cost.cost_usd + cost_usd, source)
            found[attempt.id] = Charged(attempt, cost, sums.at)
    return list(found.values())


def is_live(live: bool) -> ColumnElement[bool]:
    """Charges of real accounts, or of the sandbox: they never add up to one sum."""
    sandboxed = charges.c.service.like(f"{SANDBOX}%")
    return ~sandboxed if live else sandboxed


def note_list(
    ledger: Ledger, film: str, run_id: str, shots: Sequence[Mapping[str, Any]], *, live: bool
) -> None:
    """The newest stands for all before it."""
    key = {"film": film, "live": int(live)}
    with writing(ledger.engine) as connection:
        connection.execute(delete(lists).where(*(lists.c[name] == key[name] for name in key)))
        connection.execute(
            insert(lists).values(**key, run_id=run_id, at=timing.now(), shots=list(shots))
        )


def last_list(ledger: Ledger, film: str, *, live: bool) -> MadeList | None:
    query = select(lists.c.at, lists.c.shots).where(lists.c.film == film, lists.c.live == int(live))
    with ledger.engine.connect() as connection:
        row = connection.execute(query).first()
    return MadeList(row.at, row.shots) if row else None
