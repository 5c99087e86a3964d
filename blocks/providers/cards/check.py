"""Whether a card still says what its service says: nothing is bought by one that does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blocks.errors import InputError
from blocks.providers.cards.card import Card, CardError
from blocks.providers.cards.schema import Schema
from blocks.providers.model import Model

NOTICED = ("type", "enum", "minimum", "maximum", "default", "items", "properties", "media")
MAX_CHARS = 120


Published = Card | CardError | None
"""What a service says of a model now: its card, why none can be made of it, or that it has none."""


def require_current(models: Sequence[Model], published: Mapping[str, Published]) -> None:
    """Raises InputError for cards that are no longer so, with the difference."""
    cards = [model for model in models if isinstance(model, Card) and model.schema_sha256]
    each = [
        (card, now, outdated(card, now)) for card in cards for now in [published[card.endpoint]]
    ]
    wrong = [(card, now, why) for card, now, why in each if why]
    if wrong:
        said = "\n  ".join(f"{card.name}: {why}" for card, _, why in wrong)
        changed = " ".join(f"{card.provider}:{card.name}" for card, now, _ in wrong if is_sold(now))
        update = (
            f" In the folder of the list run `shotreel models update {changed}`, which shows the "
            "difference and takes it; then look at the plan again."
        )
        raise InputError(
            f"What the list asks for is not what the service sells today:\n  {said}",
            remedy="Nothing was bought." + (update if changed else ""),
        )


def is_sold(now: Published) -> bool:
    return isinstance(now, Card) and now.status == "active"


def outdated(card: Card, now: Published) -> str:
    """Why a card must not be bought by; empty where it is current."""
    if now is None:
        return "the service no longer has it; choose another model"
    if isinstance(now, CardError):
        return f"no card can be made of what the service says of it ({now}); choose another model"
    if now.status != "active":
        return f"the service calls it {now.status}; choose another model"
    if now.schema_sha256 == card.schema_sha256:
        return ""
    return "its inputs have changed: " + "; ".join(differences(card, now))


def differences(card: Card, now: Card) -> list[str]:
    """What has changed, input by input, in words."""
    old, new = _properties(card.schema), _properties(now.schema)
    said = [*_inputs(old, new)]
    needed, needs = set(card.schema.get("required", ())), set(now.schema.get("required", ()))
    said += [f"{name} is needed now" for name in sorted(needs - needed)]
    said += [f"{name} is no longer needed" for name in sorted((needed & new.keys()) - needs)]
    if card.output_schema != now.output_schema:
        said.append("what comes back has changed")
    return said or ["a condition between inputs"]


def _inputs(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> Iterator[str]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield f"{name} is gone"
        elif name not in old:
            yield f"{name} is new"
        else:
            changed = [key for key in NOTICED if old[name].get(key) != new[name].get(key)]
            for key in changed:
                before, after = old[name].get(key), new[name].get(key)
                yield f"{name}: {_member(key, before, after)}"


def _member(key: str, before: Any, after: Any) -> str:
    if key == "enum" and isinstance(before, list) and isinstance(after, list):
        gone = [f"without {each}" for each in before if each not in after]
        return ", ".join([*(f"also {each}" for each in after if each not in before), *gone])
    return f"{key} {_short(before)} is {_short(after)} now"


def _short(value: Any) -> str:
    words = "not set" if value is None else str(value)
    return words if len(words) <= MAX_CHARS else words[: MAX_CHARS - 1] + "…"


def _properties(schema: Schema) -> Mapping[str, Schema]:
    found: Mapping[str, Schema] = schema.get("properties", {})
    return found
