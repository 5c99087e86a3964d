"""`shotreel models`: cards are made, found, shown and updated, and no money is spent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from blocks.providers.cards.catalogue import card_path, find_card, shipped
from blocks.sandbox import Sandbox
from flows.cli import main
from tests.cards.catalogues import Item, card_of, fal_items
from tests.cards.conftest import Rows
from tests.web import web

Models = Callable[..., Result]
HUNYUAN = "fal-ai/hunyuan-video"


@pytest.fixture
def sandbox(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(folder / "sandbox", latency_s=0.05) as running:
        for name, url in running.environment.items():
            monkeypatch.setenv(name, url)
        monkeypatch.setenv("WAVESPEED_API_KEY", "ws-secret-key")
        yield running


@pytest.fixture
def models(sandbox: Sandbox) -> Models:
    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["models", *words])

    return run


def sell(sandbox: Sandbox, item: Item, **properties: Any) -> None:
    """The sandbox has a model that does not come with shotreel."""
    card = card_of(item)
    schema = {**card.schema, "properties": {**card.schema["properties"], **properties}}
    told = {"endpoint": card.endpoint, "provider": "fal", "schema": schema, "output": card.output}
    told["output_schema"] = card.output_schema
    web.post(f"{sandbox.url}/sandbox/models", json=told).raise_for_status()


def hunyuan() -> Item:
    return next(item for item in fal_items() if item["endpoint_id"] == HUNYUAN)


def test_model_that_is_added_can_be_named_by_a_list(
    sandbox: Sandbox, models: Models, shots_of: Rows
) -> None:
    sell(sandbox, hunyuan())
    added = models("add", HUNYUAN, "--json")
    assert added.exit_code == 0, added.output
    [told] = json.loads(added.output)["added"]
    assert Path(told["path"]).is_relative_to(Path("home").absolute())
    [shot] = shots_of({"model": HUNYUAN, "prompt": "A lighthouse", "num_frames": "129"})
    assert shot.inputs["num_frames"] == "129"


def test_card_beside_the_list_comes_before_the_home_and_the_shipped(
    sandbox: Sandbox, models: Models, folder: Path
) -> None:
    assert models("add", "fal-ai/veo3.1", "--into", str(folder)).exit_code == 0
    beside = card_path(folder / "models", "fal", "fal-ai/veo3.1")
    assert beside.exists()
    beside.write_text(beside.read_text().replace('"status": "active"', '"status": "deprecated"'))
    found = find_card("fal-ai/veo3.1", folder)
    assert found is not None and found.status == "deprecated"


def test_model_that_nobody_has_is_an_error(models: Models) -> None:
    added = models("add", "fal-ai/nothing")
    assert added.exit_code == 2
    assert "fal-ai/nothing is not sold by fal or wavespeed" in added.output


@pytest.mark.parametrize("command", ["add", "update"])
def test_workflow_is_said_to_need_no_card(models: Models, command: str) -> None:
    said = models(command, "comfyui/blank.json")
    assert said.exit_code == 2
    assert "shotreel models show comfyui/blank.json" in said.output


def test_id_that_is_nearly_right_names_the_one_that_is_meant(models: Models) -> None:
    assert "did you mean fal-ai/magi?" in models("show", "fal-ai/magy").output


def test_search_finds_cards_workflows_and_what_the_services_list(
    sandbox: Sandbox, models: Models
) -> None:
    sell(sandbox, hunyuan())

    def found(*words: str) -> dict[str, bool]:
        rows = json.loads(models("search", *words, "--json").output)["models"]
        return {row["name"]: row["card"] for row in rows}

    assert found("hunyuan-video")[HUNYUAN] is False
    assert found("kling", "v3")["fal-ai/kling-video/v3/pro/image-to-video"] is True
    assert "comfyui/blank.json" in found("comfyui")


@pytest.mark.parametrize("name", [*shipped(), "comfyui/blank.json"])
def test_every_model_is_shown_with_its_inputs_price_and_settling(models: Models, name: str) -> None:
    shown = json.loads(models("show", name, "--json").output)
    assert shown["name"] == name
    assert all(row["takes"] for row in shown["inputs"])
    assert shown["price"] and shown["settled"]
    assert models("show", name).exit_code == 0


def test_update_shows_what_changed_and_takes_it(sandbox: Sandbox, models: Models) -> None:
    sell(sandbox, hunyuan())
    models("add", HUNYUAN)
    assert "as it was" in models("update").output
    sell(sandbox, hunyuan(), mood={"type": "string"})
    looked = models("update", "--dry-run")
    assert f"fal:{HUNYUAN}: its inputs have changed: mood is new" in looked.output
    assert "mood is new" in models("update").output
    assert "as it was" in models("update").output
    card = find_card(HUNYUAN)
    assert card is not None and "mood" in card.inputs


def test_key_is_in_no_card(sandbox: Sandbox, models: Models, folder: Path) -> None:
    models("add", "wavespeed-ai/wan-2.2/t2v-720p")
    [card] = (folder / "home" / "models").rglob("*.json")
    assert "ws-secret-key" not in card.read_text()


def test_card_that_is_there_is_not_taken_anew_silently(sandbox: Sandbox, models: Models) -> None:
    """What people have written into it stays."""
    sell(sandbox, hunyuan())
    path = Path(json.loads(models("add", HUNYUAN, "--json").output)["added"][0]["path"])
    written = json.loads(path.read_text())
    written["price"] = {**written.get("price", {}), "max_usd": "0.75"}
    path.write_text(json.dumps(written))
    sell(sandbox, hunyuan(), mood={"type": "string"})
    assert "mood is new" in models("add", HUNYUAN).output
    card = find_card(HUNYUAN)
    assert card is not None and "mood" in card.inputs
    assert str(card.max_usd) == "0.75"


def test_card_that_was_changed_by_hand_is_shown_and_mended(
    sandbox: Sandbox, models: Models
) -> None:
    path = Path(json.loads(models("add", "fal-ai/veo3.1", "--json").output)["added"][0]["path"])
    path.write_text(path.read_text().replace('"4s"', '"5s"'))
    refused = models("show", "fal-ai/veo3.1")
    assert refused.exit_code == 2
    assert "models update fal-ai/veo3.1" in refused.output
    assert "duration: also 4s, without 5s" in models("update", "fal-ai/veo3.1").output
    assert models("show", "fal-ai/veo3.1").exit_code == 0


def test_card_that_no_catalogue_has_is_left_as_it_is(sandbox: Sandbox, models: Models) -> None:
    """MAGI's API v2 stands on a page alone: its v3 is another model."""
    name = "wavespeed-ai/magi-1-24b@v2"
    assert "nothing to compare it with" in models("update", name).output
    card = find_card(name)
    assert card is not None and "num_frames" in card.inputs


