"""Calls of many shots share a commit, and none of a call's promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from blocks.errors import BudgetError
from blocks.ledger import Attempt, Ledger
from blocks.ledger.engine import writing
from blocks.ledger.writer import MOST, LedgerWriter
from tests.ledger.books import intent, reserved, rows
from tests.ledger.conftest import OpenLedger


@pytest.fixture
def clerk(ledger: Ledger) -> Iterator[LedgerWriter]:
    clerk = LedgerWriter(ledger.engine)
    yield clerk
    clerk.close()


def at_once(clerk: LedgerWriter, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the calls give or raise, all wanted before the first is done."""

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(clerk.do(call) for call in calls), return_exceptions=True)

    return asyncio.run(all_of_them())


def claims(ledger: Ledger, attempts: Sequence[Attempt], room: int = 10_000) -> list[Any]:
    return [partial(ledger.claim, attempt, room) for attempt in attempts]


def test_calls_that_come_together_share_a_commit(ledger: Ledger, clerk: LedgerWriter) -> None:
    attempts = [reserved(ledger, f"f{n}") for n in range(40)]
    commits: list[object] = []
    event.listen(ledger.engine, "commit", commits.append)
    found = at_once(clerk, claims(ledger, attempts))
    assert [claimed.state for claimed in found] == ["posting"] * 40
    assert len(commits) < 20


def test_the_account_s_room_is_counted_within_a_commit(ledger: Ledger, clerk: LedgerWriter) -> None:
    attempts = [reserved(ledger, f"f{n}") for n in range(MOST)]
    found = at_once(clerk, claims(ledger, attempts, room=7))
    assert sum(claimed is not None for claimed in found) == 7


def test_what_a_caller_is_told_is_there_for_everyone(
    open_ledger: OpenLedger, clerk: LedgerWriter, ledger: Ledger
) -> None:
    other = open_ledger("another run")
    attempts = [reserved(ledger, f"f{n}") for n in range(30)]

    async def claim(attempt: Attempt) -> str:
        await clerk.do(partial(ledger.claim, attempt, 100))
        return other.get(attempt.id).state

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(claim(attempt) for attempt in attempts))

    assert asyncio.run(all_of_them()) == ["posting"] * 30


def test_a_call_that_is_refused_takes_back_only_its_own(
    ledger: Ledger, clerk: LedgerWriter
) -> None:
    ledger.start_run("poor", "poor", Decimal(0))
    calls = [
        partial(ledger.reserve, [intent(f"f{n}")], "poor" if n == 5 else "run") for n in range(12)
    ]
    found = at_once(clerk, calls)
    assert isinstance(found[5], BudgetError)
    held = {row[0] for row in rows(ledger, "SELECT fingerprint FROM attempts")}
    assert held == {f"f{n}" for n in range(12) if n != 5}


def test_a_call_that_the_database_cannot_do_does_not_take_others_with_it(
    ledger: Ledger, clerk: LedgerWriter
) -> None:
    attempts = [reserved(ledger, f"f{n}") for n in range(10)]

    def broken() -> None:
        with writing(ledger.engine) as connection:
            connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

    calls = claims(ledger, attempts)
    calls.insert(4, broken)
    found = at_once(clerk, calls)
    assert isinstance(found.pop(4), (OperationalError, ProgrammingError))
    assert [claimed.state for claimed in found] == ["posting"] * 10
    changes = rows(ledger, "SELECT COUNT(*) FROM events WHERE state = 'posting'")
    assert changes == [(10,)]


def test_a_claim_that_nobody_waits_for_is_not_made(ledger: Ledger, clerk: LedgerWriter) -> None:
    attempt = reserved(ledger)

    async def behind_another() -> None:
        slow = asyncio.ensure_future(clerk.do(partial(time.sleep, 0.2)))
        claim = asyncio.ensure_future(clerk.do(partial(ledger.claim, attempt, 1)))
        await asyncio.sleep(0.05)
        claim.cancel()
        await slow
        await clerk.do(list)  # whatever was wanted before is done

    asyncio.run(behind_another())
    assert ledger.get(attempt.id).state == "reserved"
