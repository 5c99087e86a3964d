"""What a film's accounts say, held against the sandbox's own count."""

from __future__ import annotations

import io
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from blocks.errors import InputError
from blocks.ledger import Cost, Ledger
from blocks.ledger.film_runs import adopt_runs, charged_in
from blocks.ledger.spending import Which
from blocks.money import units_text
from blocks.providers.base import Bill, Failed
from flows.commands.costs import film_known
from flows.costs.bill import By, charges_frame, to_csv, totals_by
from flows.costs.statement import Statement, reason_of
from flows.costs.variance import Why, reason
from flows.shots import film_of
from flows.tasks.account_costs import state
from tests.generate.studio import Made, Studio, write
from tests.ledger.books import change, in_state, rows

USD = Decimal


def statement(made: Made, tmp_path: Path) -> Statement:
    """As the task makes it, from the same rows."""
    ledger = opened(tmp_path)
    try:
        said = state(ledger, made.plan, "list")
        [film] = totals_by(charges_frame(ledger, Which(live=False)), "film")
        assert (film.key, film.cost_usd) == ("list", said.cost_usd)
        return said
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
    assert said.saved_usd == 0
    assert said.not_in_film == ()
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


def test_clip_that_the_list_no_longer_asks_for_stays_in_the_bill(
    studio: Studio, tmp_path: Path
) -> None:
    studio.make(write(tmp_path / "list.csv", *LIST))
    changed = [line.replace("Rock", "Cliff") for line in LIST]
    said = statement(studio.make(write(tmp_path / "list.csv", *changed)), tmp_path)
    [old] = said.not_in_film
    assert (old.name, old.in_film, old.state, old.cost_usd) == (
        "s/b.t1",
        "superseded",
        "stored",
        USD("0.32"),
    )
    assert said.cost_usd == charged_usd(studio) == USD("1.28")


