"""Estimate, provider's count and billing feed come to one sum, or a person is told why not."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blocks.ledger import Ledger
from blocks.providers.base import Bill, BillingPage, BillingRow
from flows.costs.feed import Feed
from flows.costs.matching import before, unknown_charges
from flows.reconcile import Reconciled, exit_code, findings_of, reconcile_all
from tests.generate.conftest import Open
from tests.generate.studio import Studio, write
from tests.ledger.books import rows
from tests.web import web

WAVESPEED = "wavespeed-ai/magi-1-24b"
LIST = ("shot,prompt,model,seed", "a,Sea,,1", f"b,Rock,{WAVESPEED},2", "c,Sky,,3")
USD = Decimal


@pytest.fixture(autouse=True)
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's feed is of this moment."""
    monkeypatch.setenv("SHOTREEL_FEED_LAG_S", "0")


def reconciled(since_days: int = 30) -> dict[str, Reconciled]:
    found = asyncio.run(reconcile_all(live=False, since_days=since_days))
    return {account.service.removeprefix("sandbox/"): account for account in found}


def asked(tmp_path: Path, query: str) -> list[Any]:
    ledger = Ledger(f"sqlite:///{tmp_path}/home/ledger.sqlite")
    try:
        return rows(ledger, query)
    finally:
        ledger.close()


def charges(tmp_path: Path) -> list[Any]:
    return asked(
        tmp_path, "SELECT attempt_id, cost_nano_usd, source, cause FROM charges ORDER BY id"
    )


def billed_usd(tmp_path: Path) -> Decimal:
    return Decimal(sum(int(row[1]) for row in charges(tmp_path))) / 10**9


def charged_usd(studio: Studio) -> Decimal:
    return USD(studio.told("charges")["cost_usd"])


def made(studio: Studio, tmp_path: Path, *lines: str) -> Any:
    return studio.make(write(tmp_path / "list.csv", *(lines or LIST)))


def test_bill_that_adds_up_is_confirmed_row_by_row_and_once(studio: Studio, tmp_path: Path) -> None:
    made(studio, tmp_path)
    first = reconciled()
    assert (first["fal"].requests, first["wavespeed"].requests) == (2, 1)
    assert all(account.confirmed == account.requests for account in first.values())
    assert exit_code(list(first.values())) == 0
    kept = charges(tmp_path)
    assert {source for _, _, source, _ in kept} == {"provider", "estimate", "billing_feed"}
    assert billed_usd(tmp_path) == charged_usd(studio) == USD("0.88")
    again = reconciled()
    assert [account.confirmed for account in again.values()] == [0, 0]
    assert charges(tmp_path) == kept


def test_price_that_changed_in_the_middle_is_corrected_and_named(
    studio: Studio, tmp_path: Path
) -> None:
    studio.misbehave(at="job", do="price", unit_price_usd=0.1, after=1)
    made(studio, tmp_path, "shot,prompt,seed", "a,Sea,1", "b,Rock,2")
    assert billed_usd(tmp_path) == USD("0.64"), "each attempt keeps the price that it was quoted"
    found = reconciled()["fal"]
    [correction] = found.corrections
    assert (correction.difference_usd, correction.why) == (USD("0.08"), "price changed")
    assert billed_usd(tmp_path) == charged_usd(studio) == USD("0.72")
    assert findings_of([found]) == []


@pytest.mark.parametrize(("model", "cost"), [("", "0.32"), (WAVESPEED, "0.24")])
def test_refund_of_a_clip_that_was_delivered_is_a_correction(
    studio: Studio, tmp_path: Path, model: str, cost: str
) -> None:
    studio.misbehave(at="job", do="refund", refund_after_s=3)
    made(studio, tmp_path, "prompt,model,seed", f"Sea,{model},1")
    assert billed_usd(tmp_path) == charged_usd(studio) == USD(cost)
    reconciled()
    assert billed_usd(tmp_path) == charged_usd(studio) == USD(cost)
    until_charged(studio, "0")
    found = reconciled()["wavespeed" if model else "fal"]
    [correction] = found.corrections
    assert (correction.why, correction.difference_usd) == ("refund", -USD(cost))
    assert billed_usd(tmp_path) == 0
    causes = [cause for _, _, _, cause in charges(tmp_path)]
    assert len(causes) == 3, "delivered, confirmed, given back: no row was overwritten"


def until_charged(studio: Studio, cost_usd: str) -> None:
    limit = time.monotonic() + 10
    while charged_usd(studio) != USD(cost_usd):
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_bill_that_no_price_explains_is_written_down_and_a_finding(
    studio: Studio, tmp_path: Path
) -> None:
    studio.misbehave(at="job", do="price", unit_price_usd=5, after=1)
    made(studio, tmp_path, "shot,prompt,seed", "a,Sea,1", "b,Rock,2")
    found = reconciled()["fal"]
    [finding] = findings_of([found])
    assert (finding.kind, finding.cost_usd) == ("absurd charge", USD("20.00"))
    assert "quoted at $0.32" in finding.what
    assert exit_code([found]) == 5
    assert billed_usd(tmp_path) == charged_usd(studio) == USD("20.32")
    assert findings_of([reconciled()["fal"]]) == [], "what a person was told is told once"


