"""What a model takes, gives and costs, as `shotreel models show` tells it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocks.providers.cards.settling import settled_by
from flows.shots.problem import shown

MAX_TOLD_CHARS = 2_000


def as_dict(model: Any) -> dict[str, Any]:
    """A model as JSON: what it takes, column by column, what it gives, what is known of its
    price, and how an unknown outcome is settled."""
    card = vars(model)
    price = card.get("price")
    inputs = [
        {
            "input": name,
            "column": model.column_of(name),
            "takes": kind.allowed,
            "default": model.defaults.get(name),
            "required": name in model.required,
        }
        for name, kind in model.inputs.items()
    ]
    return {
        "name": model.name,
        "provider": model.provider,
        "endpoint": model.endpoint,
        "makes": model.makes,
        "source": card.get("source"),
        "read_at": card.get("read_at"),
        "schema_sha256": model.schema_sha256 or None,
        "note": card.get("note") or None,
        "inputs": inputs,
        "roles": dict(model.roles) or {name: name for name in model.inputs},
        "rules": list(card.get("rules", ())),
        "output": model.output or None,
        "price": price_words(model, price),
        "takes_seed": model.takes_seed,
        "settled": settled_by(model),
    }


def price_words(model: Any, price: Any) -> str:
    if model.provider == "comfyui":
        return "none: a machine of one's own"
    said_on = f" ({price.as_of})" if price.as_of else ""
    sentence = f' The service says: "{price.sentence}"{said_on}' if price.sentence else ""
    if model.provider == "wavespeed":
        return f"the account quotes the very request.{sentence}"
    if model.units is not None:
        amount = f"${price.unit_price} a {model.unit}" if price.unit_price else "the account's"
        return f"{amount}, units = {price.units} ({price.source}, {price.as_of})"
    ceiling = f"${model.max_usd} by its card" if model.max_usd else "name it: max_usd"
    return f"nobody can promise it; at most what you allow for a clip ({ceiling}).{sentence}"


def show_model(facts: dict[str, Any]) -> None:
    """What comes from a service's schema cannot steer the terminal."""
    console = Console(soft_wrap=True)

    def say(words: str, style: str = "") -> None:
        console.print(shown(words, MAX_TOLD_CHARS), markup=False, style=style)

    say(f"{facts['provider']}:{facts['name']} makes {facts['makes']}")
    for name in ("source", "read_at", "note"):
        if facts[name]:
            say(f"{name}: {facts[name]}", "dim")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("column", "input", "takes", "default"):
        table.add_column(title)
    for each in facts["inputs"]:
        default = "needed" if each["required"] else in_a_cell(each["default"])
        cells = (each["column"], each["input"], each["takes"], default)
        table.add_row(*(escape(shown(cell, MAX_TOLD_CHARS)) for cell in cells))
    console.print(table)
    for rule in facts["rules"]:
        say(f"Rule: {rule}")
    say(f"Price: {facts['price']}")
    say(f"An unknown outcome is settled {facts['settled']}.")


def in_a_cell(value: Any) -> str:
    """A value as a cell of a list may say it."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)
