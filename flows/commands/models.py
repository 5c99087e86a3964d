"""`shotreel models`: the models that a list can name, and the cards that say what they take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from blocks.errors import InputError, SetupError, UnreachableError
from flows.commands.options import exits_with, json_option

WORKFLOW = "comfyui/"
ASKED_BY_HAND_S = 8.0
"""What a person waits for a catalogue that does not answer."""


@click.group()
def models() -> None:
    """Find, add and update models by their cards.

    A card is made from the service's own schema.

    A card is found beside the list (models/<service>/...), in the home, or among those that come
    with shotreel. Nothing here spends money; the services' catalogues are asked, or the sandbox's
    with --sandbox.
    """


sandbox_option = click.option("--sandbox", is_flag=True, help="Ask the sandbox's catalogues.")
beside_option = click.option(
    "--beside",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="A folder of lists: the cards in its models/ come first. Default: the working folder.",
)


@models.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of lists, whose models/ gets the card. Default: the home.",
)
@sandbox_option
@json_option
@exits_with
def add(ids: tuple[str, ...], into: Path | None, sandbox: bool, as_json: bool) -> int:
    """Make the card of a model from its service's schema, such as fal-ai/veo3.1.

    An id that both services have is written fal:ID or wavespeed:ID. Of a card that is there, what
    has changed is shown.
    """
    import asyncio

    from blocks import settings
    from blocks.providers.cards.catalogue import FOLDER, card_path
    from blocks.providers.cards.check import outdated

    folder = (into or settings.home()) / FOLDER
    made = asyncio.run(read_cards(ids, sandbox=sandbox))
    before = [card_as_written(card_path(folder, c.provider, c.name), c.name) for c in made]
    rows = []
    for card, old in zip(made, before, strict=True):
        path = write_card(with_own(card, old) if old else card, folder)
        changed = "" if old is None else outdated(old, card) or "as it was"
        rows.append(
            {"name": card.name, "provider": card.provider, "path": str(path), "changed": changed}
        )
        if not as_json:
            told = f"; {changed}" if changed else ""
            click.echo(f"{card.provider}:{card.name}: {len(card.inputs)} inputs, in {path}{told}")
    if as_json:
        click.echo(json.dumps({"added": rows}))
    return 0


@models.command()
@click.argument("words", nargs=-1)
@beside_option
@sandbox_option
@json_option
@exits_with
def search(words: tuple[str, ...], beside: Path, sandbox: bool, as_json: bool) -> int:
    """Find models: those with a card, ComfyUI workflows, and the services' catalogues."""
    import asyncio

    wanted = " ".join(words)
    found, broken = known(wanted, beside)
    if not as_json:
        list_models(found)  # a service that does not answer is asked for a while
    for card in broken:
        click.echo(f"Left out: {card}", err=True)
    names = {(each["provider"], each["name"]) for each in found}
    listed, silent = asyncio.run(listed_by_services(wanted, sandbox=sandbox))
    listed = [each for each in listed if (each["provider"], each["name"]) not in names]
    if as_json:
        click.echo(json.dumps({"models": [*found, *listed], "not_asked": silent}))
        return 0
    list_models(listed)
    for service, why in silent.items():
        click.echo(f"{service} was not asked: {why}", err=True)
    if not found and not listed:
        click.echo(f"No model is described by: {wanted}", err=True)
    return 0


@models.command()
@click.argument("model_id", metavar="ID")
@beside_option
@json_option
@exits_with
def show(model_id: str, beside: Path, as_json: bool) -> int:
    """Show what a model takes, gives and costs."""
    from blocks.providers.catalogue import ModelError, find_model
    from flows.commands.model_facts import as_dict, show_model

    try:
        model = find_model(model_id, beside)
    except ModelError as error:
        raise InputError(f"{model_id} {error}.") from None
    if model is None:
        raise no_card(model_id)
    facts = as_dict(model)
    if as_json:
        click.echo(json.dumps(facts))
    else:
        show_model(facts)
    return 0


@models.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only show what has changed.")
@beside_option
@sandbox_option
@json_option
@exits_with
def update(ids: tuple[str, ...], dry_run: bool, beside: Path, sandbox: bool, as_json: bool) -> int:
    """Read the schemas again, show what has changed, and take it.

    Without IDs: the cards of the home and of the working folder. A card that comes with shotreel
    is updated into the home.
    """
    import asyncio

    from blocks.providers.cards.check import is_sold, outdated

    held = cards_to_update(ids, beside)
    asked = [card for card, _ in held if card.schema_sha256]
    now, silent = asyncio.run(published(asked, sandbox=sandbox))
    rows: list[dict[str, Any]] = []
    for card, folder in held:
        if card.provider in silent:
            continue
        row = {"name": card.name, "provider": card.provider, "changed": None, "path": None}
        told = "its service's catalogue does not have it: there is nothing to compare it with"
        if card.schema_sha256:
            new = now[card.provider, card.endpoint]
            row["changed"] = outdated(card, new) or None
            told = row["changed"] or "as it was"
            if row["changed"] and is_sold(new) and not dry_run:
                row["path"] = str(write_card(with_own(new, card), folder))
                told += f" (written to {row['path']})"
        rows.append(row)
        if not as_json:
            click.echo(f"{card.provider}:{card.name}: {told}")
    if as_json:
        click.echo(json.dumps({"models": rows, "not_asked": silent}))
    elif not held:
        click.echo("There is no card in the home nor in the working folder: name the models.")
    for service, why in silent.items():
        click.echo(f"{service} was not asked: {why}", err=True)
    return 1 if silent else 0


# --- what they do -----------------------------------------------------------------------------