def test_feed_that_is_late_is_waited_for_and_then_confirms(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.misbehave(at="billing", do="lag", lag_s=3600, times=0)
    made(studio, tmp_path)
    monkeypatch.setenv("SHOTREEL_FEED_LAG_S", "60")
    early = reconciled()
    assert [account.waiting for account in early.values()] == [2, 1]
    assert exit_code(list(early.values())) == 0
    web.delete(f"{studio.sandbox.url}/sandbox/faults")
    late = reconciled()
    assert [account.confirmed for account in late.values()] == [2, 1]


def test_row_that_the_feed_never_shows_is_a_finding_and_stays_as_it_is(
    studio: Studio, tmp_path: Path
) -> None:
    studio.misbehave(at="billing", do="lag", lag_s=3600, times=0)
    made(studio, tmp_path)
    kept = charges(tmp_path)
    for _ in range(2):
        accounts = reconciled()
        found = findings_of(accounts.values())
        assert [f.kind for f in found] == ["not in the feed"] * 3
        assert sum(f.cost_usd for f in found) == USD("0.88")
        assert exit_code(list(accounts.values())) == 5
    assert charges(tmp_path) == kept
    ids = {request["request_id"] for request in studio.told("requests")["requests"]}
    assert {f.request_id for f in found} == ids


def stranger(studio: Studio) -> str:
    """A clip that another program buys from the account."""
    answer = web.post(
        f"{studio.sandbox.url}/fal/queue/fal-ai/magi-distilled",
        headers={"Authorization": "Key admin:sandbox-key"},
        json={"prompt": "not from here"},
    )
    return str(answer.json()["request_id"])


def test_charge_that_the_ledger_does_not_know_is_a_finding(studio: Studio, tmp_path: Path) -> None:
    made(studio, tmp_path)
    request_id = stranger(studio)
    until_charged(studio, "1.20")
    [finding] = findings_of(reconciled().values())
    assert (finding.kind, finding.request_id) == ("unknown charge", request_id)
    assert (finding.cost_usd, finding.model) == (USD("0.32"), "fal-ai/magi-distilled")
    assert billed_usd(tmp_path) + finding.cost_usd == charged_usd(studio)


def test_charges_show_even_to_a_ledger_that_was_lost(studio: Studio, tmp_path: Path) -> None:
    made(studio, tmp_path)
    for path in (tmp_path / "home").glob("ledger.sqlite*"):
        path.unlink()
    found = findings_of(reconciled().values())
    assert sum(f.cost_usd for f in found) == charged_usd(studio) == USD("0.88")


def test_failure_that_nobody_counted_is_settled_by_the_feed(studio: Studio, tmp_path: Path) -> None:
    """fal's 422 without a units header: charged for one clip, free for the other."""
    for prompt, charged in (("Sea", True), ("Sky", False)):
        studio.misbehave(at="job", do="fail", status=422, charged=charged, match={"prompt": prompt})
    made(studio, tmp_path)
    states = "SELECT shot, state, charged FROM attempts WHERE service LIKE '%fal' ORDER BY shot"
    reconciled()
    assert asked(tmp_path, states) == [("a", "failed", "yes"), ("c", "released", "unknown")]
    reconciled()
    assert billed_usd(tmp_path) == charged_usd(studio) == USD("0.56")


def test_clip_that_was_lost_while_the_bill_was_late_is_in_it_later(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_START_TIMEOUT_S", "1")
    for at, do in (("poll", "not_found"), ("listing", "hidden"), ("billing", "lag")):
        studio.misbehave(at=at, do=do, times=0)
    made(studio, tmp_path, "shot,prompt,seed", "a,Sea,1")
    assert asked(tmp_path, "SELECT state FROM attempts") == [("lost",)]
    assert billed_usd(tmp_path) == 0
    web.delete(f"{studio.sandbox.url}/sandbox/faults")
    found = reconciled()["fal"]
    assert (found.waiting, found.findings) == (0, ())
    assert billed_usd(tmp_path) == charged_usd(studio) == USD("0.32")


def test_deduction_is_not_believed_while_it_may_come_back(studio: Studio, tmp_path: Path) -> None:
    studio.misbehave(at="job", do="fail", status=500, refund_after_s=4)
    studio_list = ("prompt,model,seed", f"Rock,{WAVESPEED},2")
    made(studio, tmp_path, *studio_list)
    found = reconciled()["wavespeed"]
    assert (found.waiting, found.corrections, found.findings) == (1, (), ())
    assert charges(tmp_path) == []
    until_charged(studio, "0")
    reconciled()
    assert asked(tmp_path, "SELECT state FROM attempts") == [("released",)]
    assert billed_usd(tmp_path) == 0


def test_long_feed_is_read_to_its_end(open_studio: Open, tmp_path: Path) -> None:
    studio = open_studio(latency_s=0.0)
    rows_ = [f"{n},Wave {n},{WAVESPEED},{n}" for n in range(1, 56)]
    made(studio, tmp_path, "shot,prompt,model,seed", *rows_)
    import blocks.providers.wavespeed.account as account

    before_, account.PAGE_SIZE = account.PAGE_SIZE, 10
    try:
        found = reconciled()["wavespeed"]
    finally:
        account.PAGE_SIZE = before_
    assert found.requests == found.confirmed == 55
    assert billed_usd(tmp_path) == charged_usd(studio) == found.billed_usd == USD("13.20")


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({"do": "status", "status": 403, "times": 0}, "403"),
        ({"do": "status", "status": 200, "body": {"billing_events": 7}, "times": 0}, "unreadable"),
        ({"do": "status", "status": 404, "times": 0}, "404"),
    ],
)
def test_feed_that_cannot_be_read_changes_nothing(
    studio: Studio, tmp_path: Path, rule: dict[str, Any], word: str
) -> None:
    made(studio, tmp_path)
    kept = charges(tmp_path)
    studio.misbehave(at="billing", **rule)
    accounts = reconciled()
    assert all(word in account.unread for account in accounts.values())
    assert findings_of(accounts.values()) == []
    assert exit_code(list(accounts.values())) == 1
    assert charges(tmp_path) == kept


