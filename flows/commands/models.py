"""`shotreel models`: the models that a list can name, and the cards that say what they take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flows.commands.options import exits_with, json_option


@click.group()
def models() -> None:
    """Find, add and update models by their cards.

    A card is made from the service's own schema.

    A card is found beside the list (models/<service>/...), in the home, or among those that come
    with shotreel. Nothing here spends money; the services' catalogues are asked, or the sandbox's
    with --sandbox.
    """


sandbox_option = click.option("--sandbox", is_flag=True, help="Ask the sandbox's catalogues.")


@models.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="A folder of lists, whose models/ gets the card. Default: the home.",
)
@sandbox_option
@json_option
@exits_with
def add(ids: tuple[str, ...], into: Path | None, sandbox: bool, as_json: bool) -> int:
    """Make the card of a model from its service's schema, such as fal-ai/veo3.1.

    An id that both services have is written fal:ID or wavespeed:ID.
    """
    import asyncio

    from blocks import settings
    from blocks.providers.cards.catalogue import FOLDER

    folder = (into or settings.home()) / FOLDER
    made = asyncio.run(read_cards(ids, sandbox=sandbox))
    written = [write_card(card, folder) for card in made]
    if as_json:
        rows = [
            {"name": c.name, "provider": c.provider, "path": str(p)}
            for c, p in zip(made, written, strict=True)
        ]
        click.echo(json.dumps({"added": rows}))
    else:
        for card, path in zip(made, written, strict=True):
            click.echo(f"{card.provider}:{card.name}: {len(card.inputs)} inputs, in {path}")
    return 0


@models.command()
@click.argument("words", nargs=-1)
@sandbox_option
@json_option
@exits_with
def search(words: tuple[str, ...], sandbox: bool, as_json: bool) -> int:
    """Find models: those with a card, ComfyUI workflows, and the services' catalogues."""
    import asyncio

    wanted = " ".join(words)
    found = [*known(wanted)]
    if not as_json:
        list_models(found)  # a service that does not answer is asked for a while
    names = {(each["provider"], each["name"]) for each in found}
    listed, silent = asyncio.run(listed_by_services(wanted, sandbox=sandbox))
    listed = [each for each in listed if (each["provider"], each["name"]) not in names]
    if as_json:
        click.echo(json.dumps({"models": [*found, *listed], "not_asked": silent}))
        return 0
    list_models(listed)
    for service, why in silent.items():
        click.echo(f"{service} was not asked: {why}", err=True)
    return 0


@models.command()
@click.argument("model_id", metavar="ID")
@json_option
@exits_with
def show(model_id: str, as_json: bool) -> int:
    """Show what a model takes, gives and costs."""
    from blocks.errors import InputError
    from blocks.providers.catalogue import ModelError, find_model

    try:
        model = find_model(model_id, Path.cwd())
    except ModelError as error:
        raise InputError(f"{model_id} {error}.") from None
    if model is None:
        raise InputError(
            f"There is no card of {model_id}.",
            remedy=f"Run: shotreel models add {model_id} (or models search WORDS).",
        )
    facts = as_dict(model)
    if as_json:
        click.echo(json.dumps(facts))
    else:
        show_model(facts)
    return 0


@models.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only show what has changed.")
@sandbox_option
@json_option
@exits_with
def update(ids: tuple[str, ...], dry_run: bool, sandbox: bool, as_json: bool) -> int:
    """Read the schemas again, show what has changed, and take it.

    Without IDs: the cards of the home and of the working folder. A card that comes with shotreel
    is updated into the home.
    """
    import asyncio

    from blocks.providers.cards.check import outdated

    held = cards_to_update(ids)
    now = asyncio.run(published([card for card, _ in held], sandbox=sandbox))
    rows: list[dict[str, Any]] = []
    for card, folder in held:
        new = now.get((card.provider, card.endpoint))
        why = outdated(card, new)
        row = {"name": card.name, "provider": card.provider, "changed": why or None, "path": None}
        if why and new is not None and not dry_run:
            row["path"] = str(write_card(with_own(new, card), folder))
        rows.append(row)
        if not as_json:
            written = f" (written to {row['path']})" if row["path"] else ""
            click.echo(f"{card.provider}:{card.name}: {why or 'as it was'}{written}")
    if as_json:
        click.echo(json.dumps({"models": rows}))
    return 0


