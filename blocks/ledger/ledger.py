"""The ledger: what was asked for, what came of it, and what it cost. The truth about money.

Every method is one transaction, committed to disk when it returns. A change of state happens only
from the states that allow it (`states.NEXT`); where another process was faster, the method gives
the attempt as it now is, and the caller goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from blocks import timing
from blocks.errors import SetupError
from blocks.ledger.budget import (
    charge_up_to,
    charged_of_kind,
    check_before_post,
    check_monthly_budgets,
    check_run_budget,
    counts_of,
    run_budget,
)
from blocks.ledger.engine import open_engine, writing
from blocks.ledger.owners import Heart
from blocks.ledger.proof import RECENT, CountAwaitedError, reservation_usd, room
from blocks.ledger.queries import Queries, chunks
from blocks.ledger.rows import COLUMNS, ROWS, Attempt, Intent, row_of
from blocks.ledger.shared_budget import beat, lend, owner_of_run
from blocks.ledger.states import ENDED, NEXT, OCCUPYING, State, holds
from blocks.ledger.tables import attempts, events, owners, runs, uploads
from blocks.ledger.writer import LedgerWriter
from blocks.providers.base import Bill, Failed, Quote, Ticket

A_MINUTE = timedelta(minutes=1)

MOVE = (
    update(attempts)
    .where(
        attempts.c.id == bindparam("attempt_id"),
        attempts.c.state.in_(bindparam("from_states", expanding=True)),
    )
    .returning(*COLUMNS)
)
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

P = ParamSpec("P")
T = TypeVar("T")


class Ledger(Queries):
    """Raises SetupError where the database cannot be used."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.owner_id = uuid4().hex
        self._owner_ids: tuple[str, ...] = (self.owner_id,)
        self._heart: Heart | None = None
        self._writer: LedgerWriter | None = None

    async def book(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the ledger in its own thread: the loop goes on, and shots share commits.

        Raises SetupError where the database cannot do it (disk full, locked, gone).
        """
        self._writer = self._writer or LedgerWriter(self.engine)
        try:
            return await self._writer.do(partial(call, *args, **kwargs))
        except DBAPIError as error:
            raise SetupError(
                f"The ledger cannot be written: {str(error.orig).splitlines()[0]}.",
                remedy="What was bought is not lost. Mend the ledger's disk, then run it again.",
            ) from None

    def close(self) -> None:
        """Give back what was set aside and not sent, and let others take over the rest."""
        if self._writer:
            self._writer.close()
        if self._heart:
            self._heart.stop()
            # On a full disk it cannot be said; that the process has ended shows all the same.
            with suppress(SQLAlchemyError), writing(self.engine) as connection:
                self._release_reserved(connection, self._owner_ids, "the run has ended")
                connection.execute(delete(owners).where(owners.c.id.in_(self._owner_ids)))
        self.engine.dispose()

    # --- runs and owners ----------------------------------------------------------------------

    def start_run(self, run_id: str, name: str, budget_usd: Decimal | None, film: str = "") -> None:
        """Note the run, its film and its budget; started again, it keeps what it has spent.

        `name` is what people call the film, `film` its identity where it has one.
        """
        now = timing.now()
        with writing(self.engine) as connection:
            self._beat(connection, now)
            known = connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first()
            if known:
                connection.execute(
                    update(runs).where(runs.c.id == run_id).values(budget_usd=budget_usd)
                )
            else:
                connection.execute(
                    insert(runs).values(
                        id=run_id, name=name, started_at=now, budget_usd=budget_usd, film=film
                    )
                )
        if self._heart is None:
            self._heart = Heart(self.beat)
            self._heart.start()

    def beat(self) -> None:
        with writing(self.engine) as connection:
            self._beat(connection, timing.now())

    def _beat(self, connection: Connection, now: datetime) -> None:
        for owner_id in self._owner_ids:
            beat(connection, owner_id, now)

    def lend(self, run_id: str) -> None:
        """Let every process of the run take what this one has reserved in it and not sent."""
        with writing(self.engine) as connection:
            self._owner_ids = (self.owner_id, owner_of_run(run_id))
            self._beat(connection, timing.now())
            lend(connection, self.owner_id, run_id)

    # --- before the request -------------------------------------------------------------------

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

    # --- after the request --------------------------------------------------------------------

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

    def mark_submitted(self, attempt: Attempt, ticket: Ticket, cause: str = "accepted") -> Attempt:
        """The request id is on disk. An id that another attempt has is refused (ValueError)."""
        try:
            return self._change(
                attempt,
                "submitted",
                cause,
                request_id=ticket.request_id,
                urls=dict(ticket.urls),
                submitted_at=timing.now(),
            )
        except IntegrityError:
            raise ValueError(f"request {ticket.request_id} belongs to another attempt") from None

    def book_late(self, attempt: Attempt, ticket: Ticket) -> bool:
        """Charge a request that was accepted when its attempt had been given up.

        As an estimate, for the bill to correct; the attempt stays released. False where the
        request is in the ledger already, or the attempt is not given up.
        """
        now = timing.now()
        try:
            with writing(self.engine) as connection:
                booked = connection.execute(
                    update(attempts)
                    .where(
                        attempts.c.id == attempt.id,
                        attempts.c.state == "released",
                        attempts.c.request_id.is_(None),
                    )
                    .values(request_id=ticket.request_id, urls=dict(ticket.urls), submitted_at=now)
                    .returning(*COLUMNS)
                ).first()
                if booked is None:
                    return False
                charge_up_to(
                    connection,
                    Attempt(*booked),
                    units=attempt.units_quoted,
                    cost_usd=attempt.cost_reserved_usd,
                    source="no_price" if attempt.price_source == "no_price" else "estimate",
                    cause="accepted after it was given up",
                    now=now,
                )
                return True
        except IntegrityError:
            return False

    def mark_unknown(self, attempt: Attempt, cause: str) -> Attempt:
        return self._change(attempt, "unknown", cause)

    def mark_ready(
        self,
        attempt: Attempt,
        media_url: str,
        units: Decimal | None,
        bill: Bill | None = None,
    ) -> Attempt:
        """The clip exists at the provider, so it is paid for: the charge is written with it.

        `units` is the provider's own count; without one what was set aside stands in, as an
        estimate, until its `bill` says more. What an account without a price has made is written
        too, as a charge of nothing.
        """
        now = timing.now()
        free = attempt.price_source == "no_price"
        with writing(self.engine) as connection:
            moved = self._move(
                connection,
                attempt,
                "ready",
                "the provider has the clip",
                now,
                media_url=media_url,
                ended_at=attempt.ended_at or now,
                owner_id=self.owner_id if attempt.state in ENDED else attempt.owner_id,
                charged="no" if free else "yes",
            )
            if moved.state == "ready":
                self._charge_delivered(connection, moved, units, now)
                if bill is not None:
                    self._apply_bill(connection, moved, bill)
            return moved

    def note_charge(self, attempt: Attempt, units: Decimal | None) -> None:
        """The charge of a clip that was delivered, and that another attempt is stored for."""
        with writing(self.engine) as connection:
            held = self._get(connection, attempt.id)
            self._charge_delivered(connection, held, units, timing.now())

    def mark_failed(self, attempt: Attempt, outcome: Failed) -> Attempt:
        now = timing.now()
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
            stored_at=timing.now(),
        )

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

    def mark_missing(self, attempt: Attempt, cause: str) -> Attempt:
        """stored -> ready: the store lost the clip; the provider is asked for it again."""
        return self._change(attempt, "ready", cause, owner_id=self.owner_id)

    def mark_lost(self, attempt: Attempt, cause: str) -> Attempt:
        return self._change(attempt, "lost", cause, ended_at=attempt.ended_at or timing.now())

    def mark_known(self, attempt: Attempt, cause: str) -> Attempt:
        """lost or failed -> submitted: the provider is at work on it after all."""
        with writing(self.engine) as connection:
            return self._known_again(connection, attempt, attempt.ticket, cause)

    # --- what a person decides ----------------------------------------------------------------

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
            now=timing.now(),
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
            values = {"url": url, "at": timing.now()}
            if connection.execute(update(uploads).where(*key).values(**values)).rowcount == 0:
                connection.execute(
                    insert(uploads).values(
                        service=service, account=account, sha256=sha256, **values
                    )
                )

    # --- inside a transaction -----------------------------------------------------------------

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

    def _charge_delivered(
        self, connection: Connection, attempt: Attempt, units: Decimal | None, now: datetime
    ) -> None:
        cost_usd = attempt.cost_reserved_usd
        free = attempt.price_source == "no_price"
        charge_up_to(
            connection,
            attempt,
            units=attempt.units_quoted if units is None else units,
            cost_usd=cost_usd if units is None else units * attempt.unit_price_usd,
            source="no_price" if free else "estimate" if units is None else "provider",
            cause="clip delivered",
            now=now,
        )

    def _known_again(
        self, connection: Connection, attempt: Attempt, ticket: Ticket | None, cause: str
    ) -> Attempt:
        """Submitted again; where another attempt holds the fingerprint, only named."""
        assert ticket is not None
        named = {"request_id": ticket.request_id, "urls": dict(ticket.urls)}
        holder = self._holders(connection, [attempt.fingerprint]).get(attempt.fingerprint)
        if holder is not None and holder.id != attempt.id:
            connection.execute(update(attempts).where(attempts.c.id == attempt.id).values(**named))
            event = self._event(attempt.id, attempt.state, cause, timing.now())
            connection.execute(insert(events), event)
            return self._get(connection, attempt.id)
        owner_id = attempt.owner_id if attempt.state == "unknown" else self.owner_id
        values = {"owner_id": owner_id, "submitted_at": attempt.submitted_at or timing.now()}
        moved = connection.execute(
            update(attempts)
            .where(attempts.c.id == attempt.id, attempts.c.state == attempt.state)
            .values(state="submitted", cause=cause, holds=1, **named, **values)
            .returning(*COLUMNS)
        ).first()
        if moved is None:
            return self._get(connection, attempt.id)
        connection.execute(
            insert(events), self._event(attempt.id, "submitted", cause, timing.now())
        )
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
        query = ROWS.where(attempts.c.state == "reserved", attempts.c.owner_id.in_(owner_ids))
        now = timing.now()
        for row in connection.execute(query).all():
            self._move(connection, Attempt(*row), "released", cause, now, ended_at=now)

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