def test_feed_that_stumbles_is_asked_again(studio: Studio, tmp_path: Path) -> None:
    made(studio, tmp_path)
    studio.misbehave(at="billing", do="status", status=503, times=2)
    assert not any(account.unread for account in reconciled().values())


# --- hostile feeds ----------------------------------------------------------------------------


class Hostile:
    """A provider whose billing says whatever a page of it says."""

    service, account = "fal", "default"

    def __init__(self, *pages: BillingPage) -> None:
        self.pages = pages
        self.asked = 0

    async def billing(self, since: Any, until: Any, cursor: str | None) -> BillingPage:
        page = self.pages[min(self.asked, len(self.pages) - 1)]
        self.asked += 1
        return page


def row(request_id: str = "r", cost: str | None = "0.32", at: str = "2026-11-21") -> BillingRow:
    return BillingRow(request_id, "fal-ai/magi-distilled", at, USD(4), cost and USD(cost))  # type: ignore[arg-type]


def read(*pages: BillingPage) -> Any:
    from flows.costs.feed import read_feed

    provider: Any = Hostile(*pages)
    now = datetime.now(UTC)
    return asyncio.run(read_feed(provider, now - timedelta(days=1), now))


def test_pages_that_go_in_a_circle_are_no_feed() -> None:
    found = read(BillingPage((row(),), "2"), BillingPage((row(),), "3"), BillingPage((row(),), "2"))
    assert "no end" in found.reason


def test_row_that_slides_onto_the_next_page_counts_once() -> None:
    found = read(BillingPage((row("a"), row("b")), "2"), BillingPage((row("b"), row("c")), None))
    assert {key: found.bill(key) for key in "abc"} == {
        key: Bill(USD(4), USD("0.32")) for key in "abc"
    }


def test_two_rows_of_one_request_add_up() -> None:
    refund = BillingRow("a", "", "later", USD(-4), USD("-0.32"))
    found = read(BillingPage((row("a"), refund), None))
    assert found.bill("a") == Bill(USD(0), USD(0))


def test_charge_with_an_unreadable_amount_is_a_finding_and_no_number() -> None:
    feed = Feed({"a": (row("a", None),)})
    assert feed.bill("a") is None
    [finding] = unknown_charges(
        feed, set(), {"fal-ai/magi-distilled"}, "fal", "default", posting_since=None
    )
    assert finding.kind == "unreadable"


def test_charge_of_what_is_not_sold_here_is_not_ours_to_explain() -> None:
    feed = Feed({"a": (row("a"),)})
    assert unknown_charges(feed, set(), {"another"}, "fal", "default", posting_since=None) == []


def test_charge_of_a_request_that_is_being_written_down_is_waited_for() -> None:
    sold = {"fal-ai/magi-distilled"}
    now = datetime.now(UTC)
    feed = Feed({"a": (row("a", at=now.isoformat()),)})
    minute = timedelta(minutes=1)
    young = unknown_charges(feed, set(), sold, "fal", "default", posting_since=now - minute)
    old = unknown_charges(feed, set(), sold, "fal", "default", posting_since=now + minute)
    assert (len(young), len(old)) == (0, 1)
    assert not before("yesterday", now)