# --- what they do -----------------------------------------------------------------------------


async def read_cards(ids: Sequence[str], *, sandbox: bool) -> list[Any]:
    """The cards of ids from the first service that has each. Raises InputError."""
    from blocks.errors import InputError
    from blocks.providers.cards.card import CardError
    from blocks.providers.cards.catalogue import split_name

    made = []
    async with accounts(sandbox=sandbox) as (opened, silent):
        for model_id in ids:
            services, name = split_name(model_id)
            found = None
            for service in services:
                try:
                    if found is None and service in opened:
                        found = (await opened[service].catalogue.cards([name]))[name]
                except CardError as error:
                    raise InputError(f"No card can be made: {error}.") from None
            if found is None:
                asked = " and ".join(service for service in services if service in opened)
                not_asked = "; ".join(f"{s} was not asked: {silent[s]}" for s in silent)
                raise InputError(
                    f"{asked or 'No service that can be asked'} does not have {model_id}.",
                    remedy=not_asked or "Look for it: shotreel models search WORDS.",
                )
            made.append(found)
    return made


async def published(cards: Iterable[Any], *, sandbox: bool) -> dict[tuple[str, str], Any]:
    """The cards of the same models as they would be made now. Raises InputError."""
    from blocks.errors import InputError

    found: dict[tuple[str, str], Any] = {}
    async with accounts(sandbox=sandbox) as (opened, silent):
        for service in dict.fromkeys(card.provider for card in cards):
            if service not in opened:
                raise InputError(f"{service} cannot be asked: {silent[service]}")
            ids = [card.endpoint for card in cards if card.provider == service]
            for endpoint, card in (await opened[service].catalogue.cards(ids)).items():
                found[service, endpoint] = card
    return found


def list_models(found: Iterable[dict[str, Any]]) -> None:
    for each in found:
        has = "card" if each["card"] else "    "
        click.echo(f"{has}  {each['provider']:9}  {each['name']}  {each['about']}".rstrip())


