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
    assert "fal and wavespeed does not have fal-ai/nothing" in added.output


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
