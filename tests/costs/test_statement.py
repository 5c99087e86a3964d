"""What a film's accounts say, held against the sandbox's own count."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from blocks.ledger import Cost, Ledger
from blocks.providers.base import Bill, Failed
from flows.costs.bill import By
from flows.costs.spend import sums
from flows.costs.statement import Statement, film_of, paid_for, state_accounts
from flows.costs.variance import Why, reason
from tests.generate.studio import Made, Studio, write
from tests.ledger.books import in_state, rows

USD = Decimal


def statement(made: Made, tmp_path: Path) -> Statement:
    """As the task makes it, from the same rows."""
    ledger = opened(tmp_path)
    try:
        paid = paid_for(ledger, "list", ["sandbox/fal", "sandbox/wavespeed"])
        items = [made.bill[line.job.shot.shot] for line in made.plan.lines]
        return state_accounts("list", made.plan.lines, items, paid)
    finally:
        ledger.close()


def opened(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/home/ledger.sqlite")


def charged_usd(studio: Studio) -> Decimal:
    return USD(studio.told("charges")["cost_usd"])


# --- reasons ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "charged", "cost", "why"),
    [
        ("stored", "yes", Cost(USD(4), USD("0.32"), "provider"), ""),
        ("stored", "yes", Cost(USD(4), USD("0.32"), "estimate"), "not billed yet"),
        ("stored", "yes", Cost(USD(5), USD("0.40"), "provider"), "other units"),
        ("stored", "yes", Cost(USD(4), USD("0.40"), "billing_feed"), "price changed"),
        ("stored", "yes", Cost(USD(5), USD("0.60"), "billing_feed"), "other units, price changed"),
        ("stored", "yes", Cost(USD(0), USD(0), "billing_feed"), "refund"),
        ("failed", "yes", Cost(USD(2), USD("0.16"), "provider"), "other units"),
        ("failed", "no", None, "not charged"),
        ("released", "no", Cost(USD(0), USD(0), "billing_feed"), "not charged"),
        ("failed", "unknown", None, "not billed yet"),
        ("submitted", None, None, "not billed yet"),
        ("lost", None, None, "not billed yet"),
        ("ready", "yes", None, "not billed yet"),
        ("reserved", None, None, "not bought"),
        ("released", None, None, "not bought"),
        ("stored", "no", Cost(USD(0), USD(0), "no_price"), ""),
    ],
)
def test_every_difference_has_a_reason(
    state: str, charged: Any, cost: Cost | None, why: Why
) -> None:
    found = reason(
        state=state, charged=charged, units_quoted=USD(4), unit_price_usd=USD("0.08"), cost=cost
    )
    assert found == why


# --- a film's accounts, over sockets ------------------------------------------------------------

LIST = ("sequence,shot,prompt,seed,takes", "s,a,Sea,1,1", "s,b,Rock,2,1", "t,c,Sky,3,1")


def test_statement_is_the_services_own_count(studio: Studio, tmp_path: Path) -> None:
    studio.misbehave(at="job", do="units", units=6, match={"prompt": "Rock"})
    made = studio.make(write(tmp_path / "list.csv", *LIST))
    said = statement(made, tmp_path)
    assert said.cost_usd == charged_usd(studio) == USD("1.12")
    assert said.estimate_usd == USD("0.96")
    assert said.saved_usd == said.in_vain_usd == 0
    [difference] = said.differences
    assert (difference.name, difference.why) == ("s/b.t1", "other units")
    assert difference.difference_usd == USD("0.16")
    for by in get_args(By):
        totals = said.by(by)
        assert sum(total.cost_usd for total in totals) == said.cost_usd
    assert {t.key: t.cost_usd for t in said.by("sequence")} == {"s": USD("0.80"), "t": USD("0.32")}
    assert [t.key for t in said.by("account")] == ["sandbox/fal/default"]


def test_what_the_cache_has_saved_is_what_it_would_cost_today(
    studio: Studio, tmp_path: Path
) -> None:
    shots = write(tmp_path / "list.csv", *LIST, "t,twin,Sky,3,1")
    first = statement(studio.make(shots), tmp_path)
    assert first.saved_usd == USD("0.32"), "two shots share a clip"
    again = statement(studio.make(shots), tmp_path)
    assert again.saved_usd == USD("1.28")
    assert again.cost_usd == first.cost_usd == charged_usd(studio) == USD("0.96")


def test_clip_that_the_list_no_longer_wants_was_paid_in_vain(
    studio: Studio, tmp_path: Path
) -> None:
    studio.make(write(tmp_path / "list.csv", *LIST))
    changed = [line.replace("Rock", "Cliff") for line in LIST]
    said = statement(studio.make(write(tmp_path / "list.csv", *changed)), tmp_path)
    [vain] = said.in_vain
    assert (vain.name, vain.why, vain.cost_usd, vain.in_bill) == (
        "s/b.t1",
        "superseded",
        USD("0.32"),
        False,
    )
    assert said.cost_usd + said.in_vain_usd == charged_usd(studio)


def test_failure_that_was_charged_was_paid_in_vain(studio: Studio, tmp_path: Path) -> None:
    studio.misbehave(
        at="job", do="fail", status=422, units=4, charged=True, match={"prompt": "Rock"}
    )
    said = statement(studio.make(write(tmp_path / "list.csv", *LIST)), tmp_path)
    assert said.cost_usd == charged_usd(studio) == USD("0.96")
    assert [(v.name, v.why, v.in_bill) for v in said.in_vain] == [
        ("s/b.t1", "failed, and charged", True)
    ]


def test_free_failure_is_neither_bought_nor_wasted(studio: Studio, tmp_path: Path) -> None:
    studio.misbehave(at="job", do="fail", status=422, units=0, match={"prompt": "Rock"})
    said = statement(studio.make(write(tmp_path / "list.csv", *LIST)), tmp_path)
    assert said.cost_usd == charged_usd(studio) == USD("0.64")
    assert said.in_vain == ()
    assert (said.items[1].why, str(said.items[1].cost_usd)) == ("not bought", "0")
    assert said.estimate_usd == said.cost_usd


# --- totals of the ledger ---------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    ledger.start_run("run", "a film", None)
    yield ledger
    ledger.close()


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("shot", {"opening/f1": "0.24", "opening/f2": "0.32"}),
        ("take", {"opening/f1.t1": "0.24", "opening/f2.t1": "0.32"}),
        ("sequence", {"opening": "0.56"}),
        ("film", {"a film": "0.56"}),
        ("model", {"fal-ai/magi-distilled": "0.56"}),
        ("account", {"fal/default": "0.56"}),
        ("run", {"run": "0.56"}),
    ],
)
def test_ledger_adds_up_by_anything(ledger: Ledger, by: By, keys: dict[str, str]) -> None:
    corrected = in_state(ledger, "stored", "f1")
    in_state(ledger, "stored", "f2")
    in_state(ledger, "stored", "f3", service="sandbox/fal")
    ledger.apply_bill(corrected, Bill(USD(3), USD("0.24")))
    totals = sums(ledger, by, live=True)
    assert {t.key: str(t.cost_usd) for t in totals} == keys
    assert sum(t.attempts for t in totals) == 2, "an attempt with a correction counts once"
    assert [t.cost_usd for t in sums(ledger, by, live=False)] == [USD("0.32")]


def test_months_are_those_of_the_charges(ledger: Ledger) -> None:
    in_state(ledger, "stored", "f1")
    [total] = sums(ledger, "month", live=True)
    [(at,)] = rows(ledger, "SELECT at FROM charges")
    assert total.key == at[:7]


def test_failed_and_released_attempts_stay_in_the_films_history(ledger: Ledger) -> None:
    sent = in_state(ledger, "submitted", "f1")
    failed = ledger.mark_failed(sent, Failed("HTTP 422", "yes", USD(4)))
    ledger.release(failed, "a person decided")
    in_state(ledger, "stored", "f1")
    assert film_of(ledger, "run") == "a film"
    states = [(p.state, p.cost_usd) for p in paid_for(ledger, "a film", ["fal"])]
    assert states == [("released", USD("0.32")), ("stored", USD("0.32"))]
    assert paid_for(ledger, "another film", ["fal"]) == []
