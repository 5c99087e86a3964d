"""What is wrong with inputs that do not go together.

The schema's own conditions are checked by jsonschema. fal has its rules in words alone: those that
its descriptions write again and again are read, and stand in the card, where more can be added:

    exactly one of a, b · at least one of a, b · not both of a, b
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from blocks.providers.cards.schema import Schema
from blocks.providers.model import Inputs

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

RULE = re.compile(r"(exactly one|at least one|not both) of ([\w.]+(?:, [\w.]+)+)")
NAME = r"`{0,2}(\w+)`{0,2}"
SAID: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "exactly one of {}, {}",
        re.compile(rf"Either {NAME} or {NAME} must be provided, but not both", re.IGNORECASE),
    ),
    (
        "at least one of {}, {}",
        re.compile(rf"(?:Either|At least one of) {NAME} or {NAME} must be provided\b(?!,)", re.I),
    ),
)
SAID_OF_IT: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("at least one of {}, {}", re.compile(rf"Required (?:when|if) {NAME} is not provided", re.I)),
    ("not both of {}, {}", re.compile(rf"Cannot be combined with {NAME}", re.I)),
)

CONTAINER = re.compile(r"(output|video|file)_(type|format)$|^format$")
PICTURES = re.compile(r"gif|webp|png|image|frames|\bzip", re.IGNORECASE)

Problem = tuple[str, str]


def rules_in_words(properties: Mapping[str, Schema]) -> tuple[str, ...]:
    """The rules that the descriptions name, of inputs that there are."""
    found: dict[str, None] = {}
    for name, schema in properties.items():
        words = schema.get("description", "")
        for rule, pattern in SAID:
            for pair in pattern.findall(words):
                found.update({rule.format(*pair): None} if set(pair) <= properties.keys() else {})
        for rule, pattern in SAID_OF_IT:
            for other in pattern.findall(words):
                pair = sorted((name, other))
                found.update({rule.format(*pair): None} if other in properties else {})
    strict = {names(rule) for rule in found if rule.startswith("exactly")}
    return tuple(r for r in found if r.startswith("exactly") or names(r) not in strict)


def names(rule: str) -> frozenset[str]:
    """Raises ValueError for a rule that is none of the three."""
    read = RULE.fullmatch(rule)
    if read is None:
        raise ValueError(rule)
    return frozenset(read[2].split(", "))


def broken(rules: Iterable[str], inputs: Inputs) -> Iterator[Problem]:
    for rule in rules:
        given = sorted(name for name in names(rule) if inputs.get(name) not in (None, ""))
        wanted = RULE.fullmatch(rule)
        assert wanted is not None
        several = len(given) > 1 and not rule.startswith("at least")
        if several or (not given and not rule.startswith("not both")):
            everything = wanted[2].split(", ")
            said = "is given beside " + " and ".join(given[:-1]) if several else "is empty"
            yield (given or everything)[-1 if several else 0], f"{said}; give {rule}"


def no_film(inputs: Inputs) -> Iterator[Problem]:
    """Containers that no film can be spliced from. WebM and MOV are fitted."""
    for name, value in inputs.items():
        if CONTAINER.search(name) and isinstance(value, str) and PICTURES.search(value):
            yield name, "is no video that a film can be made of; choose an MP4, a MOV or a WebM"


def refused(validator: Validator, inputs: Inputs) -> Iterator[Problem]:
    """What the schema does not take, input by input, in words."""
    for error in validator.iter_errors(dict(inputs)):
        path = [str(step) for step in error.absolute_path]
        when = _condition(validator.schema, list(error.absolute_schema_path))
        if error.validator == "required":
            missing = next(name for name in error.validator_value if name not in error.instance)
            inside = f"lacks {'/'.join([*path[1:], missing])}" if path else "is empty"
            yield (path or [missing])[0], inside + when
        elif error.validator == "not":
            several = error.validator_value.get("required", [])
            yield (several or path or [""])[-1], f"is one too many of {', '.join(several)}"
        elif error.validator == "additionalProperties":
            for name in sorted(set(error.instance) - set(error.schema.get("properties", {}))):
                yield (path or [name])[0], f"{'/'.join([*path[1:], name])} is no input of it"
        else:
            inside = "/".join(path[1:])
            yield (path or [""])[0], f"{inside} {_said(error)}{when}".strip()


def _said(error: Any) -> str:
    value, limit = error.instance, error.validator_value
    match error.validator:
        case "enum":
            return "is not one of " + ", ".join(map(str, limit))
        case "type":
            return f"{str(value)[:40]!r} is not of type {limit}"
        case "minimum" | "exclusiveMinimum":
            return f"{value} is less than {limit}"
        case "maximum" | "exclusiveMaximum":
            return f"{value} is more than {limit}"
        case "maxItems":
            return f"has {len(value)} members; at most {limit}"
        case "minItems":
            return f"has {len(value)} members; at least {limit}"
        case "maxLength":
            return f"has {len(value)} characters; at most {limit}"
        case "minLength":
            return f"has {len(value)} characters; at least {limit}"
    return " ".join(str(error.message).split())[:200]


def _condition(schema: Schema, steps: list[Any]) -> str:
    """The other inputs that decide about it, as the schema's `if` names them."""
    for branch, word in (("else", "without"), ("then", "with")):
        if branch in steps:
            here: Any = schema
            for step in steps[: steps.index(branch)]:
                here = here[step]
            condition = here.get("if", {})
            asked = {name: each.get("enum", ()) for name, each in condition["properties"].items()}
            parts = (f"{name} {' or '.join(map(str, of))}".strip() for name, of in asked.items())
            return f" {word} {' and '.join(parts)}"
    return ""
