"""Promises between processes: real ones, on the same ledger, some of them killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from blocks.errors import BudgetError
from blocks.ledger import Ledger
from blocks.ledger.states import OCCUPYING
from blocks.providers.base import Ticket
from tests.ledger.books import change, in_state, intent, reserved, rows
from tests.ledger.conftest import OpenLedger
from tests.ledger.worker import Worker

FIFTY = [f"f{n:02}" for n in range(50)]
LONG_AGO = "2001-01-01T00:00:00.000000+00:00"


@contextmanager
def opened(workers: list[Worker], url: str, *, budget_usd: str | None = None) -> Iterator[None]:
    """All open the ledger at the same moment: the first of them makes it."""
    for number, worker in enumerate(workers):
        worker.tell("open", url=url, run_id=f"run{number}", budget_usd=budget_usd)
    try:
        owners = [worker.hear_owner() for worker in workers]
        assert len(set(owners)) == len(workers), owners
        yield
    finally:
        for worker in workers:
            worker.tell("close")
        for worker in workers:
            worker.hear()


def test_new_ledger_opens_for_all_who_open_it_at_once(
    tmp_path: Path, ten_workers: list[Worker]
) -> None:
    # Without the loser's second try about every twentieth of these had one that failed.
    for number in range(60):
        with opened(ten_workers[:4], f"sqlite:///{tmp_path}/{number}.sqlite"):
            pass


def test_one_live_attempt_a_fingerprint_however_many_processes_want_it(
    url: str, ten_workers: list[Worker]
) -> None:
    eight = ten_workers[:8]
    with opened(eight, url):
        for number, worker in enumerate(eight):
            worker.tell("reserve", fingerprints=FIFTY[number:] + FIFTY[:number])
        won = [worker.hear() for worker in eight]
        ledger = Ledger(url)
        live = rows(ledger, "SELECT fingerprint, id FROM attempts WHERE holds = 1")
        assert sorted(fingerprint for fingerprint, _ in live) == FIFTY
        assert rows(ledger, "SELECT COUNT(*) FROM attempts") == [(50,)]
        # Each is one process's, and that process knows it.
        mine = [(f, attempt_id) for ids in won for f, attempt_id in ids.items()]
        assert sorted(mine) == sorted(live)
        ledger.engine.dispose()


def test_one_live_attempt_also_where_each_comes_shot_by_shot(
    url: str, ten_workers: list[Worker]
) -> None:
    eight = ten_workers[:8]
    won: list[str] = []
    with opened(eight, url):
        for fingerprint in FIFTY[:10]:
            for worker in eight:
                worker.tell("reserve", fingerprints=[fingerprint])
            won += [f for worker in eight for f in worker.hear()]
    assert Counter(won) == Counter(FIFTY[:10])


def test_last_dollar_of_a_month_is_spent_once(url: str, ten_workers: list[Worker]) -> None:
    with opened(ten_workers, url):
        # $1 is three clips of $0.32 each; ten processes want two each.
        for number, worker in enumerate(ten_workers):
            two = [f"w{number}a", f"w{number}b"]
            worker.tell("reserve", fingerprints=two, monthly_budget_usd="1")
        answers = [worker.hear() for worker in ten_workers]
        ledger = Ledger(url)
        assert sum(answer != "BudgetError" for answer in answers) == 1
        [(nano,)] = rows(ledger, "SELECT SUM(cost_nano_usd_quoted) FROM attempts WHERE holds = 1")
        assert nano == 640_000_000
        for number, worker in enumerate(ten_workers):
            worker.tell("reserve", fingerprints=[f"w{number}c"], monthly_budget_usd="1")
        answers = [worker.hear() for worker in ten_workers]
        assert sum(answer != "BudgetError" for answer in answers) == 1
        [(nano,)] = rows(ledger, "SELECT SUM(cost_nano_usd_quoted) FROM attempts WHERE holds = 1")
        assert nano == 960_000_000
        assert rows(ledger, "SELECT COUNT(*) FROM attempts") == [(3,)]
        ledger.engine.dispose()


def test_account_never_has_more_in_flight_than_it_allows(
    url: str, ten_workers: list[Worker]
) -> None:
    limit = 2
    four = ten_workers[:4]
    with opened(four, url):
        for number, worker in enumerate(four):
            worker.ask("reserve", fingerprints=[f"w{number}-{n}" for n in range(6)])
        for worker in four:
            worker.tell("buy", max_in_flight=limit)
        assert [worker.hear() for worker in four] == [6, 6, 6, 6]
        ledger = Ledger(url)
        occupying: set[str] = set()
        fullest = 0
        for attempt_id, state in rows(ledger, "SELECT attempt_id, state FROM events ORDER BY id"):
            (occupying.add if state in OCCUPYING else occupying.discard)(attempt_id)
            fullest = max(fullest, len(occupying))
        assert 1 <= fullest <= limit
        assert rows(ledger, "SELECT DISTINCT state FROM attempts") == [("ready",)]
        ledger.engine.dispose()


def test_reservation_of_a_killed_process_holds_up_neither_budget_nor_shot(
    url: str, open_ledger: OpenLedger, start_worker: Callable[[], Worker]
) -> None:
    dying = start_worker()
    dying.ask("open", url=url, run_id="dying")
    ids = dying.ask("reserve", fingerprints=["f1", "f2"], monthly_budget_usd="0.70")
    living = open_ledger("living")
    with pytest.raises(BudgetError):
        reserved(living, "f3", "living", monthly_budget_usd=Decimal("0.70"))
    dying.kill()
    both = [intent(f, monthly_budget_usd=Decimal("0.70")) for f in ("f1", "f3")]
    held = living.reserve(both, "living")
    assert living.is_mine(held["f1"])
    assert held["f1"].id != ids["f1"]
    assert living.get(ids["f1"]).state == "released"
    assert living.get(ids["f2"]).state == "released"
    assert living.run_spent_usd("dying") == 0
    assert [c.state for c in living.history(ids["f1"])] == ["reserved", "released"]


def test_attempt_of_a_killed_process_is_taken_over_at_once_and_of_a_living_one_never(
    url: str, open_ledger: OpenLedger, start_worker: Callable[[], Worker]
) -> None:
    worker = start_worker()
    worker.tell("open", url=url, run_id="first")
    owner_id = worker.hear_owner()
    [attempt_id] = worker.ask("reserve", fingerprints=["f1"]).values()
    assert worker.ask("claim", attempt_id=attempt_id) == "posting"
    other = open_ledger("second")
    attempt = other.get(attempt_id)
    assert other.owner_is_alive(attempt)
    assert other.take_over(attempt, "second") is None
    assert other.get(attempt_id).owner_id == owner_id
    worker.kill()
    assert not other.owner_is_alive(attempt)
    mine = other.take_over(attempt, "second")
    assert mine is not None
    assert (mine.state, mine.owner_id) == ("posting", other.owner_id)
    # What was already sent is paid for by the run that sent it.
    assert mine.run_id == "first"
    assert other.history(attempt_id)[-1].cause == "taken over from a process that has died"


def test_answer_that_comes_after_a_false_death_is_still_written(
    url: str, open_ledger: OpenLedger, start_worker: Callable[[], Worker]
) -> None:
    frozen = start_worker()
    frozen.tell("open", url=url, run_id="first")
    owner_id = frozen.hear_owner()
    [attempt_id] = frozen.ask("reserve", fingerprints=["f1"]).values()
    assert frozen.ask("claim", attempt_id=attempt_id) == "posting"
    frozen.freeze()
    other = open_ledger("second")
    change(other, "UPDATE owners SET beat_at = :at WHERE id = :id", at=LONG_AGO, id=owner_id)
    mine = other.take_over(other.get(attempt_id), "second")
    assert mine is not None
    other.mark_unknown(mine, "the process ended while the request was sent")
    frozen.thaw()
    assert frozen.ask("submitted", attempt_id=attempt_id, request_id="r1") == "submitted"
    states = [change.state for change in other.history(attempt_id)]
    assert states == ["reserved", "posting", "posting", "unknown", "submitted"]
    assert other.get(attempt_id).request_id == "r1"


def test_process_that_was_taken_for_dead_does_not_send_what_another_is_sending(
    url: str, open_ledger: OpenLedger, start_worker: Callable[[], Worker]
) -> None:
    frozen = start_worker()
    frozen.tell("open", url=url, run_id="first")
    owner_id = frozen.hear_owner()
    [attempt_id] = frozen.ask("reserve", fingerprints=["f1"]).values()
    frozen.freeze()
    other = open_ledger("second")
    seen = other.get(attempt_id)
    change(other, "UPDATE owners SET beat_at = :at WHERE id = :id", at=LONG_AGO, id=owner_id)
    mine = other.take_over(seen, "second")
    assert mine is not None
    frozen.thaw()
    # Whoever comes first: the one that lost the attempt is never told that it may send it.
    assert frozen.ask("claim", attempt_id=attempt_id) != "posting"
    claimed = other.claim(mine, 10)
    assert claimed is not None
    assert claimed.state == "posting"


def test_stale_view_of_a_reservation_is_never_a_licence_to_send(open_ledger: OpenLedger) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    attempt = reserved(first, run_id="first")
    change(
        first,
        "UPDATE owners SET pid = 0, host = 'gone', beat_at = :at WHERE id = :id",
        at=LONG_AGO,
        id=first.owner_id,
    )
    mine = second.take_over(attempt, "second")
    assert mine is not None
    assert mine.run_id == "second"
    claimed = second.claim(mine, 10)
    assert claimed is not None
    assert claimed.state == "posting"
    late = first.claim(attempt, 10)
    assert late is not None
    assert late.state != "posting"
    assert [change.state for change in second.history(attempt.id)].count("posting") == 1


def test_reservation_that_is_taken_over_counts_against_the_new_runs_budget(
    url: str, open_ledger: OpenLedger, start_worker: Callable[[], Worker]
) -> None:
    dying = start_worker()
    dying.ask("open", url=url, run_id="dying")
    [attempt_id] = dying.ask("reserve", fingerprints=["f1"]).values()
    dying.kill()
    poor = open_ledger("poor", Decimal("0.10"))
    with pytest.raises(BudgetError):
        poor.take_over(poor.get(attempt_id), "poor")
    assert poor.get(attempt_id).run_id == "dying"
    assert poor.run_spent_usd("poor") == 0


def test_closed_ledger_gives_back_what_it_did_not_send_and_leaves_the_rest_to_others(
    open_ledger: OpenLedger,
) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    waiting = reserved(first, "f1", "first")
    sent = in_state(first, "submitted", "f2", run_id="first")
    first.close()
    assert second.get(waiting.id).state == "released"
    assert second.get(sent.id).state == "submitted"
    mine = second.take_over(second.get(sent.id), "second")
    assert mine is not None
    assert mine.ticket == Ticket(str(sent.request_id), {"status_url": "https://s"})
