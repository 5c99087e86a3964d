"""Between a claim and the first byte a process may sleep: it looks again before it sends."""

from __future__ import annotations

from decimal import Decimal

from blocks.ledger import Ledger
from blocks.providers.base import Ticket
from tests.ledger.books import change, charges, in_state, rows
from tests.ledger.conftest import OpenLedger

LONG_AGO = "2026-01-01T00:00:00.000000+00:00"


def test_claim_that_holds_is_sent_and_its_silence_counts_from_then_on(ledger: Ledger) -> None:
    attempt = in_state(ledger, "posting")
    change(ledger, "UPDATE attempts SET posted_at = :at", at=LONG_AGO)
    assert ledger.about_to_send(attempt)
    now = ledger.get(attempt.id)
    assert (now.state, now.posted_at) > ("posting", attempt.posted_at)


def test_claim_that_another_process_has_settled_meanwhile_is_not_sent(
    open_ledger: OpenLedger,
) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    attempt = in_state(first, "posting", run_id="first")
    change(
        first,
        "UPDATE owners SET pid = 0, host = 'gone', beat_at = :at WHERE id = :id",
        at=LONG_AGO,
        id=first.owner_id,
    )
    mine = second.take_over(attempt, "second")
    assert mine is not None
    assert not first.about_to_send(attempt), "it is asked about by another"
    unknown = second.mark_unknown(mine, "the process ended while the request was sent")
    assert not first.about_to_send(attempt)
    second.release(unknown, "silence")
    assert not first.about_to_send(attempt)


def test_request_that_went_out_all_the_same_is_charged_to_its_shot_once(
    open_ledger: OpenLedger,
) -> None:
    ledger, other = open_ledger("first"), open_ledger("second")
    posting = in_state(ledger, "posting", run_id="first")
    given_up = other.release(ledger.mark_unknown(posting, "lost"), "silence")
    bought = in_state(other, "stored", run_id="second")
    noted = ledger.mark_submitted(posting, Ticket("late"))
    assert noted.state == "released"
    assert ledger.book_late(noted, Ticket("late", {"status_url": "https://s"}))
    assert not ledger.book_late(noted, Ticket("late"))
    assert ledger.get(given_up.id).request_id == "late"
    assert [(c[0], c[1]) for c in rows(ledger, "SELECT attempt_id, source FROM charges")] == [
        (bought.id, "estimate"),
        (given_up.id, "estimate"),
    ]
    assert ledger.run_spent_usd("first") == Decimal("0.32")
    assert ledger.request_ids("fal", "default", ["late"]) == {"late"}


def test_request_of_another_attempt_is_not_charged_again(ledger: Ledger) -> None:
    submitted = in_state(ledger, "submitted", "f1")
    given_up = ledger.release(in_state(ledger, "unknown", "f2"), "silence")
    assert submitted.request_id is not None
    assert not ledger.book_late(given_up, Ticket(submitted.request_id))
    assert charges(ledger, submitted) == charges(ledger, given_up) == []
