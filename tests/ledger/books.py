"""Intents to buy, and what a ledger's rows say when read as rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import text

from blocks.ledger import Attempt, Intent, Ledger, State
from blocks.providers.base import Quote, Ticket

_numbers = count(1)


def quote(units: str = "4", unit_price_usd: str = "0.08") -> Quote:
    return Quote(Decimal(units), Decimal(unit_price_usd), date(2026, 11, 21), "price_rule")


def intent(fingerprint: str = "f1", **changes: Any) -> Intent:
    values: dict[str, Any] = {
        "fingerprint": fingerprint,
        "service": "fal",
        "account": "default",
        "model": "fal-ai/magi-distilled",
        "sequence": "opening",
        "shot": fingerprint,
        "take": 1,
        "inputs": {"prompt": "the sea", "seed": 7},
        "seed": 7,
        "quote": quote(),
    }
    return Intent(**{**values, **changes})


def reserved(
    ledger: Ledger, fingerprint: str = "f1", run_id: str = "run", **changes: Any
) -> Attempt:
    return ledger.reserve([intent(fingerprint, **changes)], run_id)[fingerprint]


def in_state(ledger: Ledger, state: State, fingerprint: str = "f1", **changes: Any) -> Attempt:
    """A new attempt, taken to this state by the way that every attempt takes."""
    attempt = reserved(ledger, fingerprint, **changes)
    if state == "reserved":
        return attempt
    claimed = ledger.claim(attempt, 10_000)
    assert claimed is not None
    if state == "posting":
        return claimed
    if state == "unknown":
        return ledger.mark_unknown(claimed, "the answer was lost")
    sent = ledger.mark_submitted(
        claimed, Ticket(f"auto-{next(_numbers)}", {"status_url": "https://s"})
    )
    if state == "submitted":
        return sent
    ready = ledger.mark_ready(sent, "https://media/clip.mp4", None)
    if state == "ready":
        return ready
    assert state == "stored"
    return ledger.mark_stored(ready, "5ha", 96)


def rows(ledger: Ledger, query: str, **values: Any) -> list[Any]:
    with ledger.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def change(ledger: Ledger, statement: str, **values: Any) -> None:
    """What only a test may do: write past the ledger."""
    with ledger.engine.connect() as connection, connection.begin():
        connection.execute(text(statement), values)


def charged_usd(ledger: Ledger, attempt: Attempt) -> Decimal:
    """What SQL says, in whole billionths."""
    [(nano,)] = rows(
        ledger, "SELECT SUM(cost_nano_usd) FROM charges WHERE attempt_id = :id", id=attempt.id
    )
    return Decimal(int(nano or 0)) / 10**9


def charges(ledger: Ledger, attempt: Attempt) -> list[tuple[Decimal, str]]:
    return [
        (Decimal(int(nano)) / 10**9, source)
        for nano, source in rows(
            ledger,
            "SELECT cost_nano_usd, source FROM charges WHERE attempt_id = :id ORDER BY id",
            id=attempt.id,
        )
    ]
