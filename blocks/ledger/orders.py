"""Before a request is sent: its money is set aside, its turn comes, one process may send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from blocks import timing
from blocks.ledger.budget import (
    charged_of_kind,
    check_before_post,
    check_monthly_budgets,
    check_run_budget,
    counts_of,
    run_budget,
)
from blocks.ledger.changes import Changes
from blocks.ledger.engine import writing
from blocks.ledger.proof import RECENT, CountAwaitedError, reservation_usd, room
from blocks.ledger.queries import chunks
from blocks.ledger.rows import Attempt, Intent, row_of
from blocks.ledger.shared_budget import owner_of_run
from blocks.ledger.states import OCCUPYING
from blocks.ledger.tables import attempts, events
from blocks.providers.base import Quote

A_MINUTE = timedelta(minutes=1)
SEND = update(attempts).where(
    attempts.c.id == bindparam("attempt_id"),
    attempts.c.state == "posting",
    attempts.c.owner_id == bindparam("by_owner"),
)
OF_ACCOUNT = (
    attempts.c.service == bindparam("of_service"),
    attempts.c.account == bindparam("of_account"),
)
AT_WORK = select(func.count()).where(*OF_ACCOUNT, attempts.c.state.in_(OCCUPYING))
LATELY = select(func.count()).where(*OF_ACCOUNT, attempts.c.posted_at > bindparam("since"))
OF_MODEL = (*OF_ACCOUNT, attempts.c.model == bindparam("of_model"))
SENT = select(attempts.c.id, attempts.c.price_key).where(*OF_MODEL, attempts.c.state.in_(OCCUPYING))
PROVED = select(attempts.c.price_key).where(*OF_MODEL, attempts.c.charged == "yes").distinct()


class Orders(Changes):
    def reserve(self, intents: Sequence[Intent], run_id: str) -> dict[str, Attempt]:
        """Write the intents and set their cost aside, in one transaction with the budget check.

        Gives, by fingerprint, the attempt that now holds it: a new one, or the one that was
        there. Raises BudgetError, and then nothing is written.
        """
        now = timing.now()
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
        now = timing.now()
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
        self,
        attempt: Attempt,
        max_in_flight: int,
        max_per_minute: int | None = None,
        monthly_budget_usd: Decimal | None = None,
        ahead: timedelta = timedelta(0),
    ) -> Attempt | None:
        """reserved -> posting, where the account has room for one more request; else None.

        Only an attempt that comes back in `posting` may be sent. One that is no longer this
        process's to send comes back as it was seen, also where another process is sending it.
        `ahead` is how far the service's clock is ahead of this machine's: `posted_at` is by the
        service's, which all machines share.
        Raises BudgetError where what was charged and is in flight leaves nothing for it,
        CountAwaitedError where its price is not proved enough for one more.
        """
        now = timing.now()
        with writing(self.engine) as connection:
            current = self._get(connection, attempt.id)
            if current.state != "reserved" or current.owner_id != self.owner_id:
                return attempt
            account = {"of_service": attempt.service, "of_account": attempt.account}
            if connection.execute(AT_WORK, account).scalar_one() >= max_in_flight:
                return None
            if max_per_minute is not None:
                lately = {**account, "since": now + ahead - A_MINUTE}
                if connection.execute(LATELY, lately).scalar_one() >= max_per_minute:
                    return None
            reserved_usd = current.cost_reserved_usd
            if current.price_source != "no_price":
                own = counts_of(connection, current, same_kind=True)
                self._check_proof(connection, current, len(own))
                others = [] if own else counts_of(connection, current, same_kind=False)
                reserved_usd = reservation_usd(current.cost_quoted_usd, own, others)
            check_before_post(connection, current, reserved_usd, monthly_budget_usd, now)
            return self._move(
                connection,
                attempt,
                "posting",
                "room",
                now,
                posted_at=now + ahead,
                cost_reserved_usd=reserved_usd,
            )

    def _check_proof(self, connection: Connection, attempt: Attempt, counts: int) -> None:
        """Raises CountAwaitedError where enough of its kind, or kinds of its model, are in flight.

        Only a run that has a budget to keep waits for `counts`.
        """
        if counts >= RECENT or run_budget(connection, attempt.run_id) is None:
            return
        charged = charged_of_kind(connection, attempt)
        model = {
            "of_service": attempt.service,
            "of_account": attempt.account,
            "of_model": attempt.model,
        }
        sent = connection.execute(SENT, model).all()
        same = tuple(row.id for row in sent if row.price_key == attempt.price_key)
        if len(same) >= room(charged):
            raise CountAwaitedError(same)
        if charged:
            return
        proved = set(connection.execute(PROVED, model).scalars())
        first_ones = tuple(row.id for row in sent if row.price_key not in proved)
        if len(first_ones) >= room(len(proved)):
            raise CountAwaitedError(first_ones)

    def about_to_send(self, attempt: Attempt, ahead: timedelta = timedelta(0)) -> bool:
        """Whether a claim still holds; from here on the silence about it is counted.

        `ahead` as for `claim`.

        Where the process was suspended since, another may have settled it: then it is not sent.
        """
        with writing(self.engine) as connection:
            mine = {"attempt_id": attempt.id, "by_owner": self.owner_id}
            held = connection.execute(SEND, {**mine, "posted_at": timing.now() + ahead})
            return held.rowcount == 1

    def put_back(self, attempt: Attempt, cause: str) -> Attempt:
        """posting -> reserved: nothing was accepted, and it may be tried again."""
        return self._change(attempt, "reserved", cause)

    def release(self, attempt: Attempt, cause: str) -> Attempt:
        """The fingerprint is free to be bought again, and what was set aside is given back."""
        return self._change(attempt, "released", cause, ended_at=timing.now())

    def set_inputs(self, attempt: Attempt, inputs: Mapping[str, Any]) -> Attempt:
        """The inputs as they will be sent, URLs of uploaded files among them."""
        with writing(self.engine) as connection:
            connection.execute(
                update(attempts).where(attempts.c.id == attempt.id).values(inputs=dict(inputs))
            )
            return self._get(connection, attempt.id)

    def requote(self, attempt: Attempt, quote: Quote) -> Attempt:
        """What the very body is quoted at, files and all, is set aside instead."""
        with writing(self.engine) as connection:
            connection.execute(
                update(attempts)
                .where(attempts.c.id == attempt.id, attempts.c.state == "reserved")
                .values(
                    units_quoted=quote.units,
                    unit_price_usd=quote.unit_price_usd,
                    cost_quoted_usd=quote.cost_usd,
                    cost_reserved_usd=quote.cost_usd,
                )
            )
            return self._get(connection, attempt.id)

    def _release_dead_reservations(self, connection: Connection) -> None:
        """What a dead process had set aside and not sent holds up neither budget nor shot."""
        query = select(attempts.c.owner_id).where(attempts.c.state == "reserved").distinct()
        owner_ids = list(connection.execute(query).scalars())
        dead = [o for o in owner_ids if o != self.owner_id and not self._alive(connection, o)]
        if dead:
            self._release_reserved(connection, dead, "its process has died; it was never sent")