async def listed_by_services(
    words: str, *, sandbox: bool
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(models that the services list, why a service was not asked)."""
    from blocks.errors import UnreachableError

    found = []
    async with accounts(sandbox=sandbox) as (opened, silent):
        for service, provider in opened.items():
            try:
                items = await provider.catalogue.search(words)
            except UnreachableError as error:
                silent[service] = error.message
                continue
            for item in items:
                metadata = item.get("metadata") or item
                about = metadata.get("display_name") or metadata.get("description") or ""
                name = item.get("endpoint_id") or item.get("model_id")
                kind = metadata.get("category") or metadata.get("type") or ""
                found.append(entry(service, str(name), f"{kind} {about}"[:100].strip(), card=False))
    return found, silent


def accounts(*, sandbox: bool) -> Any:
    from flows.run.opening import open_catalogues

    return open_catalogues(sandbox=sandbox)


def known(words: str) -> list[dict[str, Any]]:
    """Cards and workflows that a list can name now, of which the words are said."""
    from blocks.providers.cards.catalogue import all_cards
    from blocks.providers.catalogue import MODELS
    from blocks.providers.comfyui.models import FOLDER, PREFIX
    from blocks.providers.comfyui.workflow import SIDECAR_SUFFIX

    beside = {
        PREFIX + path.name.replace(SIDECAR_SUFFIX, ".json")
        for folder in (Path.cwd(), FOLDER)
        for path in folder.glob(f"*{SIDECAR_SUFFIX}")
    }
    workflows = beside | {name for name in MODELS if name.startswith(PREFIX)}
    every = [
        *(
            entry(card.provider, card.name, f"makes {card.makes}", card=True)
            for card in all_cards(Path.cwd()).values()
        ),
        *(entry("comfyui", name, "a workflow", card=True) for name in sorted(workflows)),
    ]
    wanted = words.lower().split()

    def said(each: dict[str, Any]) -> str:
        return f"{each['provider']} {each['name']} {each['about']}".lower()

    return [each for each in every if all(word in said(each) for word in wanted)]


def entry(provider: str, name: str, about: str, *, card: bool) -> dict[str, Any]:
    return {"provider": provider, "name": name, "about": about, "card": card}


def cards_to_update(ids: Sequence[str]) -> list[tuple[Any, Path]]:
    """(card, the folder that it is written to). Raises InputError for an id without a card."""
    from blocks import settings
    from blocks.errors import InputError
    from blocks.providers.cards import catalogue

    home, beside = settings.home() / catalogue.FOLDER, Path.cwd() / catalogue.FOLDER
    if not ids:
        kept = [(card, folder) for folder in (beside, home) for card in catalogue.cards_in(folder)]
        return [(card, folder) for card, folder in kept if card.schema_sha256]
    found = []
    for model_id in ids:
        card = catalogue.find_card(model_id, Path.cwd())
        if card is None:
            raise InputError(
                f"There is no card of {model_id}.", remedy=f"Run: shotreel models add {model_id}."
            )
        is_beside = catalogue.card_path(beside, card.provider, card.name).exists()
        found.append((card, beside if is_beside else home))
    return found


def with_own(new: Any, old: Any) -> Any:
    """The new card with what no schema says and people have written into the old one."""
    from blocks.providers.cards.rules import names

    inputs = new.schema["properties"].keys()
    rules = [rule for rule in dict.fromkeys([*new.rules, *old.rules]) if names(rule) <= inputs]
    return replace(
        new,
        name=old.name,
        rules=tuple(rules),
        price=old.price,
        units=old.units,
        unit=old.unit,
        max_usd=old.max_usd,
        frames_per_second=old.frames_per_second,
        num_frames=old.num_frames,
    )


def write_card(card: Any, folder: Path) -> Path:
    """The card's file, whole or not at all. Raises SetupError."""
    from blocks.errors import SetupError
    from blocks.files import replacing
    from blocks.providers.cards.card import card_text
    from blocks.providers.cards.catalogue import card_path

    path = card_path(folder, card.provider, card.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(card_text(card), "utf-8")
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}.", remedy="Name another folder: --into."
        ) from None
    return path


def as_dict(model: Any) -> dict[str, Any]:
    """A model as JSON: what it takes, column by column, what it gives, what is known of its
    price, and how an unknown outcome is settled."""
    from blocks.providers.cards.settling import settled_by

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
    sentence = f' The service says: "{price.sentence}" ({price.as_of})' if price.sentence else ""
    if model.provider == "wavespeed":
        return f"the account quotes the very request.{sentence}"
    if model.units is not None:
        amount = f"${price.unit_price} a {model.unit}" if price.unit_price else "the account's"
        return f"{amount}, units = {price.units} ({price.source}, {price.as_of})"
    ceiling = f"${model.max_usd} by its card" if model.max_usd else "name it: max_usd"
    return f"nobody can promise it; at most what you allow for a clip ({ceiling}).{sentence}"


def show_model(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    console.print(f"{facts['provider']}:{facts['name']} makes {facts['makes']}", markup=False)
    for name in ("source", "read_at", "note"):
        if facts[name]:
            console.print(f"{name}: {facts[name]}", markup=False, style="dim")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("column", "input", "takes", "default"):
        table.add_column(title)
    for each in facts["inputs"]:
        default = "needed" if each["required"] else each["default"]
        cells = (each["column"], each["input"], each["takes"], default)
        table.add_row(*("" if cell is None else str(cell).replace("[", "\\[") for cell in cells))
    console.print(table)
    for rule in facts["rules"]:
        console.print(f"Rule: {rule}", markup=False)
    console.print(f"Price: {facts['price']}", markup=False)
    console.print(f"An unknown outcome is settled {facts['settled']}.", markup=False)
