"""Both services' catalogues, as recorded (recordings/SOURCES.md)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from blocks.providers.cards.card import Card, card_text
from blocks.providers.cards.catalogue import FOLDER, card_path
from blocks.providers.cards.inputs import input_type
from blocks.providers.cards.schema import Schema, plain_schema
from blocks.providers.cards.sources import fal_card, wavespeed_card
from blocks.providers.model import Choice, File, Flag, InputType, Json, Many, Real, Size, Whole

RECORDINGS = Path(__file__).parent / "recordings"
Item = Mapping[str, Any]
FILES = {"image": "a.png", "video": "a.mp4", "audio": "a.mp3"}


@cache
def recorded(name: str) -> list[Item]:
    items: list[Item] = json.loads(gzip.decompress((RECORDINGS / name).read_bytes()))
    return items


def fal_items() -> list[Item]:
    return recorded("fal_video_synthesised.json.gz")


def wavespeed_items() -> list[Item]:
    return recorded("wavespeed_video.json.gz")


def card_of(item: Item) -> Card:
    make = fal_card if "endpoint_id" in item else wavespeed_card
    return make(item, read_at="2026-08-18T00:00:00Z", source="a recording")


def schema_of(item: Item) -> Draft202012Validator:
    """The service's own schema of a body, references and all."""
    if "endpoint_id" not in item:
        return Draft202012Validator(item["api_schema"]["api_schemas"][0]["request_schema"])
    document = item["openapi"]
    post = document["paths"][f"/{item['endpoint_id']}"]["post"]
    ref = post["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return Draft202012Validator({"components": document["components"], "$ref": ref})


def keep(card: Card, folder: Path) -> None:
    """The card beside a list in this folder."""
    path = card_path(folder / FOLDER, card.provider, card.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card_text(card), "utf-8")


def cell_of(kind: InputType, schema: Schema) -> str:
    """A value that the input takes, as a list would write it."""
    match kind:
        case Choice(options):
            return str(options[0])
        case Whole(low, high):
            return str(max(low, min(high, 1)))
        case Real(low, high):
            return str(low if low is not None else 1 if high is None else min(high, 1))
        case Flag():
            return "yes"
        case File(media):
            return f"https://files.example/{FILES[media]}"
        case Size():
            return "1280x720"
        case Many(of, fewest):
            return " | ".join([cell_of(of, schema.get("items", {}))] * max(1, fewest))
        case Json():
            return json.dumps(value_of(schema))
    return "A lighthouse"


def value_of(schema: Schema) -> Any:
    """A JSON value that a schema takes."""
    if schema.get("enum"):
        return schema["enum"][0]
    if branches := schema.get("anyOf"):
        return value_of(branches[0])
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            wanted = schema.get("required") or list(properties)[:1]
            return {name: value_of(properties.get(name, {})) for name in wanted}
        case "array":
            return [value_of(schema.get("items", {}))] * max(1, schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return "https://files.example/a.png" if schema.get("media") else "x"


def row_of(card: Card) -> dict[str, str]:
    """A row that the model takes: a prompt and what it needs."""
    row = {"model": f"{card.provider}:{card.name}"}
    if "prompt" in card.roles:
        row["prompt"] = "A lighthouse"
    properties = card.schema["properties"]
    for name in card.required:
        column = card.column_of(name)
        row[column] = cell_of(input_type(properties[name]), properties[name])
    return row


def plain_of(item: Item) -> Schema:
    return plain_schema(schema_of(item).schema)
