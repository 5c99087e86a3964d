"""Everything that was paid, read from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from blocks.ledger import Ledger
from blocks.ledger.tables import attempts, charges
from flows.costs.bill import By, Total, grouped, total


@dataclass(frozen=True)
class Spend:
    """One charge row beside what it was for."""

    service: str
    account: str
    model: str
    sequence: str
    shot: str
    take: int
    run_id: str
    attempt_id: str
    fingerprint: str
    request_id: str | None
    state: str
    inputs: dict[str, object]
    submitted_at: datetime | None
    ended_at: datetime | None
    unit_price_usd: Decimal
    at: datetime
    units: Decimal
    cost_usd: Decimal
    source: str
    cause: str

    @property
    def live(self) -> bool:
        return not self.service.startswith("sandbox/")


def spending(ledger: Ledger) -> list[Spend]:
    """Every charge, oldest first."""
    query = (
        select(
            charges.c.service,
            charges.c.account,
            attempts.c.model,
            attempts.c.sequence,
            attempts.c.shot,
            attempts.c.take,
            charges.c.run_id,
            charges.c.attempt_id,
            attempts.c.fingerprint,
            charges.c.request_id,
            attempts.c.state,
            attempts.c.inputs,
            attempts.c.submitted_at,
            attempts.c.ended_at,
            attempts.c.unit_price_usd,
            charges.c.at,
            charges.c.units,
            charges.c.cost_usd,
            charges.c.source,
            charges.c.cause,
        )
        .join(attempts, attempts.c.id == charges.c.attempt_id)
        .order_by(charges.c.id)
    )
    with ledger.engine.connect() as connection:
        return [Spend(*tuple(row)) for row in connection.execute(query)]


def sums(rows: Sequence[Spend], by: By) -> list[Total]:
    """Sums of equal keys; an attempt with corrections counts once."""
    return [
        Total(key, *total(group), len({row.attempt_id for row in group}))
        for key, group in grouped(rows, by).items()
    ]
