"""`--budget` holds whatever the service counts, and the closing words add up."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.world import World

KEYS = {"FAL_KEY": "id:secret", "WAVESPEED_API_KEY": "ws"}


@pytest.fixture
def live(new_world: NewWorld) -> World:
    world = new_world()
    del world.env["SHOTREEL_SANDBOX_URL"]
    world.env |= {**world.sandbox.environment, **KEYS}
    return world


def shots(world: World, count: int) -> str:
    rows = "".join(f"s{n},Shot {n},{n},480p\n" for n in range(1, count + 1))
    return world.write("shot,prompt,seed,resolution\n" + rows)


def cost_words(out: str) -> tuple[Decimal, Decimal]:
    """(the film's cost, the part of this run) of the closing words."""
    whole = re.search(r"Cost    \$([0-9.,]+) for", out)
    part = re.search(r"\$([0-9.,]+) of it in this run", out)
    assert whole and part, out
    return Decimal(whole[1].replace(",", "")), Decimal(part[1].replace(",", ""))


def test_service_that_counts_ten_times_is_never_paid_more_than_the_budget(live: World) -> None:
    live.misbehave({"at": "job", "do": "units", "units": 20, "times": 0})
    done = live.run("make", shots(live, 30), "--live", "--budget", "5")
    assert done.code == 3, done.err
    assert live.posts == 3
    assert live.charged == live.billed == (Decimal(60), Decimal("4.80"))
    assert "the budget is $5.00" in done.err
    assert cost_words(done.out) == (Decimal("4.80"), Decimal("4.80"))
    again = live.run("make", shots(live, 30), "--live", "--budget", "5")
    assert again.code == 4
    assert "$43.20" in again.err
    assert live.posts == 3


def test_absurd_charge_is_a_finding_and_the_closing_words_add_up(live: World) -> None:
    live.misbehave({"at": "job", "do": "units", "units": 506250, "times": 0})
    done = live.run("make", shots(live, 4), "--live", "--budget", "5")
    assert done.code == 5, done.err
    assert live.posts == 1
    assert "506250 units" in done.err
    assert "stopped" in done.err
    whole, part = cost_words(done.out)
    assert whole == part == Decimal(40_500)