def test_update_keeps_the_card_of_a_model_that_is_gone(sandbox: Sandbox, models: Models) -> None:
    models("add", "fal-ai/veo3.1")
    gone = {"service": "fal", "endpoint": "fal-ai/veo3.1"}
    web.delete(f"{sandbox.url}/sandbox/models", params=gone).raise_for_status()
    assert "the service no longer has it" in models("update").output
    assert find_card("fal-ai/veo3.1") is not None


def test_card_beside_another_list_is_updated_there(
    sandbox: Sandbox, models: Models, folder: Path
) -> None:
    lists = folder / "lists"
    lists.mkdir()
    sell(sandbox, hunyuan())
    models("add", HUNYUAN, "--into", str(lists))
    sell(sandbox, hunyuan(), mood={"type": "string"})
    said = models("update", HUNYUAN, "--beside", str(lists)).output
    assert "mood is new (written to" in said
    assert models("update", HUNYUAN).exit_code == 2
    assert "mood" in models("show", HUNYUAN, "--beside", str(lists)).output


def test_file_that_is_no_card_is_named_and_the_others_are_found(
    models: Models, folder: Path
) -> None:
    broken = card_path(folder / "home" / "models", "fal", "x/y")
    broken.parent.mkdir(parents=True)
    broken.write_text("junk")
    found = models("search", "veo3.1")
    assert found.exit_code == 0
    assert "fal-ai/veo3.1" in found.output
    assert str(broken) in found.output
    updated = models("update")
    assert updated.exit_code == 2
    assert str(broken) in updated.output


def test_search_that_finds_nothing_says_so(models: Models) -> None:
    assert "No model is described by: zzzz" in models("search", "zzzz").output


def test_what_a_catalogue_says_cannot_steer_the_terminal(sandbox: Sandbox, models: Models) -> None:
    hostile = {"type": "string", "enum": ["\x1b[2Jcalm"], "default": "\x1b[2Jcalm"}
    sell(sandbox, hunyuan(), mood=hostile)
    models("add", HUNYUAN)
    shown = models("show", HUNYUAN).output
    assert "calm" in shown
    assert "\x1b[2J" not in shown
