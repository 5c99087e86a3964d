"""One attempt moves on: its new state and the event that tells of it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from blocks import timing
from blocks.ledger.engine import writing
from blocks.ledger.queries import Queries
from blocks.ledger.rows import COLUMNS, ROWS, Attempt
from blocks.ledger.shared_budget import owner_of_run
from blocks.ledger.states import NEXT, State, holds
from blocks.ledger.tables import attempts, events

MOVE = (
    update(attempts)
    .where(
        attempts.c.id == bindparam("attempt_id"),
        attempts.c.state.in_(bindparam("from_states", expanding=True)),
    )
    .returning(*COLUMNS)
)


class Changes(Queries):
    """What every change of an attempt goes through."""

    def _change(self, attempt: Attempt, state: State, cause: str, **values: Any) -> Attempt:
        with writing(self.engine) as connection:
            return self._move(connection, attempt, state, cause, timing.now(), **values)

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
        values |= {"state": state, "cause": cause, "holds": int(holds(state, charged))}
        which = {"attempt_id": attempt.id, "from_states": allowed}
        moved = connection.execute(MOVE, {**which, **values}).first()
        if moved is None:
            return self._get(connection, attempt.id)
        connection.execute(insert(events), self._event(attempt.id, state, cause, now))
        return Attempt(*moved)

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
        connection.execute(insert(events), self._event(attempt.id, attempt.state, cause, now))

    def _release_reserved(
        self, connection: Connection, owner_ids: Sequence[str | None], cause: str
    ) -> None:
        query = ROWS.where(attempts.c.state == "reserved", attempts.c.owner_id.in_(owner_ids))
        now = timing.now()
        for row in connection.execute(query).all():
            self._move(connection, Attempt(*row), "released", cause, now, ended_at=now)
