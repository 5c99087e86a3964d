"""A budget holds whatever the service counts. Charges are counted by the service."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import AccountPausedError, BudgetError, PricePendingError, ShotreelError
from blocks.ledger.proof import Count
from flows.run.context import Clip
from tests.generate.conftest import Open
from tests.generate.studio import Made, Studio, write

WAVESPEED = "wavespeed-ai/magi-1-24b"
QUOTE = Decimal("0.16")
"""Of 96 frames at 480p: 2 units of $0.08."""


def a_list(folder: Path, count: int, name: str = "list.csv", **columns: str) -> str:
    usual = {"resolution": "480p", **columns}
    if columns.get("model"):
        del usual["resolution"]
    head = ",".join(("shot", "prompt", "seed", *usual))
    rows = (f"s{n},Shot {n},{n},{','.join(usual.values())}" for n in range(1, count + 1))
    return write(folder / name, head, *rows)


def counts(studio: Studio, units: float, **more: Any) -> None:
    studio.misbehave(at="job", do="units", units=units, times=0, **more)


def charged(studio: Studio) -> Decimal:
    return Decimal(studio.told("charges")["cost_usd"])


def posts(studio: Studio) -> int:
    return int(studio.told("posts")["total"])


def clips(made: Made) -> int:
    return sum(isinstance(outcome, Clip) for outcome in made.outcomes.values())


def errors(made: Made) -> list[ShotreelError]:
    return [outcome for outcome in made.outcomes.values() if isinstance(outcome, ShotreelError)]


def in_flight(studio: Studio, latency_s: float) -> list[int]:
    """How many requests were at work when each began, itself among them."""
    jobs = studio.told("requests")["requests"]
    begun = sorted(datetime.fromisoformat(job["accepted_at"]) for job in jobs)
    took = timedelta(seconds=latency_s)
    return [sum(other <= begin < other + took for other in begun) for begin in begun]


@pytest.mark.parametrize("times", [2, 10])
def test_a_service_that_counts_more_than_was_quoted_never_takes_more_than_the_budget(
    studio: Studio, tmp_path: Path, times: int
) -> None:
    counts(studio, 2 * times)
    made = studio.make(a_list(tmp_path, 30), Decimal(5))
    each = times * QUOTE
    assert charged(studio) == 5 // each * each
    assert posts(studio) == clips(made) == 5 // each
    assert {type(error) for error in errors(made)} == {BudgetError}
    assert f"reckoned at ${each:.2f}" in str(errors(made)[-1])
    again = studio.plan(a_list(tmp_path, 30))
    assert again.cost_usd == (30 - clips(made)) * each


def test_a_count_that_rises_after_the_first_clip_does_not_break_the_budget(
    studio: Studio, tmp_path: Path
) -> None:
    counts(studio, 20, after=1)
    studio.make(a_list(tmp_path, 30), Decimal(5))
    assert charged(studio) <= 5


def test_one_clip_goes_first_and_no_wave_follows_a_wrong_quote(
    open_studio: Open, tmp_path: Path
) -> None:
    studio = open_studio(latency_s=0.5)
    made = studio.make(a_list(tmp_path, 12), Decimal(5))
    assert clips(made) == 12
    assert charged(studio) == 12 * QUOTE
    assert in_flight(studio, 0.5)[:2] == [1, 1]
    assert max(in_flight(studio, 0.5)) > 2


def test_kinds_of_clips_that_nothing_was_counted_for_do_not_go_all_at_once(
    studio: Studio, tmp_path: Path
) -> None:
    """Thirty lengths are thirty prices: the first count speaks for all of them."""
    counts(studio, 20)
    rows = (f"s{n},Shot {n},{n},480p,{96 + 3 * n}" for n in range(30))
    shots = write(tmp_path / "l.csv", "shot,prompt,seed,resolution,num_frames", *rows)
    studio.make(shots, Decimal(9))
    assert charged(studio) <= 9


def test_a_price_that_was_counted_before_costs_no_time(open_studio: Open, tmp_path: Path) -> None:
    studio = open_studio(latency_s=0.5)
    studio.make(a_list(tmp_path, 10), Decimal(5))
    rows = (f"t{n},Another {n},{n},480p" for n in range(8))
    studio.make(write(tmp_path / "b.csv", "shot,prompt,seed,resolution", *rows), Decimal(5))
    assert max(in_flight(studio, 0.5)[10:14]) > 2


def test_a_run_without_a_budget_does_not_wait_for_a_count(
    open_studio: Open, tmp_path: Path
) -> None:
    studio = open_studio(latency_s=1.0)
    studio.make(a_list(tmp_path, 6))
    assert max(in_flight(studio, 1.0)) == 6


def test_where_only_the_bill_counts_the_first_clip_waits_for_it(
    studio: Studio, tmp_path: Path
) -> None:
    """WaveSpeed's answers name no units: what it deducts is in its billing alone."""
    first = studio.plan(a_list(tmp_path, 10, model=WAVESPEED)).lines[0].quote.cost_usd
    studio.misbehave(at="job", do="price", unit_price_usd="2.4", times=0)
    made = studio.make(a_list(tmp_path, 10, model=WAVESPEED), 11 * first)
    assert charged(studio) <= 11 * first
    assert posts(studio) == clips(made) < 10