def test_dropped_renamed_and_turned_back_shots_keep_the_sum(studio: Studio, tmp_path: Path) -> None:
    """Change a prompt, make; change it back, rename a sequence, drop a shot, make."""
    studio.make(write(tmp_path / "list.csv", *LIST))
    studio.make(write(tmp_path / "list.csv", *(line.replace("Sea", "Lake") for line in LIST)))
    last = ("sequence,shot,prompt,seed,takes", "s,a,Sea,1,1", "u,c,Sky,3,2")
    said = statement(studio.make(write(tmp_path / "list.csv", *last)), tmp_path)
    assert [(item.name, item.in_film, item.cost_usd) for item in said.items] == [
        ("s/a.t1", "yes", USD("0.32")),
        ("u/c.t1", "yes", USD("0.32")),
        ("u/c.t2", "other take", USD("0.32")),
        ("s/b.t1", "dropped", USD("0.32")),
        ("s/a.t1", "superseded", USD("0.32")),
    ]
    assert said.cost_usd == charged_usd(studio) == USD("1.60")
    table = pd.read_csv(io.StringIO(to_csv(said.items)), dtype={"cost_usd": str, "units": str})
    assert sum(map(USD, table["cost_usd"])) == said.cost_usd
    assert table["in_film"].tolist() == ["yes", "yes", "other take", "dropped", "superseded"]
    assert table["seconds"].tolist() == [4.0] * 5
    assert table["film"].unique().tolist() == ["list"]
    assert table["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()


def test_failure_that_was_charged_is_in_the_bill_without_a_clip(
    studio: Studio, tmp_path: Path
) -> None:
    studio.misbehave(
        at="job", do="fail", status=422, units=4, charged=True, match={"prompt": "Rock"}
    )
    said = statement(studio.make(write(tmp_path / "list.csv", *LIST)), tmp_path)
    assert said.cost_usd == charged_usd(studio) == USD("0.96")
    assert [(i.name, reason_of(i)) for i in said.not_in_film] == [
        ("s/b.t1", "no clip: it failed, and was charged")
    ]


def test_free_failure_is_neither_bought_nor_in_the_bill(studio: Studio, tmp_path: Path) -> None:
    studio.misbehave(at="job", do="fail", status=422, units=0, match={"prompt": "Rock"})
    said = statement(studio.make(write(tmp_path / "list.csv", *LIST)), tmp_path)
    assert said.cost_usd == charged_usd(studio) == USD("0.64")
    assert said.not_in_film == ()
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
    totals = totals_by(charges_frame(ledger, Which(live=True)), by)
    assert {t.key: str(t.cost_usd) for t in totals} == keys
    assert sum(t.attempts for t in totals) == 2, "an attempt with a correction counts once"
    [sandboxed] = totals_by(charges_frame(ledger, Which(live=False)), by)
    assert sandboxed.cost_usd == USD("0.32")


def test_months_are_those_of_the_charges(ledger: Ledger) -> None:
    in_state(ledger, "stored", "f1")
    [total] = totals_by(charges_frame(ledger, Which(live=True)), "month")
    [(at,)] = rows(ledger, "SELECT at FROM charges")
    assert total.key == at[:7]


def test_failed_and_released_attempts_stay_in_the_films_history(ledger: Ledger) -> None:
    sent = in_state(ledger, "submitted", "f1")
    failed = ledger.mark_failed(sent, Failed("HTTP 422", "yes", USD(4)))
    ledger.release(failed, "a person decided")
    in_state(ledger, "stored", "f1")
    states = [(c.attempt.state, c.cost.cost_usd) for c in charged_in(ledger, "a film", live=True)]
    assert states == [("released", USD("0.32")), ("stored", USD("0.32"))]
    assert charged_in(ledger, "another film", live=True) == []


# --- films ------------------------------------------------------------------------------------


def test_lists_of_one_file_name_are_two_films(tmp_path: Path) -> None:
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")) as ledger:
        for customer in ("a", "b"):
            (tmp_path / customer).mkdir()
            film = film_of(write(tmp_path / customer / "film.csv", "prompt", "Sea"))
            ledger.start_run(customer, film.name, None, film.key)
            in_state(ledger, "stored", f"{customer}1", run_id=customer)
        found = totals_by(charges_frame(ledger, Which(live=True)), "film")
        assert {t.key: t.cost_usd for t in found} == {
            str(tmp_path / "a/film.csv"): USD("0.32"),
            str(tmp_path / "b/film.csv"): USD("0.32"),
        }
        assert film_known(ledger, str(tmp_path / "b/film.csv")) == str(tmp_path / "b/film.csv")
        with pytest.raises(InputError, match="2 films are called film"):
            film_known(ledger, "film")
        with pytest.raises(InputError, match="knows no film harbour"):
            film_known(ledger, "harbour")


def test_films_of_a_home_of_before_keep_their_runs(tmp_path: Path) -> None:
    """They know the list's name alone: whose clips the list asks for says which film it is."""
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")) as ledger:
        for customer in ("a", "b"):
            ledger.start_run(customer, "film", None)
            in_state(ledger, "stored", f"{customer}1", run_id=customer)
        adopt_runs(ledger, "/a/film.csv", "film", "/a/film.csv", ["a1", "a2"])
        frame = charges_frame(ledger, Which(live=True))
        assert [t.key for t in totals_by(frame, "film")] == ["/a/film.csv", "film"]
        adopt_runs(ledger, "Harbour", "film", "/a/film.csv", ["a1", "a2"])
        frame = charges_frame(ledger, Which(live=True))
        assert [t.key for t in totals_by(frame, "film")] == ["Harbour", "film"]


def test_days_and_films_cut_the_sums_and_nothing_else(ledger: Ledger) -> None:
    in_state(ledger, "stored", "f1")
    ledger.start_run("other", "another", None, "another film")
    in_state(ledger, "stored", "f2", run_id="other")
    last_second = "2026-03-01T23:59:59.000000+00:00"
    change(ledger, "UPDATE charges SET at = :at WHERE run_id = 'run'", at=last_second)

    def sum_of(**which: Any) -> Decimal:
        totals = totals_by(charges_frame(ledger, Which(live=True, **which)), "month")
        return sum((total.cost_usd for total in totals), USD(0))

    assert sum_of() == USD("0.64")
    assert sum_of(film="another film") == USD("0.32")
    assert sum_of(until=date(2026, 3, 1)) == sum_of(since=date(2026, 3, 2)) == USD("0.32")
    assert sum_of(since=date(2026, 3, 1), until=date(2026, 3, 1)) == USD("0.32")
    assert sum_of(until=date(2026, 2, 28)) == 0


def test_units_of_two_providers_are_no_sum(ledger: Ledger) -> None:
    in_state(ledger, "stored", "f1")
    in_state(ledger, "stored", "f2", service="wavespeed")
    [total] = totals_by(charges_frame(ledger, Which(live=True)), "sequence")
    assert units_text(total.units_of) == "4 fal + 4 wavespeed"
