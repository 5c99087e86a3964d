"""What is left of a plan when a person leaves shots out, and what that person agrees to."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from blocks.providers.base import Quote
from flows.approval import Approval, cost_of, described, lower, without, wrong_with
from flows.approval import Question as Asked
from flows.planning.plan import Line, Plan
from flows.shots import read_shots
from flows.shots.job import jobs_of

I2V = "fal-ai/magi-distilled/image-to-video"
LIST = f"""sequence,shot,prompt,model,image,takes,seed
sea,a,Waves,,,1,1
sea,b,Rock,{I2V},@previous,2,2
sea,c,Sand,{I2V},@previous,1,3
sky,d,Waves,,,1,1
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    """sea/a and sky/d are the same clip; b goes on from a, c from the first take of b."""
    jobs = jobs_of(read_shots(LIST), {}, live=False)
    quote = Quote(Decimal(4), Decimal("0.08"), datetime.now(UTC).date(), "price_rule")
    seen: set[str] = set()
    lines = []
    for job in jobs:
        lines.append(Line(job, quote, "shared" if job.fingerprint in seen else "buy"))
        seen.add(job.fingerprint)
    return Plan(tuple(lines))


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        ("", ["sea/a", "sea/b.t1", "sea/b.t2", "sea/c", "sky/d"]),
        ("sea/c", ["sea/a", "sea/b.t1", "sea/b.t2", "sky/d"]),
        ("sea/b.t2", ["sea/a", "sea/b.t1", "sea/c", "sky/d"]),
        ("sea/b.t1", ["sea/a", "sea/b.t2", "sky/d"]),
        (" sea/a ,\nsky ", []),
        ("sea", ["sky/d"]),
    ],
)
def test_what_goes_on_from_a_shot_that_is_left_out_is_left_out(
    plan: Plan, drop: str, left: list[str]
) -> None:
    names = Approval(decision="approve", drop=drop).dropped
    assert [line.job.name for line in without(plan, names)] == left


def test_a_clip_that_another_shot_shares_is_still_agreed_to(plan: Plan) -> None:
    assert cost_of(plan, without(plan, ["sea"])) == Decimal("0.32")
    assert cost_of(plan, without(plan, ["sky"])) == plan.most_usd == Decimal("1.28")


def test_a_name_that_is_not_in_the_plan_is_said(plan: Plan) -> None:
    answer = Approval(decision="approve", drop="sea/z")
    left = without(plan, answer.dropped)
    assert wrong_with(plan, left, answer) == "The plan has no shot or sequence sea/z."


def test_a_budget_can_only_be_lowered() -> None:
    assert lower(Decimal(5), Decimal(9)) == 5
    assert lower(Decimal(5), Decimal(0)) == 0
    assert lower(None, Decimal(3)) == 3


def test_what_a_shot_list_says_is_no_markup_in_the_form() -> None:
    shots = read_shots('sequence,shot,prompt\n"<img src=x>|s",1,Sea\n')
    (job,) = jobs_of(shots, {}, live=False)
    quote = Quote(Decimal(4), Decimal("0.08"), datetime.now(UTC).date(), "price_rule")
    told = described(Asked(Plan((Line(job, quote, "buy"),)), "", None), 3600)
    assert "<img" not in told
    assert told.splitlines()[-1].count("|") == 6
