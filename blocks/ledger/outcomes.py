"""After a request was sent: what became of it, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError

from blocks import timing
from blocks.ledger.budget import (
    charge_up_to,
)
from blocks.ledger.changes import Changes
from blocks.ledger.engine import writing
from blocks.ledger.queries import chunks
from blocks.ledger.rows import COLUMNS, Attempt
from blocks.ledger.states import ENDED
from blocks.ledger.tables import attempts, events
from blocks.providers.base import Bill, Failed, Ticket


class Outcomes(Changes):
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

    def mark_missing(self, attempt: Attempt, cause: str) -> Attempt:
        """stored -> ready: the store lost the clip; the provider is asked for it again."""
        return self._change(attempt, "ready", cause, owner_id=self.owner_id)

    def mark_lost(self, attempt: Attempt, cause: str) -> Attempt:
        return self._change(attempt, "lost", cause, ended_at=attempt.ended_at or timing.now())

    def mark_known(self, attempt: Attempt, cause: str) -> Attempt:
        """lost or failed -> submitted: the provider is at work on it after all."""
        with writing(self.engine) as connection:
            return self._known_again(connection, attempt, attempt.ticket, cause)

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
