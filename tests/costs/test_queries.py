"""The queries of the ledger's README, as they stand there, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from blocks.ledger import Ledger
from blocks.providers.base import Bill
from tests.ledger.books import in_state
from tests.ledger.conftest import url

__all__ = ["url"]

README = Path(__file__).parents[2] / "blocks" / "ledger" / "README.md"
FILMS, DIFFERENCES, MISSING = re.findall(r"```sql\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    from decimal import Decimal

    ledger = Ledger(url)
    ledger.start_run("run", "a film", None)
    in_state(ledger, "stored", "f1")
    corrected = in_state(ledger, "stored", "f2")
    ledger.apply_bill(corrected, Bill(Decimal(5), Decimal("0.45")))
    in_state(ledger, "stored", "f3", service="sandbox/fal")
    in_state(ledger, "unknown", "f4")
    ledger.mark_lost(in_state(ledger, "submitted", "f5"), "nobody knows it")
    yield ledger
    ledger.close()


def asked(ledger: Ledger, query: str) -> list[dict[str, Any]]:
    with ledger.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text(query))]


def test_what_each_film_has_cost_in_each_month(ledger: Ledger) -> None:
    [row] = asked(ledger, FILMS)
    assert (row["film"], round(float(row["usd"]), 9)) == ("a film", 0.77)
    assert re.fullmatch(r"\d{4}-\d{2}", row["month"])


def test_what_costs_something_else_than_was_quoted(ledger: Ledger) -> None:
    [row] = asked(ledger, DIFFERENCES)
    assert (row["shot"], float(row["quoted_usd"]), float(row["usd"])) == ("f2", 0.32, 0.45)
    assert row["source"] == "billing_feed"


def test_what_was_paid_and_is_not_here(ledger: Ledger) -> None:
    found = {row["state"]: row["cause"] for row in asked(ledger, MISSING)}
    assert found == {"unknown": "the answer was lost", "lost": "nobody knows it"}
