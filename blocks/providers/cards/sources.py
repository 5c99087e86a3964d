"""What a service's catalogue says of one endpoint -> its card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from blocks.providers.cards.card import Card, CardError, Makes, Price, make_card
from blocks.providers.cards.schema import Schema, SchemaError, plain_schema

RESULT = "/requests/{request_id}"
MAKES: Mapping[str, Makes] = {"video": "video", "image": "image"}


def fal_card(item: Mapping[str, Any], *, read_at: str, source: str, **more: Any) -> Card:
    """The card of an item of `GET /v1/models?endpoint_id=…&expand=openapi-3.0`.

    Raises CardError where the item has no schema of a model that makes video or pictures.
    """
    endpoint = str(item.get("endpoint_id") or "")
    document = item.get("openapi")
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    if not endpoint or not isinstance(document, Mapping) or "paths" not in document:
        raise CardError("has no schema in fal's answer")
    if metadata.get("kind", "inference") != "inference":
        raise CardError("trains a model; it makes no clip")
    try:
        body = _at(document, "paths", f"/{endpoint}", "post", "requestBody", "content")
        inputs = plain_schema(_at(body, "application/json", "schema"), document)
        answer = _at(document, "paths", f"/{endpoint}{RESULT}", "get", "responses", "200")
        outputs = plain_schema(_at(answer, "content", "application/json", "schema"), document)
    except SchemaError as error:
        raise CardError(str(error)) from None
    output, makes = output_of(outputs)
    return make_card(
        name=endpoint,
        provider="fal",
        endpoint=endpoint,
        makes=makes,
        schema=inputs,
        output_schema=_what_comes(outputs),
        output=output,
        status=str(metadata.get("status") or "active"),
        source=source,
        read_at=read_at,
        **more,
    )


def wavespeed_card(item: Mapping[str, Any], *, read_at: str, source: str, **more: Any) -> Card:
    """The card of an item of `GET /api/v3/models`. Raises CardError."""
    endpoint = str(item.get("model_id") or "")
    try:
        schemas = _at(item, "api_schema", "api_schemas")
        raw = next(each for each in schemas if each.get("type", "model_run") == "model_run")
        inputs = plain_schema(raw["request_schema"])
    except (SchemaError, KeyError, TypeError, StopIteration, AttributeError) as error:
        raise CardError(f"has no schema in WaveSpeed's answer ({error})") from None
    kind = str(item.get("type") or "")
    makes: Makes = "image" if kind.endswith("to-image") else "video"
    price = more.pop("price", None) or Price(unit="run")
    return make_card(
        name=endpoint,
        provider="wavespeed",
        endpoint=endpoint,
        api="v3",
        makes=makes,
        schema=inputs,
        output_schema={},
        source=source,
        read_at=read_at,
        price=price,
        **more,
    )


def _at(value: Any, *steps: str) -> Any:
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            raise SchemaError(f"has no {step!r} in its document")
        value = value[step]
    return value


def _what_comes(outputs: Schema) -> Schema:
    """Of the output: its fields and their types; what a file is described by is noise."""
    properties = outputs.get("properties") or {}
    return {
        "properties": {name: {"type": each.get("type", "any")} for name, each in properties.items()}
    }


def output_of(outputs: Schema) -> tuple[str, Makes]:
    """(where the clip's URL stands, what it is). Raises CardError where there is none."""
    properties: Mapping[str, Schema] = outputs.get("properties") or {}
    for makes in ("video", "image"):
        for name in _named(properties, makes):
            if pointer := _url_in(properties[name]):
                return f"/{name}{pointer}", MAKES[makes]
    raise CardError("gives neither a video nor a picture, as far as its schema says")


def _named(properties: Mapping[str, Schema], word: str) -> Iterator[str]:
    """The field itself first, then its plural, then any that holds the word."""
    names = [word, f"{word}s", *(name for name in properties if word in name)]
    return (name for name in dict.fromkeys(names) if name in properties)


def _url_in(schema: Schema) -> str | None:
    if "url" in (schema.get("properties") or {}):
        return "/url"
    if schema.get("type") == "array":
        inside = _url_in(schema.get("items") or {})
        return None if inside is None else f"/0{inside}"
    return "" if schema.get("type") == "string" and schema.get("media") else None
