"""What can be asked of the ledger. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Engine, bindparam, select

from blocks import timing
from blocks.ledger.budget import charged_of_kind, model_counts, run_budget, run_spent
from blocks.ledger.owners import Owner, is_alive
from blocks.ledger.proof import Count, price_key
from blocks.ledger.rows import ONE, ROWS, Attempt, Change, Charge, Cost
from blocks.ledger.states import OCCUPYING, State
from blocks.ledger.tables import attempts, charges, events, owners, runs, uploads

T = TypeVar("T")

CHUNK = 500
"""Values in one statement: below every database's limit."""

HOLDERS = ROWS.where(
    attempts.c.fingerprint.in_(bindparam("fingerprints", expanding=True)), attempts.c.holds == 1
)
HOLDER = ROWS.where(attempts.c.fingerprint == bindparam("fingerprint"), attempts.c.holds == 1)
OWNER = select(owners.c.id, owners.c.host, owners.c.pid, owners.c.beat_at).where(
    owners.c.id == bindparam("owner_id")
)


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one statement takes."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


class Queries:
    engine: Engine
    owner_id: str

    def get(self, attempt_id: str) -> Attempt:
        with self.engine.connect() as connection:
            return self._get(connection, attempt_id)

    def find(self, attempt_id: str) -> Attempt | None:
        with self.engine.connect() as connection:
            row = connection.execute(ONE, {"attempt_id": attempt_id}).first()
            return Attempt(*row) if row else None

    def holders(self, fingerprints: Sequence[str]) -> dict[str, Attempt]:
        """The attempt that holds each fingerprint, where one does."""
        with self.engine.connect() as connection:
            return self._holders(connection, fingerprints)

    def holder(self, fingerprint: str) -> Attempt | None:
        with self.engine.connect() as connection:
            row = connection.execute(HOLDER, {"fingerprint": fingerprint}).first()
            return Attempt(*row) if row else None

    def for_all_alike(self, fingerprints: Sequence[str]) -> set[str]:
        """Those of these whose clip was bought for all rows that ask for the same."""
        found: set[str] = set()
        with self.engine.connect() as connection:
            for some in chunks(fingerprints):
                query = select(attempts.c.fingerprint).where(
                    attempts.c.fingerprint.in_(some),
                    attempts.c.holds == 1,
                    attempts.c.for_all_alike == 1,
                )
                found |= set(connection.execute(query).scalars())
        return found

    def with_seeds(self, seeds: Sequence[int]) -> list[Attempt]:
        """The attempts that hold a clip of one of these seeds, oldest first."""
        return self._rows_of(
            attempts.c.seed, seeds, attempts.c.holds == 1, attempts.c.state != "reserved"
        )

    def attempts_for(self, fingerprints: Sequence[str]) -> list[Attempt]:
        """Every attempt at these clips, also those that were given up; oldest first."""
        return self._rows_of(attempts.c.fingerprint, fingerprints)

    def sent_by(self, run_ids: Sequence[str]) -> list[Attempt]:
        """What these runs have sent, oldest first."""
        return self._rows_of(attempts.c.run_id, run_ids, attempts.c.posted_at.is_not(None))

    def _rows_of(
        self, column: Column[Any], values: Sequence[Any], *conditions: ColumnElement[bool]
    ) -> list[Attempt]:
        """The attempts that have one of these values in the column, oldest first."""
        found: list[Attempt] = []
        with self.engine.connect() as connection:
            for some in chunks(values):
                query = ROWS.where(column.in_(some), *conditions)
                found += (Attempt(*row) for row in connection.execute(query))
        return sorted(found, key=lambda attempt: (attempt.created_at, attempt.id))

    def clip_times_s(self, service: str, model: str, most: int) -> list[float]:
        """Seconds from order to end of the model's latest clips."""
        query = (
            select(attempts.c.submitted_at, attempts.c.ended_at)
            .where(
                attempts.c.service == service,
                attempts.c.model == model,
                attempts.c.state == "stored",
                attempts.c.submitted_at.is_not(None),
                attempts.c.ended_at.is_not(None),
            )
            .order_by(attempts.c.ended_at.desc())
            .limit(most)
        )
        with self.engine.connect() as connection:
            return [(end - begin).total_seconds() for begin, end in connection.execute(query)]

    def in_states(self, states: Iterable[State], services: Sequence[str] = ()) -> list[Attempt]:
        query = ROWS.where(attempts.c.state.in_(tuple(states)))
        if services:
            query = query.where(attempts.c.service.in_(services))
        with self.engine.connect() as connection:
            return [Attempt(*row) for row in connection.execute(query.order_by(attempts.c.id))]

    def orphans(self, service: str, account: str) -> list[Attempt]:
        """What processes that have died since hold the account's room with."""
        holding = (
            attempts.c.service == service,
            attempts.c.account == account,
            attempts.c.state.in_(OCCUPYING),
        )
        with self.engine.connect() as connection:
            owner_ids = connection.execute(select(attempts.c.owner_id).where(*holding).distinct())
            dead = [o for o in owner_ids.scalars().all() if not self._alive(connection, o)]
            if not dead:
                return []
            query = ROWS.where(*holding, attempts.c.owner_id.in_(dead))
            return [Attempt(*row) for row in connection.execute(query)]

    def holding_room(self, service: str, account: str) -> list[Attempt]:
        """What occupies the account's room, the longest first."""
        query = ROWS.where(
            attempts.c.service == service,
            attempts.c.account == account,
            attempts.c.state.in_(OCCUPYING),
        )
        with self.engine.connect() as connection:
            found = connection.execute(query.order_by(attempts.c.posted_at, attempts.c.id))
            return [Attempt(*row) for row in found]

    def request_ids(self, service: str, account: str, among: Sequence[str]) -> set[str]:
        """Those of the ids that the ledger knows."""
        known: set[str] = set()
        with self.engine.connect() as connection:
            for some in chunks(among):
                query = select(attempts.c.request_id).where(
                    attempts.c.service == service,
                    attempts.c.account == account,
                    attempts.c.request_id.in_(some),
                )
                known.update(connection.execute(query).scalars())
        return known

    def requests(
        self, service: str, account: str, since: datetime, among: Sequence[str]
    ) -> list[Attempt]:
        """Attempts with a request id: those sent since then, and those of these ids."""
        mine = (attempts.c.service == service, attempts.c.account == account)
        lately = ROWS.where(
            *mine, attempts.c.request_id.is_not(None), attempts.c.posted_at >= since
        )
        with self.engine.connect() as connection:
            found = [Attempt(*row) for row in connection.execute(lately)]
            known = {attempt.request_id for attempt in found}
            older = [request_id for request_id in among if request_id not in known]
            for some in chunks(older):
                query = ROWS.where(*mine, attempts.c.request_id.in_(some))
                found += [Attempt(*row) for row in connection.execute(query)]
        return found

    def costs(self, attempt_ids: Sequence[str]) -> dict[str, Cost]:
        """What each attempt has cost so far; attempts without a charge are left out."""
        totals: dict[str, Cost] = {}
        with self.engine.connect() as connection:
            for some in chunks(attempt_ids):
                query = (
                    select(
                        charges.c.attempt_id, charges.c.units, charges.c.cost_usd, charges.c.source
                    )
                    .where(charges.c.attempt_id.in_(some))
                    .order_by(charges.c.id)
                )
                for attempt_id, units, cost_usd, source in connection.execute(query):
                    so_far = totals.get(attempt_id, Cost(Decimal(0), Decimal(0), source))
                    totals[attempt_id] = Cost(
                        so_far.units + units, so_far.cost_usd + cost_usd, source
                    )
        return totals

    def known_clips(self, among: Sequence[str]) -> set[str]:
        """Those of the SHA-256s that are a clip's."""
        known: set[str] = set()
        with self.engine.connect() as connection:
            for some in chunks(among):
                query = select(attempts.c.clip_sha256).where(attempts.c.clip_sha256.in_(some))
                known.update(connection.execute(query).scalars())
        return known

    def knows_run(self, run_id: str) -> bool:
        with self.engine.connect() as connection:
            return bool(connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first())

    def is_driven(self, held: Iterable[Attempt], besides: Iterable[str]) -> bool:
        """Whether a living process is at work on one of them, not counting these owners."""
        ids = {attempt.owner_id for attempt in held} - {*besides, None}
        with self.engine.connect() as connection:
            return any(self._alive(connection, owner_id) for owner_id in ids)

    def anyone_is_at_work(self) -> bool:
        """Whether a living process, of this machine or another, has a run under way."""
        query = select(owners.c.id, owners.c.host, owners.c.pid, owners.c.beat_at)
        now = timing.now()
        with self.engine.connect() as connection:
            return any(is_alive(Owner(*row), now) for row in connection.execute(query))

    def counted(
        self, service: str, account: str, model: str, inputs: Mapping[str, object]
    ) -> list[Count]:
        """What the service has lately counted for the account's requests like this one."""
        with self.engine.connect() as connection:
            return model_counts(connection, service, account, model, price_key(inputs))

    def awaits_count(self, attempt: Attempt) -> bool:
        """Whether the run has a budget and nothing was counted for the attempt's kind yet."""
        with self.engine.connect() as connection:
            has_budget = run_budget(connection, attempt.run_id) is not None
            return has_budget and not charged_of_kind(connection, attempt)

    def run_spent_usd(self, run_id: str) -> Decimal:
        """Charges of a run and what it has set aside: what its budget is held against."""
        with self.engine.connect() as connection:
            return run_spent(connection, run_id)

    def history(self, attempt_id: str) -> list[Change]:
        return self.histories([attempt_id]).get(attempt_id, [])

    def histories(self, attempt_ids: Sequence[str]) -> dict[str, list[Change]]:
        """The history of each attempt, oldest change first."""
        found: dict[str, list[Change]] = {}
        with self.engine.connect() as connection:
            for some in chunks(attempt_ids):
                query = (
                    select(events.c.attempt_id, events.c.at, events.c.state, events.c.cause)
                    .where(events.c.attempt_id.in_(some))
                    .order_by(events.c.id)
                )
                for attempt_id, *change in connection.execute(query):
                    found.setdefault(attempt_id, []).append(Change(*change))
        return found

    def charges(self, attempt_ids: Sequence[str]) -> dict[str, list[Charge]]:
        """The facts about the money of each attempt, oldest first."""
        found: dict[str, list[Charge]] = {}
        columns = [charges.c[field.name] for field in fields(Charge)]
        with self.engine.connect() as connection:
            for some in chunks(attempt_ids):
                query = (
                    select(charges.c.attempt_id, *columns)
                    .where(charges.c.attempt_id.in_(some))
                    .order_by(charges.c.id)
                )
                for attempt_id, *charge in connection.execute(query):
                    found.setdefault(attempt_id, []).append(Charge(*charge))
        return found

    def uploaded_url(self, service: str, account: str, sha256: str, since: datetime) -> str | None:
        with self.engine.connect() as connection:
            return connection.execute(
                select(uploads.c.url).where(
                    uploads.c.service == service,
                    uploads.c.account == account,
                    uploads.c.sha256 == sha256,
                    uploads.c.at > since,
                )
            ).scalar_one_or_none()

    def is_mine(self, attempt: Attempt) -> bool:
        return attempt.owner_id == self.owner_id

    def owner_is_alive(self, attempt: Attempt) -> bool:
        with self.engine.connect() as connection:
            return self._alive(connection, attempt.owner_id)

    def _alive(self, connection: Connection, owner_id: str | None) -> bool:
        row = connection.execute(OWNER, {"owner_id": owner_id}).first()
        return row is not None and is_alive(Owner(*row), timing.now())

    # --- inside a transaction -----------------------------------------------------------------

    def _get(self, connection: Connection, attempt_id: str) -> Attempt:
        row = connection.execute(ONE, {"attempt_id": attempt_id}).one()
        return Attempt(*row)

    def _holders(self, connection: Connection, fingerprints: Sequence[str]) -> dict[str, Attempt]:
        found: dict[str, Attempt] = {}
        for some in chunks(fingerprints):
            for row in connection.execute(HOLDERS, {"fingerprints": some}):
                attempt = Attempt(*row)
                found[attempt.fingerprint] = attempt
        return found
