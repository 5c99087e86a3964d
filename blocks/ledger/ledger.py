"""The ledger: what was asked for, what came of it, and what it cost. The truth about money.

Every method is one transaction, committed to disk when it returns. A change of state happens only
from the states that allow it (`states.NEXT`); where another process was faster, the method gives
the attempt as it now is, and the caller goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from blocks.ledger.budget import charge_up_to, check_monthly_budgets, check_run_budget
from blocks.ledger.engine import open_engine, writing
from blocks.ledger.owners import Heart
from blocks.ledger.queries import Queries, chunks
from blocks.ledger.rows import COLUMNS, Attempt, Intent, row_of
from blocks.ledger.shared_budget import beat, lend, owner_of_run
from blocks.ledger.states import NEXT, OCCUPYING, State, holds
from blocks.ledger.tables import attempts, events, owners, runs, uploads
from blocks.providers.base import Bill, Failed, Ticket

A_MINUTE = timedelta(minutes=1)


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger(Queries):
    """Raises SetupError where the database cannot be used."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.owner_id = uuid4().hex
        self._owner_ids: tuple[str, ...] = (self.owner_id,)
        self._heart: Heart | None = None

    def close(self) -> None:
        """Give back what was set aside and not sent, and let others take over the rest."""
        if self._heart:
            self._heart.stop()
            # On a full disk it cannot be said; that the process has ended shows all the same.
            with suppress(SQLAlchemyError), writing(self.engine) as connection:
                self._release_reserved(connection, self._owner_ids, "the run has ended")
                connection.execute(delete(owners).where(owners.c.id.in_(self._owner_ids)))
        self.engine.dispose()

    # --- runs and owners ----------------------------------------------------------------------

    def start_run(self, run_id: str, name: str, budget_usd: Decimal | None) -> None:
        """Note the run and its budget; the same run started again keeps what it has spent."""
        now = _now()
        with writing(self.engine) as connection:
            self._beat(connection, now)
            known = connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first()
            if known:
                connection.execute(
                    update(runs).where(runs.c.id == run_id).values(budget_usd=budget_usd)
                )
            else:
                connection.execute(
                    insert(runs).values(id=run_id, name=name, started_at=now, budget_usd=budget_usd)
                )
        if self._heart is None:
            self._heart = Heart(self.beat)
            self._heart.start()

    def beat(self) -> None:
        with writing(self.engine) as connection:
            self._beat(connection, _now())

    def _beat(self, connection: Connection, now: datetime) -> None:
        for owner_id in self._owner_ids:
            beat(connection, owner_id, now)

    def lend(self, run_id: str) -> None:
        """Let every process of the run take what this one has reserved in it and not sent."""
        with writing(self.engine) as connection:
            self._owner_ids = (self.owner_id, owner_of_run(run_id))
            self._beat(connection, _now())
            lend(connection, self.owner_id, run_id)

    # --- before the request -------------------------------------------------------------------

    def reserve(self, intents: Sequence[Intent], run_id: str) -> dict[str, Attempt]:
        """Write the intents and set their cost aside, in one transaction with the budget check.

        Gives, by fingerprint, the attempt that now holds it: a new one, or the one that was
        there. Raises BudgetError, and then nothing is written.
        """
        now = _now()
        with writing(self.engine) as connection:
            self._release_dead_reservations(connection)
            held = self._holders(connection, [i.fingerprint for i in intents])
            wanted = {i.fingerprint: i for i in intents if i.fingerprint not in held}
            fresh = list(wanted.values())
            for rows in chunks([row_of(i, run_id, self.owner_id, now) for i in fresh]):
                connection.execute(insert(attempts), rows)
                connection.execute(
                    insert(events),
                    [self._event(row["id"], "reserved", "planned", now) for row in rows],
                )
            if fresh:
                check_run_budget(connection, run_id)
                check_monthly_budgets(connection, fresh, now)
            return self._holders(connection, [i.fingerprint for i in intents])

    def take_over(self, attempt: Attempt, run_id: str) -> Attempt | None:
        """Become the owner of an attempt whose process has died; None where it lives.

        What the run has lent is any of its processes'.
        A reservation joins this run and its budget (BudgetError); what was already sent stays in
        the run that sent it.
        """
        now = _now()
        with writing(self.engine) as connection:
            current = self._get(connection, attempt.id)
            if current.owner_id == self.owner_id:
                return current
            lent = current.state == "reserved" and current.owner_id == owner_of_run(run_id)
            if not lent and self._alive(connection, current.owner_id):
                return None
            self._own(connection, current, run_id, now)
            if current.state == "reserved" and current.run_id != run_id:
                check_run_budget(connection, run_id)
            return self._get(connection, attempt.id)

    def claim(
        self, attempt: Attempt, max_in_flight: int, max_per_minute: int | None = None
    ) -> Attempt | None:
        """reserved -> posting, where the account has room for one more request; else None.

        Only an attempt that comes back in `posting` may be sent. One that is no longer this
        process's to send comes back as it was seen, also where another process is sending it.
        """
        now = _now()
        with writing(self.engine) as connection:
            current = self._get(connection, attempt.id)
            if current.state != "reserved" or current.owner_id != self.owner_id:
                return attempt
            if self._count(connection, attempt, attempts.c.state.in_(OCCUPYING)) >= max_in_flight:
                return None
            if max_per_minute is not None:
                lately = attempts.c.posted_at > now - A_MINUTE
                if self._count(connection, attempt, lately) >= max_per_minute:
                    return None
            return self._move(connection, attempt, "posting", "room", now, posted_at=now)

    def put_back(self, attempt: Attempt, cause: str) -> Attempt:
        """posting -> reserved: nothing was accepted, and it may be tried again."""
        return self._change(attempt, "reserved", cause)

    def release(self, attempt: Attempt, cause: str) -> Attempt:
        """The fingerprint is free to be bought again, and what was set aside is given back."""
        return self._change(attempt, "released", cause, ended_at=_now())

    # --- after the request --------------------------------------------------------------------

    def set_inputs(self, attempt: Attempt, inputs: Mapping[str, Any]) -> Attempt:
        """The inputs as they will be sent, URLs of uploaded files among them."""
        with writing(self.engine) as connection:
            connection.execute(
                update(attempts).where(attempts.c.id == attempt.id).values(inputs=dict(inputs))
            )
            return self._get(connection, attempt.id)

    def mark_submitted(self, attempt: Attempt, ticket: Ticket, cause: str = "accepted") -> Attempt:
        """The request id is on disk. An id that another attempt has is refused (ValueError)."""
        try:
            return self._change(
                attempt,
                "submitted",
                cause,
                request_id=ticket.request_id,
                urls=dict(ticket.urls),
                submitted_at=_now(),
            )
        except IntegrityError:
            raise ValueError(f"request {ticket.request_id} belongs to another attempt") from None

    def mark_unknown(self, attempt: Attempt, cause: str) -> Attempt:
        return self._change(attempt, "unknown", cause)

    def mark_ready(self, attempt: Attempt, media_url: str, units: Decimal | None) -> Attempt:
        """The clip exists at the provider, so it is paid for: the charge is written with it.

        `units` is the provider's own count; without one the quote stands in, as an estimate. What
        an account without a price has made is written too, as a charge of nothing.
        """
        now = _now()
        free = attempt.price_source == "no_price"
        with writing(self.engine) as connection:
            moved = self._move(
                connection,
                attempt,
                "ready",
                "the provider has the clip",
                now,
                media_url=media_url,
                ended_at=now,
                charged="no" if free else "yes",
            )
            if moved.state == "ready":
                counted = moved.units_quoted if units is None else units
                charge_up_to(
                    connection,
                    moved,
                    units=counted,
                    cost_usd=counted * moved.unit_price_usd,
                    source="no_price" if free else "estimate" if units is None else "provider",
                    cause="clip delivered",
                    now=now,
                )
            return moved

    def mark_failed(self, attempt: Attempt, outcome: Failed) -> Attempt:
        now = _now()
        with writing(self.engine) as connection:
            moved = self._move(
                connection,
                attempt,
                "failed",
                outcome.reason,
                now,
                charged=outcome.charged,
                ended_at=now,
            )
            if moved.state == "failed" and moved.charged == "yes" and outcome.units:
                charge_up_to(
                    connection,
                    moved,
                    units=outcome.units,
                    cost_usd=outcome.units * moved.unit_price_usd,
                    source="provider",
                    cause="charged failure",
                    now=now,
                )
            return moved

    def mark_stored(self, attempt: Attempt, sha256: str, num_frames: int) -> Attempt:
        return self._change(
            attempt,
            "stored",
            "the clip is in the store",
            clip_sha256=sha256,
            num_frames=num_frames,
            stored_at=_now(),
        )

    def mark_missing(self, attempt: Attempt, cause: str) -> Attempt:
        """stored -> ready: the store lost the clip; the provider is asked for it again."""
        return self._change(attempt, "ready", cause, owner_id=self.owner_id)

    def mark_lost(self, attempt: Attempt, cause: str) -> Attempt:
        return self._change(attempt, "lost", cause)

    def apply_bill(self, attempt: Attempt, bill: Bill) -> None:
        """Hold the charges against the billing feed; a difference becomes a correction row."""
        self.apply_bills([(attempt, bill)])

    def apply_bills(self, bills: Sequence[tuple[Attempt, Bill]]) -> None:
        for some in chunks(bills):
            with writing(self.engine) as connection:
                for attempt, bill in some:
                    self._apply_bill(connection, self._get(connection, attempt.id), bill)

    def _apply_bill(self, connection: Connection, current: Attempt, bill: Bill) -> None:
        # A feed of money alone: what was quoted was delivered, or nothing was.
        quoted = current.units_quoted if bill.cost_usd else Decimal(0)
        charge_up_to(
            connection,
            current,
            units=quoted if bill.units is None else bill.units,
            cost_usd=bill.cost_usd,
            source="billing_feed",
            cause="billing feed",
            now=_now(),
        )
        if current.state == "lost" and current.charged is None:
            # What was set aside for it is given back: now it is known.
            charged = "yes" if bill.cost_usd else "no"
            connection.execute(
                update(attempts).where(attempts.c.id == current.id).values(charged=charged)
            )

    # --- uploads ------------------------------------------------------------------------------

    def note_upload(self, service: str, account: str, sha256: str, url: str) -> None:
        key = (
            uploads.c.service == service,
            uploads.c.account == account,
            uploads.c.sha256 == sha256,
        )
        with writing(self.engine) as connection:
            values = {"url": url, "at": _now()}
            if connection.execute(update(uploads).where(*key).values(**values)).rowcount == 0:
                connection.execute(
                    insert(uploads).values(
                        service=service, account=account, sha256=sha256, **values
                    )
                )

    # --- inside a transaction -----------------------------------------------------------------

    def _change(self, attempt: Attempt, state: State, cause: str, **values: Any) -> Attempt:
        with writing(self.engine) as connection:
            return self._move(connection, attempt, state, cause, _now(), **values)

    def _move(
        self,
        connection: Connection,
        attempt: Attempt,
        state: State,
        cause: str,
        now: datetime,
        **values: Any,
    ) -> Attempt:
        """Move on from the state that the caller has seen; no move where it is another by now."""
        seen: tuple[State, ...] = (attempt.state,)
        if state == "submitted":
            # An id is a fact, also where this process was taken for dead while it waited for it.
            seen = ("posting", "unknown")
        allowed = [before for before in seen if state in NEXT[before]]
        charged = values.get("charged", attempt.charged)
        moved = connection.execute(
            update(attempts)
            .where(attempts.c.id == attempt.id, attempts.c.state.in_(allowed))
            .values(state=state, cause=cause, holds=int(holds(state, charged)), **values)
            .returning(*COLUMNS)
        ).first()
        if moved is None:
            return self._get(connection, attempt.id)
        connection.execute(insert(events).values(self._event(attempt.id, state, cause, now)))
        return Attempt(*moved)

    def _release_dead_reservations(self, connection: Connection) -> None:
        """What a dead process had set aside and not sent holds up neither budget nor shot."""
        query = select(attempts.c.owner_id).where(attempts.c.state == "reserved").distinct()
        owner_ids = list(connection.execute(query).scalars())
        dead = [o for o in owner_ids if o != self.owner_id and not self._alive(connection, o)]
        if dead:
            self._release_reserved(connection, dead, "its process has died; it was never sent")

    def _release_reserved(
        self, connection: Connection, owner_ids: Sequence[str | None], cause: str
    ) -> None:
        query = select(*COLUMNS).where(
            attempts.c.state == "reserved", attempts.c.owner_id.in_(owner_ids)
        )
        now = _now()
        for row in connection.execute(query).all():
            self._move(connection, Attempt(*row), "released", cause, now, ended_at=now)

    def _count(self, connection: Connection, attempt: Attempt, *which: Any) -> int:
        """Attempts of the same account."""
        query = select(func.count()).where(
            attempts.c.service == attempt.service, attempts.c.account == attempt.account, *which
        )
        return int(connection.execute(query).scalar_one())

    def _event(self, attempt_id: str, state: State, cause: str, now: datetime) -> dict[str, Any]:
        return {
            "attempt_id": attempt_id,
            "at": now,
            "state": state,
            "cause": cause,
            "owner_id": self.owner_id,
        }

    def _own(self, connection: Connection, attempt: Attempt, run_id: str, now: datetime) -> None:
        values: dict[str, Any] = {"owner_id": self.owner_id}
        if attempt.state == "reserved":
            values["run_id"] = run_id
        connection.execute(update(attempts).where(attempts.c.id == attempt.id).values(**values))
        lent = attempt.owner_id == owner_of_run(run_id)
        cause = "taken from the run" if lent else "taken over from a process that has died"
        connection.execute(
            insert(events).values(self._event(attempt.id, attempt.state, cause, now))
        )
