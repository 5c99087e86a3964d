"""What the ledger is given and what it answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import bindparam, select

from blocks.errors import Paid
from blocks.ledger.proof import price_key
from blocks.ledger.states import State
from blocks.ledger.tables import attempts
from blocks.providers.base import Quote, Ticket

CostSource = Literal["no_price", "estimate", "provider", "billing_feed"]


@dataclass(frozen=True)
class Intent:
    """What is about to be bought."""

    fingerprint: str
    service: str
    account: str
    model: str
    sequence: str
    shot: str
    take: int
    inputs: Mapping[str, Any]
    seed: int | None
    quote: Quote
    schema_sha256: str = ""
    """Of the card by which it was bought: a fact about the purchase, not a part of it."""
    monthly_budget_usd: Decimal | None = None


@dataclass(frozen=True)
class Attempt:
    """A row of `attempts`."""

    id: str
    fingerprint: str
    holds: int
    state: State
    charged: Paid | None
    cause: str
    run_id: str
    owner_id: str | None
    service: str
    account: str
    model: str
    sequence: str
    shot: str
    take: int
    inputs: dict[str, Any]
    seed: int | None
    units_quoted: Decimal
    unit_price_usd: Decimal
    cost_quoted_usd: Decimal
    price_source: str
    price_as_of: str
    price_key: str
    cost_reserved_usd: Decimal
    schema_sha256: str | None
    request_id: str | None
    urls: dict[str, str] | None
    media_url: str | None
    clip_sha256: str | None
    num_frames: int | None
    created_at: datetime
    posted_at: datetime | None
    """By the service's clock, where its answers have told it."""
    submitted_at: datetime | None
    ended_at: datetime | None
    stored_at: datetime | None

    @property
    def shot_name(self) -> str:
        return f"{self.sequence}/{self.shot}"

    @property
    def asked_of(self) -> str:
        """The shot and the account that it was asked of, as errors name them."""
        return f"{self.shot_name} ({self.service} account {self.account})"

    @property
    def ticket(self) -> Ticket | None:
        return Ticket(self.request_id, self.urls or {}) if self.request_id else None


@dataclass(frozen=True)
class Cost:
    """The sum of an attempt's charges, and where the newest of them comes from."""

    units: Decimal
    cost_usd: Decimal
    source: CostSource


@dataclass(frozen=True)
class Change:
    at: datetime
    state: State
    cause: str


@dataclass(frozen=True)
class Charge:
    """A row of `charges`: one fact about money."""

    at: datetime
    run_id: str
    units: Decimal
    cost_usd: Decimal
    source: CostSource
    cause: str


COLUMNS = [attempts.c[field.name] for field in fields(Attempt)]
"""The columns of `attempts` in the order of `Attempt`'s fields."""

ROWS = select(*COLUMNS)
"""Every attempt. Made once, as all that is asked again and again: to put a statement together costs
more than to run it."""

ONE = ROWS.where(attempts.c.id == bindparam("attempt_id"))
"""The attempt of an `attempt_id`."""


def row_of(intent: Intent, run_id: str, owner_id: str, now: datetime) -> dict[str, Any]:
    """The row of a new attempt: reserved, not sent."""
    quote = intent.quote
    return {
        "id": uuid4().hex,
        "fingerprint": intent.fingerprint,
        "holds": 1,
        "state": "reserved",
        "cause": "planned",
        "run_id": run_id,
        "owner_id": owner_id,
        "service": intent.service,
        "account": intent.account,
        "model": intent.model,
        "sequence": intent.sequence,
        "shot": intent.shot,
        "take": intent.take,
        "inputs": dict(intent.inputs),
        "seed": intent.seed,
        "units_quoted": quote.units,
        "unit_price_usd": quote.unit_price_usd,
        "cost_quoted_usd": quote.cost_usd,
        "price_source": quote.source,
        "price_as_of": quote.as_of.isoformat(),
        "price_key": price_key(intent.inputs),
        "cost_reserved_usd": quote.cost_usd,
        "schema_sha256": intent.schema_sha256 or None,
        "created_at": now,
    }
