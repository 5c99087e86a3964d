"""Films with clips from a ComfyUI: beside bought ones, and where the server forgets."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from blocks.providers.comfyui.models import FOLDER
from tests.e2e.conftest import NewWorld
from tests.e2e.world import FAL, World

BLANK = "comfyui/blank.json"
OURS = {"match": {"service": "comfyui"}}


def by_shot(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {shot["shot"]: shot for shot in manifest["shots"]}


def own_workflow(folder: Path) -> None:
    """A workflow of one's own, beside the list: half as long as the shipped one."""
    graph = json.loads((FOLDER / "blank.json").read_text())
    graph["1"]["inputs"]["batch_size"] = 48
    (folder / "mine.json").write_text(json.dumps(graph))
    (folder / "mine.shotreel.json").write_bytes((FOLDER / "blank.shotreel.json").read_bytes())


def test_bought_and_home_made_clips_make_one_film_and_one_bill(world: World) -> None:
    own_workflow(world.folder)
    manifest = world.make(
        world.write(
            "shot,prompt,model,num_frames\n"
            f"a,Fox,{FAL},96\nb,Fox,{BLANK},24\nc,Fox,comfyui/mine.json,\n"
        )
    )
    shots = by_shot(manifest)
    assert {name: shot["num_frames"] for name, shot in shots.items()} == {"a": 96, "b": 24, "c": 48}
    assert manifest["film"]["num_frames"] == 168
    assert manifest["totals"] == {"units": "4", "cost_usd": "0.32"}
    assert (shots["b"]["cost_usd"], shots["b"]["cost_source"]) == ("0", "no_price")
    assert world.billed == world.charged == (Decimal(4), Decimal("0.32"))
    posts = world.posts
    again = world.make("list.csv")
    assert (again["film"]["sha256"], world.posts) == (manifest["film"]["sha256"], posts)


def test_what_was_lost_is_found_or_made_again_for_nothing(new_world: NewWorld) -> None:
    """The first answer is lost, then a restart forgets the prompt, then its file is gone.

    Live, on a server of one's own: it takes no key and no money.
    """
    world = new_world(latency_s=0.5)
    world.misbehave(
        {"at": "submit", "do": "drop_after_accept", **OURS},
        {"at": "poll", "do": "restart", "after": 1, **OURS},
        {"at": "media", "do": "not_found", "times": 3, **OURS},
    )
    manifest = world.make(
        world.write(f"prompt,model,num_frames\nFox,{BLANK},24\n"),
        *("--live", "--budget", "0"),
        COMFYUI_URL=world.sandbox.environment["COMFYUI_URL"],
    )
    assert manifest["film"]["num_frames"] == 24
    assert manifest["totals"]["cost_usd"] == "0"
    # What was lost with an answer or a restart is found; what has no file is made again.
    assert world.posts == 2


def test_a_missing_node_stops_the_run_before_anything_is_bought(world: World) -> None:
    rule = {"at": "nodes", "do": "missing", "match": {"model": "MagiProcess"}, "times": 0}
    world.misbehave(rule)
    magi = "comfyui/magi-text-to-video.json"
    done = world.run("make", world.write(f"prompt,model\nFox,{FAL}\nOwl,{magi}\n"))
    assert done.code == 2
    assert "install the MAGI-1 custom nodes" in done.err
    assert world.posts == 0
    assert world.charged == (Decimal(0), Decimal(0))
