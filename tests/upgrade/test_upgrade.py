"""An upgrade never buys again, and draws nothing anew.

`home/` was written by an earlier version, by `shotreel make l.csv --live --title Harbour`: clips of
fal with a seed and without, two takes, WaveSpeed by both of its APIs, a dissolve, a fade, a
caption. It is never made again: what lies there is what users have.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.world import World

HERE = Path(__file__).parent
NUM_CLIPS = 7
NUM_SEGMENTS = 6
PAID_USD = "1.29"


@pytest.fixture(scope="module")
def upgraded(new_world: NewWorld) -> World:
    """The same home under today's version, beside services that know none of its clips."""
    world = new_world()
    del world.env["SHOTREEL_SANDBOX_URL"]
    world.env |= {**world.sandbox.environment, "FAL_KEY": "a:b", "WAVESPEED_API_KEY": "c"}
    shutil.copytree(HERE / "home", world.home)
    shutil.copy(HERE / "l.csv", world.folder)
    return world


def segments_of(world: World) -> dict[str, int]:
    """When each drawn segment was written, by its name."""
    drawn = (world.home / "stitch" / "segments").iterdir()
    return {path.name: path.stat().st_mtime_ns for path in drawn}


def test_plan_has_nothing_to_buy(upgraded: World) -> None:
    planned = upgraded.run("plan", "l.csv", "--live", "--json")
    assert planned.code == 0, planned.err
    assert (planned.json["to_buy"], planned.json["stored"]) == (0, NUM_CLIPS)
    assert Decimal(planned.json["totals"]["cost_usd"]) == 0


def test_make_sends_no_post_and_draws_no_segment_anew(upgraded: World) -> None:
    before = segments_of(upgraded)
    assert len(before) == NUM_SEGMENTS
    made = upgraded.make("l.csv", "--live", "--budget", "0", "--title", "Harbour")
    assert upgraded.posts == 0
    assert segments_of(upgraded) == before
    assert {shot["state"] for shot in made["shots"]} == {"stored"}
    assert made["film"]["num_frames"] > 0
    # What was paid is still in the bill of its film.
    assert upgraded.billed[1] == Decimal(PAID_USD) == Decimal(made["totals"]["cost_usd"])