def test_a_first_clip_whose_answer_was_lost_for_good_holds_the_others_back_with_words(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_QUIET_S", "3000")
    studio.misbehave(at="submit", do="drop_after_accept")
    studio.misbehave(at="listing", do="status", times=0)
    made = studio.make(a_list(tmp_path, 4), Decimal(5))
    assert posts(studio) == 1
    assert {type(error) for error in errors(made)} >= {PricePendingError}
    assert "recover" in str(errors(made)[-1])


def test_an_absurd_count_is_a_finding_at_once_and_stops_its_model(
    studio: Studio, tmp_path: Path
) -> None:
    counts(studio, 506250)
    made = studio.make(a_list(tmp_path, 8), Decimal(100_000))
    assert posts(studio) == clips(made) == 1
    assert {type(error) for error in errors(made)} == {AccountPausedError}
    assert "506250 units" in str(errors(made)[0])


def test_an_estimate_teaches_no_price(studio: Studio, tmp_path: Path) -> None:
    """A clip whose units nobody told is booked at what was set aside for it, which is more than a
    quote once others were counted higher. As a count it would make a unit dearer than it is."""
    counts(studio, 2.25, match={"prompt": "Shot 1"})
    studio.make(a_list(tmp_path, 1))
    studio.misbehave(at="billing", do="status", status=403, times=0)
    studio.misbehave(at="result", do="not_found", times=0, match={"prompt": "Longer 1"})
    head, *longer = "shot,prompt,seed,num_frames", "a,Longer 1,1,120", "b,Longer 2,2,120"
    guessed = studio.make(write(tmp_path / "longer.csv", f"{head},resolution", f"{longer[0]},480p"))
    quoted = guessed.plan.lines[0].quote
    assert guessed.bill["a"].cost_usd == quoted.cost_usd * Decimal("1.125")
    shots = write(tmp_path / "longer.csv", f"{head},resolution", *(f"{x},480p" for x in longer))
    made = studio.make(shots)
    assert made.plan.lines[1].quote == quoted
    assert made.bill["b"].cost_usd == quoted.cost_usd


def test_units_cost_what_they_cost_today_and_a_bill_what_it_says() -> None:
    counted = Count("{}", QUOTE, Decimal(2), Decimal("0.20"), is_billed=False)
    assert counted.at(Decimal("0.08")).cost_usd == QUOTE
    assert replace(counted, is_billed=True).at(Decimal("0.08")).cost_usd == Decimal("0.20")


def test_a_clip_that_is_set_aside_above_its_quote_is_booked_by_its_bill(
    studio: Studio, tmp_path: Path
) -> None:
    counts(studio, 2.25, match={"prompt": "Shot 1"})
    studio.misbehave(at="result", do="not_found", times=0, match={"prompt": "Shot 2"})
    made = studio.make(a_list(tmp_path, 2), Decimal(5))
    assert made.bill["s2"].cost_usd == QUOTE
    assert sum(item.cost_usd for item in made.items) == charged(studio)