async def read_cards(ids: Sequence[str], *, sandbox: bool) -> list[Any]:
    """The cards of ids from the first service that has each. Raises InputError."""
    from blocks.providers.cards.card import CardError
    from blocks.providers.cards.catalogue import split_name

    made = []
    async with accounts(sandbox=sandbox) as (opened, silent):
        for model_id in ids:
            if model_id.startswith(WORKFLOW):
                raise no_card(model_id)
            services, name = split_name(model_id)
            found, asked = None, []
            for service in services:
                if found is not None or service not in opened or service in silent:
                    continue
                try:
                    found = (await opened[service].catalogue.cards([name]))[name]
                    asked.append(service)
                except UnreachableError as error:
                    silent[service] = error.message
            if isinstance(found, CardError):
                raise InputError(f"No card can be made of {model_id}: it {found}.")
            if found is None:
                not_asked = "; ".join(
                    f"{s} was not asked: {why.rstrip('.')}" for s, why in silent.items()
                )
                by = " or ".join(asked)
                raise InputError(
                    f"{model_id} is not sold by {by}." if by else f"{model_id} was not found.",
                    remedy=not_asked or "Look for it: shotreel models search WORDS.",
                )
            made.append(found)
    return made


async def published(
    cards: Iterable[Any], *, sandbox: bool
) -> tuple[dict[tuple[str, str], Any], dict[str, str]]:
    """(what the services say of the same models now, why a service was not asked)."""
    found: dict[tuple[str, str], Any] = {}
    wanted: dict[str, list[str]] = {}
    for card in cards:
        wanted.setdefault(card.provider, []).append(card.endpoint)
    async with accounts(sandbox=sandbox) as (opened, silent):
        for service in wanted.keys() & opened.keys():
            try:
                now = await opened[service].catalogue.cards(wanted[service])
            except UnreachableError as error:
                silent[service] = error.message
                continue
            found |= {(service, endpoint): card for endpoint, card in now.items()}
    return found, {service: silent[service] for service in wanted if service in silent}


def list_models(found: Iterable[dict[str, Any]]) -> None:
    from blocks.providers.http import plain

    for each in found:
        has = "card" if each["card"] else "    "
        told = plain(f"{each['name']}  {each['about']}")
        click.echo(f"{has}  {each['provider']:9}  {told}".rstrip())


async def listed_by_services(
    words: str, *, sandbox: bool
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(models that the services list, why a service was not asked)."""
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

    return open_catalogues(sandbox=sandbox, patience_s=ASKED_BY_HAND_S)


def no_card(model_id: str) -> InputError:
    from blocks.providers.catalogue import MODELS
    from flows.shots.table import nearest

    if model_id.startswith(WORKFLOW):
        return InputError(
            f"{model_id} is a workflow of your own and needs no card.",
            remedy=f"Run: shotreel models show {model_id}",
        )
    return InputError(
        f"There is no card of {model_id}{nearest(model_id, tuple(MODELS)) or '.'}",
        remedy=f"Run: shotreel models add {model_id} (or models search WORDS).",
    )


def known(words: str, beside: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """(cards and workflows that a list can name, of which the words are said; cards that cannot be
    read)."""
    from blocks.providers.cards.catalogue import all_cards
    from blocks.providers.catalogue import MODELS
    from blocks.providers.comfyui.models import FOLDER, PREFIX
    from blocks.providers.comfyui.workflow import SIDECAR_SUFFIX

    near = {
        PREFIX + path.name.replace(SIDECAR_SUFFIX, ".json")
        for folder in (beside, Path.cwd(), FOLDER)
        for path in folder.glob(f"*{SIDECAR_SUFFIX}")
    }
    workflows = near | {name for name in MODELS if name.startswith(PREFIX)}
    cards, broken = all_cards(beside)
    every = [
        *(entry(card.provider, card.name, f"makes {card.makes}", card=True) for card in cards),
        *(entry("comfyui", name, "a workflow", card=True) for name in sorted(workflows)),
    ]
    wanted = words.lower().split()

    def said(each: dict[str, Any]) -> str:
        return f"{each['provider']} {each['name']} {each['about']}".lower()

    return [each for each in every if all(word in said(each) for word in wanted)], broken


def entry(provider: str, name: str, about: str, *, card: bool) -> dict[str, Any]:
    return {"provider": provider, "name": name, "about": about, "card": card}


def cards_to_update(ids: Sequence[str], beside: Path) -> list[tuple[Any, Path]]:
    """(card, the folder that it is written to). Raises InputError for an id without a card."""
    from blocks import settings
    from blocks.providers.cards.catalogue import FOLDER, SHIPPED, card_files, find_path

    home = settings.home() / FOLDER
    if not ids:
        paths = [
            (path, folder) for folder in (beside / FOLDER, home) for path in card_files(folder)
        ]
    else:
        paths = []
        for model_id in ids:
            path = None if model_id.startswith(WORKFLOW) else find_path(model_id, beside)
            if path is None:
                raise no_card(model_id)
            folder = path.parent.parent
            paths.append((path, home if folder == SHIPPED else folder))
    return [(card_as_written(path, path.stem), folder) for path, folder in paths]


def card_as_written(path: Path, name: str) -> Any:
    """The card of a file, also where people have changed it by hand; None where there is no file.

    Raises InputError for what is no card.
    """
    from blocks.providers.cards.card import CardError, read_card

    try:
        return read_card(path.read_text("utf-8"), as_written=True)
    except FileNotFoundError:
        return None
    except (CardError, OSError, UnicodeError) as error:
        said = error if isinstance(error, CardError) else f"cannot be read: {error}"
        raise InputError(
            f"{name} has a card that {said} ({path}).", remedy="Remove the file, and add it anew."
        ) from None


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
