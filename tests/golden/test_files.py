"""Files that other people's programs read stay as they are.

A difference is either a mistake or a change of the contract: look at it, then write the files anew
with `GOLDEN=write python -m pytest tests/golden`.
"""

from __future__ import annotations

import pytest

from tests.e2e.world import World, refused
from tests.golden.kept import check, of_csv, of_json

LIST = """sequence,shot,prompt,model,num_frames,resolution,seed,takes,transition,caption,x_reel
sea,010,A lighthouse on a black rock,,96,720p,1,,fade,,A
sea,020,A wave breaks against the stone,,120,480p,2,2,dissolve,Dusk,A
sea,030,A boat on a crest,wavespeed-ai/magi-1-24b,,,3,,,,B
shore,010,Nets that nobody mends,,96,720p,4,,,,
shore,020,Gulls over the pier,,96,720p,5,,wipe,,
"""


@pytest.fixture
def planned(world: World) -> World:
    world.write(LIST, "coast.csv")
    return world


def test_the_plan_as_json(planned: World) -> None:
    check("plan.json", of_json(planned.run("plan", "coast.csv", "--json").out))


def test_a_films_manifest_bill_and_focus_file(planned: World) -> None:
    planned.misbehave(refused("Nets"))
    assert planned.run("make", "coast.csv", "--title", "The Coast").code == 3
    out = planned.folder / "out" / "coast"
    assert planned.run("costs", "--sandbox", "--focus", "focus.csv").code == 0
    check("manifest.json", of_json((out / "manifest.json").read_text("utf-8")))
    check("costs.csv", of_csv((out / "costs.csv").read_text("utf-8")))
    check("focus.csv", of_csv((planned.folder / "focus.csv").read_text("utf-8")))
