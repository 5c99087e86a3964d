"""Rows of real models and the exact bodies that they have to give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import InputError
from tests.cards.catalogues import (
    RECORDINGS,
    Item,
    card_of,
    fal_items,
    keep,
    wavespeed_items,
)
from tests.cards.conftest import Rows, body_of

EXAMPLES: list[dict[str, Any]] = json.loads((RECORDINGS / "hard_examples.json").read_text("utf-8"))
MAGI_2 = "sand-ai/magi-2/image-to-video"
EXACT = [example for example in EXAMPLES if isinstance(example["body"], dict)]
FIRST_FRAME = "https://files.example/last-frame.png"


def item_of(example: dict[str, Any]) -> Item | None:
    everything = fal_items() if example["provider"] == "fal" else wavespeed_items()
    names = ("endpoint_id", "model_id")
    found = (i for i in everything if example["model"] in (i.get(names[0]), i.get(names[1])))
    return next(found, None)


def row_of(example: dict[str, Any], **changed: str) -> dict[str, str]:
    row = {**example["row"], **changed}
    for name, value in row.items():
        row[name] = " | ".join(
            f"https://files.example/{part}" if part.endswith(".png") else part
            for part in value.split(" | ")
        )
    return {"model": f"{example['provider']}:{example['model']}", **row}


def kept(example: dict[str, Any], folder: Path) -> None:
    if item := item_of(example):
        keep(card_of(item), folder)


def ids(example: dict[str, Any]) -> str:
    return str(example["n"])


@pytest.mark.parametrize("example", EXAMPLES, ids=ids)
def test_row_gives_this_very_body(example: dict[str, Any], folder: Path, shots_of: Rows) -> None:
    kept(example, folder)
    row = row_of(example)
    if row.get("image") == "@previous":
        before = {"model": "fal-ai/magi-distilled", "prompt": "Before"}
        [_, shot] = shots_of(before, {**row})
        sent = body_of(shot) | {"image": FIRST_FRAME}
    else:
        [shot] = shots_of(row)
        sent = body_of(shot)
    body = example["body"]
    if "end_user_id" in example.get("body", {}):
        sent["end_user_id"] = body["end_user_id"]
    if isinstance(body, dict):
        assert sent == body
    else:
        assert sent == sent | example["check"]
        assert "sync_mode" not in sent


@pytest.mark.parametrize("example", EXAMPLES, ids=ids)
def test_change_that_the_model_cannot_take_is_refused(
    example: dict[str, Any], folder: Path, shots_of: Rows
) -> None:
    kept(example, folder)
    for changed in example.get("refused", ()):
        [column] = changed
        with pytest.raises(InputError) as refused:
            shots_of(row_of(example, **changed))
        assert "row 2" in refused.value.message
        assert column in refused.value.message
