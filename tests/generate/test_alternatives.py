"""`model` names several: the next is bought only where the one before refused and cost nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from blocks.errors import BudgetError, FailedError, InputError, OutcomeUnknownError
from blocks.ledger import Ledger
from blocks.ledger.location import ledger_url
from flows.generate import settle
from flows.shots import ShotListError, read_shots
from tests.generate.studio import Studio

FAL = "fal-ai/magi-distilled"
DEAR = "fal-ai/magi"
WAVESPEED = "wavespeed-ai/magi-1-24b"
EITHER = f"shot,prompt,model\na,the sea,{FAL} | {WAVESPEED}\n"


def refuse(studio: Studio, status: int = 403) -> None:
    studio.misbehave(
        at="submit",
        do="status",
        status=status,
        body={"detail": "no"},
        match={"model": FAL},
        times=0,
    )


def test_first_is_bought_where_it_sells(studio: Studio) -> None:
    made = studio.make(EITHER)
    assert made.clip("a")
    assert made.bill["a"].model == FAL
    assert studio.told("posts")["total"] == 1


@pytest.mark.parametrize(
    "status", [pytest.param(422, id="refused"), pytest.param(403, id="the account is locked")]
)
def test_next_is_bought_where_the_first_refused_and_the_bill_says_so(
    studio: Studio, status: int
) -> None:
    refuse(studio, status)
    made = studio.make(EITHER)
    assert made.clip("a")
    assert made.bill["a"].model == WAVESPEED
    assert made.plan.lines[0].job.shot.model == WAVESPEED
    charged = Decimal(studio.told("charges")["cost_usd"])
    assert made.bill["a"].cost_usd == charged > 0


def test_what_the_next_has_made_is_kept_when_the_first_sells_again(studio: Studio) -> None:
    refuse(studio)
    clip = studio.make(EITHER).clip("a")
    studio.misbehave(at="submit", do="delay", delay_s=0, match={"model": WAVESPEED})
    again = studio.make(EITHER)
    assert again.clip("a").sha256 == clip.sha256
    assert [line.need for line in again.plan.lines] == ["stored"]
    assert len(studio.told("charges")["charges"]) == 1


def test_unknown_outcome_never_leads_on(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOTREEL_QUIET_S", "10000")
    monkeypatch.setattr(settle, "UNREAD_LEAST_S", 1.0)
    studio.misbehave(at="submit", do="drop_after_accept", match={"model": FAL})
    studio.misbehave(at="listing", do="status", status=500, times=0)
    made = studio.make(EITHER)
    assert isinstance(made.error("a"), OutcomeUnknownError)
    assert studio.told("posts")["total"] == 1


def test_charged_failure_never_leads_on(studio: Studio) -> None:
    rule = {"status": 422, "units": "4", "charged": True}
    studio.misbehave(at="job", do="fail", match={"model": FAL}, **rule)
    made = studio.make(EITHER)
    error = made.error("a")
    assert isinstance(error, FailedError)
    assert error.paid == "yes"
    assert studio.told("posts")["total"] == 1


def test_refusal_of_all_is_the_last_ones(studio: Studio) -> None:
    studio.misbehave(at="submit", do="status", status=422, body={"detail": "no"}, times=0)
    made = studio.make(EITHER)
    assert "refused" in made.error("a").message
    assert studio.told("posts")["total"] == 2
    assert made.bill["a"].cost_usd == 0


def test_two_shots_that_come_to_the_same_clip_buy_it_once(studio: Studio) -> None:
    refuse(studio)
    made = studio.make(
        f"shot,prompt,model,seed\na,the sea,{FAL} | {WAVESPEED},7\nb,the sea,{WAVESPEED},7\n"
    )
    assert made.clip("a").sha256 == made.clip("b").sha256
    assert len(studio.told("charges")["charges"]) == 1


def test_plan_shows_the_first_price_and_the_budget_covers_the_dearest(studio: Studio) -> None:
    shots = f"shot,prompt,model\na,the sea,{FAL} | {DEAR}\n"
    plan = studio.plan(shots)
    assert (plan.cost_usd, plan.most_usd) == (Decimal("0.32"), Decimal("0.80"))
    with pytest.raises(BudgetError, match=r"up to \$0.80"):
        studio.make(shots, Decimal("0.79"))
    assert studio.told("posts")["total"] == 0
    assert studio.make(shots, Decimal("0.80")).clip("a")


def test_refused_attempt_stays_in_the_ledger(studio: Studio) -> None:
    refuse(studio)
    studio.make(EITHER)
    ledger = Ledger(ledger_url())
    try:
        [released] = ledger.in_states(("released",))
    finally:
        ledger.close()
    assert (released.model, released.request_id) == (FAL, None)


@pytest.mark.parametrize("model", [f"{FAL} |", f"{FAL} | {FAL}", "|"])
def test_alternatives_are_different_models(model: str) -> None:
    with pytest.raises(ShotListError, match="different models"):
        read_shots(f"prompt,model\nthe sea,{model}\n")


def test_every_alternative_takes_what_the_row_sets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{WAVESPEED} takes no resolution"):
        read_shots(f"prompt,model,resolution\nthe sea,{FAL} | {WAVESPEED},480p\n")
