"""A property of a plain schema -> what a cell of a shot list may hold."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from blocks.providers.cards.schema import Schema
from blocks.providers.model import (
    MAX_PROMPT_CHARS,
    Choice,
    File,
    Flag,
    InputType,
    Json,
    Many,
    Media,
    Real,
    Size,
    Text,
    Whole,
)

WIDEST = 2**63 - 1


def input_type(schema: Schema) -> InputType:
    options = schema.get("enum")
    if options:
        return Choice(tuple(options))
    match schema.get("type"):
        case "boolean":
            return Flag()
        case "integer":
            return _whole(schema)
        case "number":
            return Real(_bound(schema, "minimum"), _bound(schema, "maximum"))
        case "string" if schema.get("media"):
            return File(schema["media"])
        case "string":
            return Text(_count(schema, "maxLength") or MAX_PROMPT_CHARS)
        case "array":
            return _list(schema)
    return _size(schema) or Json(_about(schema), _Media(schema))


def _whole(schema: Schema) -> Whole:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    step = schema.get("multipleOf")
    return Whole(
        -WIDEST if low is None else int(low),
        WIDEST if high is None else int(high),
        step if isinstance(step, int) and step > 0 else 1,
    )


def _list(schema: Schema) -> InputType:
    members = schema.get("items") or {}
    of = input_type(members) if members.get("type") or members.get("enum") else None
    if of is None or isinstance(of, (Json, Many, Size)):
        return Json(_about(schema), _Media(schema))
    return Many(of, _count(schema, "minItems") or 0, _count(schema, "maxItems"))


def _size(schema: Schema) -> Size | None:
    """A word or an object of width and height (fal's ImageSize)."""
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())] or [schema]
    objects = [b for b in branches if {"width", "height"} <= (b.get("properties") or {}).keys()]
    words = [str(word) for branch in branches for word in branch.get("enum", ())]
    others = len(branches) - len(objects) - sum("enum" in branch for branch in branches)
    return Size(tuple(words)) if len(objects) == 1 and not others else None


class _Media:
    """Which texts inside a JSON value name files, by the steps to them (`*` in a list)."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def __call__(self, path: Sequence[str]) -> Media | None:
        schema: Any = self._schema
        for step in path:
            inside = schema if step == "*" else schema.get("properties") or {}
            schema = inside.get("items" if step == "*" else step)
            if not isinstance(schema, dict):
                return None
        media: Media | None = schema.get("media")
        return media


def _about(schema: Schema) -> str:
    items = schema.get("items") or {}
    fields = ", ".join((items if schema.get("type") == "array" else schema).get("properties") or {})
    noun = "a JSON list" if schema.get("type") == "array" else "JSON"
    return (
        f"{noun} of objects with {fields}"
        if fields and items
        else (f"a JSON object with {fields}" if fields else noun)
    )


def _bound(schema: Schema, key: str) -> Decimal | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return Decimal(str(value)).normalize() + 0


def _count(schema: Schema, key: str) -> int | None:
    value = schema.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
