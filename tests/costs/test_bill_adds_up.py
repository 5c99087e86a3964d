"""Whatever happens to its clips: the bill of a list is the services' own count, by request."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import blocks.providers.wavespeed.account
from blocks.ledger import Ledger
from flows.reconcile import findings_of, reconcile_all
from tests.costs.fates import (
    FAL,
    FATES,
    REFUND_S,
    WAVESPEED,
    Shot,
    billed,
    charged,
    rules,
    shot_list,
)
from tests.generate.conftest import Open
from tests.generate.studio import Studio, write
from tests.ledger.books import rows
from tests.web import web

_numbers = count(1)

shots = st.builds(
    Shot,
    fate=st.sampled_from(list(FATES)),
    model=st.sampled_from([FAL, WAVESPEED]),
    takes=st.integers(1, 2),
)


@pytest.fixture
def studio(open_studio: Open, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("SHOTREEL_FEED_LAG_S", "0")
    monkeypatch.setattr(blocks.providers.wavespeed.account, "REFUND_S", 2 * REFUND_S)
    return open_studio(latency_s=0.05)


def misbehave(studio: Studio, *more: object) -> None:
    answer = web.put(f"{studio.sandbox.url}/sandbox/faults", json=list(more))
    assert answer.status_code == 200, answer.text


def every_fate(*models: str) -> list[Shot]:
    return [Shot(fate, model, 1) for fate in FATES for model in models]


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(wanted=st.lists(shots, min_size=1, max_size=5), feed_is_late=st.booleans())
@example(wanted=every_fate(FAL), feed_is_late=True)
@example(wanted=every_fate(WAVESPEED), feed_is_late=False)
def test_bill_is_the_services_own_count(
    studio: Studio, tmp_path: Path, wanted: list[Shot], feed_is_late: bool
) -> None:
    tag = f"list{next(_numbers)}"
    late = [{"at": "billing", "do": "lag", "lag_s": 3600, "times": 0}] if feed_is_late else []
    misbehave(studio, *rules(wanted, tag), *late)
    studio.make(write(tmp_path / "list.csv", *shot_list(wanted, tag)))
    asyncio.run(reconcile_all(live=False))
    misbehave(studio)
    time.sleep(2.5 * REFUND_S)
    accounts = asyncio.run(reconcile_all(live=False))
    ledger = Ledger(f"sqlite:///{tmp_path}/home/ledger.sqlite")
    try:
        services_own = charged(studio.told("charges")["charges"], tag)
        assert billed(ledger, tag) == services_own
        assert findings_of(accounts) == []
        [(kept,)] = rows(ledger, "SELECT COUNT(*) FROM charges")
        again = asyncio.run(reconcile_all(live=False))
        assert not any(account.corrections or account.confirmed for account in again)
        assert rows(ledger, "SELECT COUNT(*) FROM charges") == [(kept,)]
        total = sum(billed(ledger, "list%").values(), Decimal(0))
        assert total == Decimal(studio.told("charges")["cost_usd"])
    finally:
        ledger.close()
