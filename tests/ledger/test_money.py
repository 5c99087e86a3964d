"""Budgets hold, and the bill adds up to the last billionth."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from blocks.errors import BudgetError
from blocks.ledger import Cost, Ledger
from blocks.ledger.engine import writing
from blocks.ledger.tables import Nano
from blocks.ledger.tables import charges as charges_table
from blocks.money import from_nano, in_nano
from blocks.providers.base import Bill, Failed
from tests.ledger.books import charged_usd, charges, in_state, intent, quote, reserved, rows
from tests.ledger.conftest import OpenLedger

USD = Decimal


# --- budgets ----------------------------------------------------------------------------------


def test_plan_that_the_budget_does_not_cover_leaves_no_row(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("run", USD("0.95"))
    with pytest.raises(BudgetError) as caught:
        ledger.reserve([intent(f"f{n}") for n in range(3)], "run")
    assert caught.value.exit_code == 4
    assert "0.95" in caught.value.message
    assert "0.96" in caught.value.message
    for table in ("attempts", "events", "charges"):
        assert rows(ledger, f"SELECT COUNT(*) FROM {table}") == [(0,)]  # table is one of three


def test_budget_is_spent_to_the_last_cent(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("run", USD("0.96"))
    ledger.reserve([intent(f"f{n}") for n in range(3)], "run")
    with pytest.raises(BudgetError):
        reserved(ledger, "one-more")
    assert ledger.run_spent_usd("run") == USD("0.96")


def test_budget_of_zero_buys_nothing_but_what_is_free(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("run", USD(0))
    assert reserved(ledger, "free", quote=quote("0")).cost_quoted_usd == 0
    with pytest.raises(BudgetError):
        reserved(ledger, "paid")


def test_charge_replaces_what_was_set_aside(ledger: Ledger) -> None:
    attempt = in_state(ledger, "submitted")
    assert ledger.run_spent_usd("run") == USD("0.32")
    ledger.mark_ready(attempt, "https://a", USD(6))
    assert ledger.run_spent_usd("run") == USD("0.48")


def test_what_comes_free_gives_its_share_back(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("run", USD("0.32"))
    ledger.mark_failed(in_state(ledger, "submitted", "f1"), Failed("HTTP 500", "no"))
    ledger.release(in_state(ledger, "posting", "f2"), "HTTP 422")
    assert ledger.run_spent_usd("run") == 0
    reserved(ledger, "f3")


@pytest.mark.parametrize("ending", ["failed", "lost", "unknown"])
def test_what_may_have_been_charged_stays_set_aside(ledger: Ledger, ending: str) -> None:
    if ending == "failed":
        ledger.mark_failed(in_state(ledger, "submitted"), Failed("HTTP 422", "unknown"))
    elif ending == "lost":
        ledger.mark_lost(in_state(ledger, "submitted"), "nobody knows it")
    else:
        in_state(ledger, "unknown")
    assert ledger.run_spent_usd("run") == USD("0.32")


def test_run_that_is_started_again_keeps_what_it_has_spent(open_ledger: OpenLedger) -> None:
    first = open_ledger("run", USD("0.64"))
    in_state(first, "stored", "f1")
    first.close()
    again = open_ledger("run", USD("0.64"))
    reserved(again, "f2")
    with pytest.raises(BudgetError):
        reserved(again, "f3")


def test_runs_have_budgets_of_their_own(open_ledger: OpenLedger) -> None:
    first, second = open_ledger("first", USD("0.32")), open_ledger("second", USD("0.32"))
    reserved(first, "f1", "first")
    reserved(second, "f2", "second")
    with pytest.raises(BudgetError):
        reserved(second, "f3", "second")


def test_month_of_an_account_counts_every_run(open_ledger: OpenLedger) -> None:
    cap = USD("0.64")
    first, second = open_ledger("first"), open_ledger("second")
    in_state(first, "stored", "f1", run_id="first", monthly_budget_usd=cap)
    reserved(second, "f2", "second", monthly_budget_usd=cap)
    with pytest.raises(BudgetError) as caught:
        reserved(second, "f3", "second", monthly_budget_usd=cap)
    assert "default" in caught.value.message
    assert datetime.now(UTC).strftime("%Y-%m") in caught.value.message
    reserved(second, "f3", "second", account="another", monthly_budget_usd=cap)


def test_month_holds_also_where_more_was_counted_than_quoted(open_ledger: OpenLedger) -> None:
    """Each was set aside at its quote: the look before each request reckons with the counts."""
    cap = USD("1")
    ledger = open_ledger("run")
    waiting = reserved(ledger, "f2", monthly_budget_usd=cap)
    sent = in_state(ledger, "submitted", "f1", monthly_budget_usd=cap)
    ledger.mark_ready(sent, "https://media/clip.mp4", USD(8))
    with pytest.raises(BudgetError, match=r"\$0\.64 of it is spent"):
        ledger.claim(waiting, 10, monthly_budget_usd=cap)
    assert ledger.get(waiting.id).state == "reserved"
    claimed = ledger.claim(waiting, 10, monthly_budget_usd=USD("1.28"))
    assert claimed and claimed.state == "posting"


def test_last_months_charges_do_not_count_in_this_one(ledger: Ledger) -> None:
    attempt = in_state(ledger, "stored", monthly_budget_usd=USD("0.32"))
    with ledger.engine.connect() as connection, connection.begin():
        connection.execute(charges_table.update().values(at=datetime(2001, 1, 31, tzinfo=UTC)))
    assert charged_usd(ledger, attempt) == USD("0.32")
    reserved(ledger, "f2", monthly_budget_usd=USD("0.32"))


def test_list_that_is_bought_already_needs_no_budget(open_ledger: OpenLedger) -> None:
    first = open_ledger("run")
    in_state(first, "stored", "f1")
    again = open_ledger("run", USD("0.01"))
    held = again.reserve([intent("f1", monthly_budget_usd=USD("0.01"))], "run")
    assert held["f1"].state == "stored"


# --- charges ----------------------------------------------------------------------------------


def test_clip_without_a_count_is_charged_as_quoted(ledger: Ledger) -> None:
    attempt = in_state(ledger, "ready")
    assert charges(ledger, attempt) == [(USD("0.32"), "estimate")]
    assert ledger.costs([attempt.id]) == {attempt.id: Cost(USD(4), USD("0.32"), "estimate")}


def test_providers_count_is_what_is_charged(ledger: Ledger) -> None:
    attempt = ledger.mark_ready(in_state(ledger, "submitted"), "https://a", USD("3.008"))
    assert charges(ledger, attempt) == [(USD("0.24064"), "provider")]
    assert ledger.costs([attempt.id]) == {
        attempt.id: Cost(USD("3.008"), USD("0.24064"), "provider")
    }


def test_bill_that_differs_becomes_a_correction_and_the_sum_is_the_providers(
    ledger: Ledger,
) -> None:
    attempt = in_state(ledger, "stored")
    bill = Bill(USD(6), USD("0.432"))
    ledger.apply_bill(attempt, bill)
    assert charges(ledger, attempt) == [(USD("0.32"), "estimate"), (USD("0.112"), "billing_feed")]
    assert charged_usd(ledger, attempt) == bill.cost_usd
    assert ledger.costs([attempt.id])[attempt.id] == Cost(USD(6), USD("0.432"), "billing_feed")
    causes = rows(ledger, "SELECT cause FROM charges ORDER BY id")
    assert causes == [("clip delivered",), ("correction: billing feed",)]


def test_refund_is_a_negative_row(ledger: Ledger) -> None:
    attempt = in_state(ledger, "stored")
    ledger.apply_bill(attempt, Bill(USD(0), USD(0)))
    assert charges(ledger, attempt) == [(USD("0.32"), "estimate"), (USD("-0.32"), "billing_feed")]
    assert ledger.run_spent_usd("run") == 0


@pytest.mark.parametrize(
    "bill",
    [
        pytest.param(Bill(USD(4), USD("0.32")), id="the same"),
        pytest.param(Bill(USD(5), USD("0.40")), id="more"),
        pytest.param(Bill(USD(0), USD(0)), id="nothing"),
        pytest.param(Bill(USD(1), USD("0.30000000000000004")), id="a binary fraction"),
        pytest.param(Bill(USD(1) / 3, USD(1) / 3), id="a third"),
        pytest.param(Bill(USD(1), USD("1e-12")), id="less than a billionth"),
    ],
)
def test_same_bill_again_adds_nothing(ledger: Ledger, bill: Bill) -> None:
    attempt = in_state(ledger, "stored")
    for _ in range(3):
        ledger.apply_bill(attempt, bill)
    assert len(charges(ledger, attempt)) == 2
    assert charged_usd(ledger, attempt) == in_nano(bill.cost_usd)


def test_weaker_word_never_replaces_a_stronger_one(open_ledger: OpenLedger) -> None:
    """Two processes that drive one attempt: the second has no count and an older view."""
    first, second = open_ledger("first"), open_ledger("second")
    attempt = in_state(first, "submitted", run_id="first")
    first.mark_ready(attempt, "https://a", USD(8))
    second.mark_ready(attempt, "https://a", None)
    assert charges(first, attempt) == [(USD("0.64"), "provider")]
    first.apply_bill(attempt, Bill(USD(8), USD("0.60")))
    second.mark_ready(attempt, "https://a", USD(8))
    assert charged_usd(first, attempt) == USD("0.60")


def test_lost_clip_that_turns_up_is_charged(ledger: Ledger) -> None:
    lost = ledger.mark_lost(in_state(ledger, "submitted"), "nobody knows it")
    assert charges(ledger, lost) == []
    found = ledger.mark_ready(lost, "https://a", None)
    assert found.state == "ready"
    assert charges(ledger, found) == [(USD("0.32"), "estimate")]
    assert ledger.run_spent_usd("run") == USD("0.32")


@pytest.mark.parametrize(
    ("failed", "cost_usd"),
    [
        pytest.param(Failed("HTTP 500", "no"), "0", id="free"),
        pytest.param(Failed("HTTP 422", "unknown"), "0", id="not known yet: no charge is made up"),
        pytest.param(Failed("HTTP 422", "yes", USD(4)), "0.32", id="charged"),
        pytest.param(Failed("HTTP 422", "yes", USD("0.5")), "0.04", id="charged in part"),
    ],
)
def test_failure_is_charged_what_the_provider_says(
    ledger: Ledger, failed: Failed, cost_usd: str
) -> None:
    attempt = ledger.mark_failed(in_state(ledger, "submitted"), failed)
    assert attempt.state == "failed"
    assert attempt.charged == failed.charged
    assert charged_usd(ledger, attempt) == USD(cost_usd)


def test_failure_that_comes_too_late_to_count_charges_nothing(ledger: Ledger) -> None:
    attempt = in_state(ledger, "submitted")
    ledger.mark_ready(attempt, "https://a", None)
    assert ledger.mark_failed(attempt, Failed("HTTP 422", "yes", USD(8))).state == "ready"
    assert charges(ledger, attempt) == [(USD("0.32"), "estimate")]


def test_attempts_without_a_charge_have_no_cost_rather_than_a_cost_of_zero(ledger: Ledger) -> None:
    assert ledger.costs([reserved(ledger).id]) == {}


# --- exactness --------------------------------------------------------------------------------

amounts = st.integers(-(2**63) + 1, 2**63 - 1)


@given(amounts)
def test_amount_comes_back_as_it_was_kept(nano: int) -> None:
    amount = from_nano(nano)
    assert Nano().process_bind_param(amount, None) == nano
    assert Nano().process_result_value(nano, None) == amount
    assert amount * 10**9 == nano
    assert "E" not in str(amount) or abs(amount) < 1
    assert Decimal(str(amount)) == amount


@given(st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=9))
def test_nine_places_are_kept_exactly(amount: Decimal) -> None:
    assert in_nano(amount) == amount
    assert Nano().process_result_value(Nano().process_bind_param(amount, None), None) == amount


@pytest.mark.parametrize(
    ("nano", "text"),
    [(320_000_000, "0.32"), (0, "0"), (10 * 10**9, "10"), (1, "1E-9"), (-320_000_000, "-0.32")],
)
def test_amounts_are_written_without_trailing_zeros(nano: int, text: str) -> None:
    assert str(from_nano(nano)) == text


def test_ten_thousand_charges_add_up_in_sql_as_in_python(ledger: Ledger) -> None:
    draw = random.Random(7)
    amounts = [from_nano(draw.randrange(-(10**10), 10**11)) for _ in range(10_000)]
    row = {"run_id": "run", "service": "fal", "account": "default", "at": datetime.now(UTC)}
    with writing(ledger.engine) as connection:
        connection.execute(
            insert(charges_table),
            [
                {
                    **row,
                    "attempt_id": f"a{n % 100}",
                    "units": amount,
                    "cost_usd": amount,
                    "currency": "USD",
                    "source": "provider",
                    "cause": "",
                }
                for n, amount in enumerate(amounts)
            ],
        )
    total = sum(amounts, Decimal(0))
    assert ledger.run_spent_usd("run") == total
    [(nano,)] = rows(ledger, "SELECT SUM(cost_nano_usd) FROM charges")
    assert int(nano) == total * 10**9
    costs = ledger.costs([f"a{n}" for n in range(100)])
    assert sum((c.cost_usd for c in costs.values()), Decimal(0)) == total
    assert sum((c.units for c in costs.values()), Decimal(0)) == total
