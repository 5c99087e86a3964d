"""The page that a run leaves, and what becomes of a run that cannot write it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.world import World

LIST = "sequence,shot,prompt,seed\nsea,a,a wave,1\nsea,b,a gull,2\n"
FAILS = {"at": "job", "do": "fail", "match": {"prompt": "gull"}, "times": 0, "error": "Too many."}


@pytest.fixture(scope="module")
def made(new_world: NewWorld) -> World:
    world = new_world()
    world.make(world.write(LIST))
    return world


def report_in(world: World) -> Path:
    return world.folder / "out" / "list" / "report.html"


def facts_in(world: World) -> dict[str, Any]:
    page = report_in(world).read_text("utf-8")
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.S)
    assert found
    facts: dict[str, Any] = json.loads(found[1])
    return facts


def test_a_run_leaves_a_page_that_speaks_of_its_film_and_its_money(made: World) -> None:
    facts = facts_in(made)
    manifest = json.loads((report_in(made).parent / "manifest.json").read_text("utf-8"))
    assert facts["title"] == "list"
    assert [shot["sha256"] for shot in facts["shots"]] == [
        shot["sha256"] for shot in manifest["shots"]
    ]
    with (report_in(made).parent / "seams.csv").open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    first, second = facts["shots"]
    assert first["seam"] is None
    seam = second["seam"]
    steps = (f"{seam['luma_step']:.1f}", f"{seam['colour_step']:.1f}", str(seam["frozen"]))
    assert steps == (row["luma_step"], row["colour_step"], row["frozen_frames"])
    assert (seam["before"], seam["kind"]) == (row["before"], row["kind"]) == ("sea/a", "cut")
    money = facts["money"]
    assert money["in_this_run_nano_usd"] == int(made.charged[1] * 10**9)
    assert money["cost_nano_usd"] == money["in_this_run_nano_usd"]


def test_a_run_that_changes_nothing_leaves_the_page_alone(made: World) -> None:
    made.make("list.csv")
    second = facts_in(made)
    assert second["money"]["in_this_run_nano_usd"] == 0
    written = report_in(made).stat().st_mtime_ns
    made.make("list.csv")
    assert report_in(made).stat().st_mtime_ns == written


def test_a_page_that_cannot_be_written_loses_no_film(world: World) -> None:
    shots = world.write(LIST)
    report_in(world).mkdir(parents=True)
    done = world.run("make", shots, "--json")
    assert done.code == 1
    assert "the page: " in done.err
    assert "report.html cannot be written" in done.err
    assert (report_in(world).parent / "film.mp4").stat().st_size
    assert (report_in(world).parent / "costs.csv").stat().st_size
    assert world.billed == world.charged


def test_a_shot_that_failed_is_on_the_page_with_its_reason_and_its_remedy(world: World) -> None:
    world.misbehave(FAILS)
    world.make(world.write(LIST), code=3)
    wave, gull = facts_in(world)["shots"]
    assert wave["state"] == "stored"
    assert gull["state"] == "failed"
    assert "Too many." in gull["error"]
    assert gull["remedy"]
