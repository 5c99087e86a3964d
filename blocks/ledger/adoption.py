"""A request that the ledger did not know, or had given up, becomes an attempt's again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from blocks import timing
from blocks.ledger.budget import (
    charge_up_to,
)
from blocks.ledger.engine import writing
from blocks.ledger.outcomes import Outcomes
from blocks.ledger.rows import Attempt, Intent, row_of
from blocks.ledger.states import ENDED, NEXT, State
from blocks.ledger.tables import attempts, events, runs
from blocks.providers.base import Ticket


class Adoption(Outcomes):
    def adopt_stored(
        self,
        intent: Intent,
        attempt_id: str,
        sha256: str,
        num_frames: int,
        film: str,
        *,
        run_id: str = "",
    ) -> bool:
        """Write down a clip that is in the store and of which the ledger knows nothing.

        Its cost is an estimate; without a `run_id` it is of no run that is under way. False where
        the ledger knows the attempt, or another for the clip.
        """
        now, free = timing.now(), intent.quote.source == "no_price"
        cause = "given" if run_id else "found in the store; the ledger did not know it"
        with writing(self.engine) as connection:
            adopted = self._adopt(
                connection,
                intent,
                attempt_id,
                film,
                now,
                state="stored",
                cause=cause,
                run_id=run_id,
                charged="no" if free else "yes",
                clip_sha256=sha256,
                num_frames=num_frames,
                ended_at=now,
                stored_at=now,
            )
            if adopted is not None:
                charge_up_to(
                    connection,
                    adopted,
                    units=intent.quote.units,
                    cost_usd=intent.quote.cost_usd,
                    source="no_price" if free else "estimate",
                    cause=cause,
                    now=now,
                )
            return adopted is not None

    def adopt_sent(self, intent: Intent, attempt_id: str, ticket: Ticket, film: str) -> bool:
        """Write down a request that was accepted and of which the ledger knows nothing.

        Nobody's yet: who wants the clip takes it over. False as for `adopt_stored`.
        """
        now = timing.now()
        try:
            with writing(self.engine) as connection:
                adopted = self._adopt(
                    connection,
                    intent,
                    attempt_id,
                    film,
                    now,
                    state="submitted",
                    cause="noted beside the ledger, which did not know it",
                    owner_id=None,
                    request_id=ticket.request_id,
                    urls=dict(ticket.urls),
                    posted_at=now,
                    submitted_at=now,
                )
                return adopted is not None
        except IntegrityError:
            return False

    def _adopt(
        self,
        connection: Connection,
        intent: Intent,
        attempt_id: str,
        film: str,
        now: datetime,
        *,
        state: State,
        cause: str,
        run_id: str = "",
        **values: Any,
    ) -> Attempt | None:
        known = select(attempts.c.id).where(attempts.c.id == attempt_id)
        if (
            self._holders(connection, [intent.fingerprint])
            or connection.execute(known).first() is not None
        ):
            return None
        run_id = run_id or f"found again: {film}"
        if not connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first():
            connection.execute(insert(runs).values(id=run_id, name=film, started_at=now))
        row = row_of(intent, run_id, self.owner_id, now)
        row |= {"id": attempt_id, "state": state, "cause": cause, **values}
        connection.execute(insert(attempts).values(**row))
        connection.execute(insert(events), self._event(attempt_id, state, cause, now))
        return self._get(connection, attempt_id)

    def adopt(self, attempt_id: str, ticket: Ticket, cause: str) -> Attempt:
        """A person has found the attempt's request at the provider: it is submitted.

        Where its fingerprint was bought again meanwhile it stays ended, and takes the request's
        id, so that its charge is booked. Raises ValueError where the request cannot be its.
        """
        with writing(self.engine) as connection:
            current = self._get(connection, attempt_id)
            if current.state in ("reserved", "posting", "submitted", "ready", "stored"):
                text = f"its request is {current.request_id}" if current.request_id else "not ended"
                raise ValueError(f"attempt {current.id} is {current.state}: {text}")
            if current.request_id not in (None, ticket.request_id):
                raise ValueError(f"attempt {current.id} is request {current.request_id}")
            if current.request_id and current.urls:
                ticket = Ticket(current.request_id, current.urls)
            try:
                return self._known_again(connection, current, ticket, cause)
            except IntegrityError:
                raise ValueError(
                    f"request {ticket.request_id} belongs to another attempt"
                ) from None

    def let_go(self, attempt_id: str, cause: str) -> Attempt:
        """A person gives the attempt up: its fingerprint is free to be bought again.

        Raises ValueError where there is nothing to give up, or a living process is at work on it.
        """
        with writing(self.engine) as connection:
            current = self._get(connection, attempt_id)
            if "released" not in NEXT[current.state]:
                raise ValueError(f"attempt {current.id} is {current.state}")
            if current.state not in ENDED and self._alive(connection, current.owner_id):
                raise ValueError(
                    f"attempt {current.id} is {current.state}, and a running process is at work "
                    "on it"
                )
            now = timing.now()
            return self._move(
                connection, current, "released", cause, now, ended_at=current.ended_at or now
            )
