"""A service's document of an endpoint -> plain JSON Schema, without references and without noise.

fal: an OpenAPI document that says 3.0.4 and is not: an optional input is `anyOf: [X, null]` and a
`$ref` has siblings that count, so it is read as JSON Schema. WaveSpeed: `request_schema` of an item
of its catalogue, JSON Schema with `if/then/else` and `not`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from blocks.providers.model import Choice, Media, pointer_key

Schema = dict[str, Any]

KEPT = (
    *("type", "enum", "const", "required", "pattern", "multipleOf"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems"),
)
"""Keywords that say what is allowed; titles, examples and what is for a form only are noise."""

NESTED = ("items", "not", "if", "then", "else")
LISTED = ("anyOf", "oneOf", "allOf")
MAX_DEPTH = 12
MAX_DESCRIPTION_CHARS = 400

URL_NAME = re.compile(r"(_urls?|_uris?)$")
MEDIA_WORDS: tuple[tuple[Media, re.Pattern[str]], ...] = (
    ("audio", re.compile(r"audio|voice_clip|music|speech|song")),
    ("video", re.compile(r"video")),
    ("image", re.compile(r"image|frame|mask|picture|photo|face|cond_img|background|reference")),
)
FILE_NAME = re.compile(r"(^|_)(images?|videos?|audios?|frame|mask)$")


class SchemaError(ValueError):
    """A document that holds no schema that a card could be made from; the text says why."""


def plain_schema(raw: object, document: object = None) -> Schema:
    """`raw` with its references (into `document`) put in place, as plain JSON Schema.

    Each text that takes a file gets `media`, each that is not offered `hidden`.
    """
    return _plain(raw, document, "", 0)


def digest(*schemas: Schema) -> str:
    """SHA-256 of what the schemas allow: words for people are not in it."""
    canonical = json.dumps(
        [_without_words(schema) for schema in schemas], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sorted(map(str, each)) if key == "required" else _without_words(each)
            for key, each in value.items()
            if key != "description" or not isinstance(each, str)
        }
    return [_without_words(each) for each in value] if isinstance(value, list) else value


def _plain(raw: object, document: object, name: str, depth: int) -> Schema:
    if not isinstance(raw, Mapping) or depth > MAX_DEPTH:
        return {}
    raw = _resolved(raw, document)
    schema = _one_branch({**_limits(raw), **_parts(raw, document, name, depth + 1)})
    if isinstance(about := raw.get("description"), str) and about:
        schema["description"] = " ".join(about.split())[:MAX_DESCRIPTION_CHARS]
    if raw.get("x-hidden") or raw.get("disabled"):
        schema["hidden"] = True
    if schema.get("type") == "string" and "enum" not in schema and (media := media_of(name, raw)):
        schema["media"] = media
    if raw.get("default") is not None:
        schema["default"] = _default(schema, raw["default"])
    return schema


def _limits(raw: Mapping[str, Any]) -> Schema:
    """What is allowed of a value itself, and nothing that a validator could stumble over."""
    schema: Schema = {key: raw[key] for key in KEPT if key in raw}
    if "maxlength" in raw:  # seen in WaveSpeed's
        schema.setdefault("maxLength", raw["maxlength"])
    if isinstance(schema.get("type"), list):
        kinds = [kind for kind in schema["type"] if kind != "null"]
        schema["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if not isinstance(schema.get("required", []), list):
        del schema["required"]
    _tidy_choice(schema)
    return schema


def _parts(raw: Mapping[str, Any], document: object, name: str, depth: int) -> Schema:
    """The schemas inside."""
    parts: Schema = {
        key: _plain(raw[key], document, name, depth)
        for key in NESTED
        if isinstance(raw.get(key), Mapping)
    }
    if isinstance(properties := raw.get("properties"), Mapping):
        parts["properties"] = {
            key: _plain(properties[key], document, key, depth) for key in _in_order(raw, properties)
        }
    for key in LISTED:
        if isinstance(raw.get(key), list):
            parts[key] = [_plain(each, document, name, depth) for each in raw[key]]
    return parts


def _resolved(raw: Mapping[str, Any], document: object) -> Mapping[str, Any]:
    """With what `$ref` names; what stands beside it comes first."""
    for _ in range(MAX_DEPTH):
        ref = raw.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return raw
        found: object = document
        for step in ref[2:].split("/"):
            found = found.get(pointer_key(step)) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise SchemaError(f"names {ref}, which it does not hold")
        raw = {**found, **{key: value for key, value in raw.items() if key != "$ref"}}
    return raw


def _in_order(raw: Mapping[str, Any], properties: Mapping[str, Any]) -> list[str]:
    """The service's order for people; the properties' own is arbitrary."""
    order = raw.get("x-fal-order-properties") or raw.get("x-order-properties") or []
    named = [key for key in order if key in properties] if isinstance(order, list) else []
    return [*dict.fromkeys(named), *(key for key in properties if key not in named)]


def _one_branch(schema: Schema) -> Schema:
    """`anyOf: [X, null]` is X: null is never sent."""
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            branches = [each for each in schema[key] if each.get("type") != "null"]
            if len(branches) == 1:
                del schema[key]
                return {**branches[0], **schema}
            schema[key] = branches
    return schema


def _tidy_choice(schema: Schema) -> None:
    """Members that the type would refuse make the type wrong, not the members."""
    options = schema.get("enum")
    if not isinstance(options, list):
        schema.pop("enum", None)
        return
    schema["enum"] = [option for option in options if option is not None]
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    wanted: Any = kinds.get(str(schema.get("type")))
    if wanted and not all(isinstance(option, wanted) for option in schema["enum"]):
        del schema["type"]


def _default(schema: Schema, given: Any) -> Any:
    """The member of a choice that reads the same: a default may have the other type."""
    options = schema.get("enum")
    if options and given not in options:
        try:
            return Choice(tuple(options)).read(str(given))
        except ValueError:
            return None
    return given


def media_of(name: str, raw: Mapping[str, Any]) -> Media | None:
    """What kind of file a text input takes; None where it takes none.

    By what the service says of its form (absent on most), then by the name.
    """
    ui = raw.get("ui")
    hint = raw.get("_fal_ui_field") or (ui.get("field") if isinstance(ui, Mapping) else "")
    props = raw.get("x-ui-component-props")
    accept = raw.get("x-accept") or (props.get("accept") if isinstance(props, Mapping) else "")
    uploads = raw.get("x-ui-component") in ("uploader", "uploaders")
    for said in (str(hint or ""), str(accept or "")):
        for media in ("image", "video", "audio"):
            if said.startswith(media):
                return media
    if not (uploads or URL_NAME.search(name) or FILE_NAME.search(name)):
        return None
    if accept or re.search(r"webhook|callback|lora|model|weights|srt|training", name):
        return None  # a file, but none that a shot list has
    return next((media for media, words in MEDIA_WORDS if words.search(name)), None)
