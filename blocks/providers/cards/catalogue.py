"""Where cards are found: beside the list, in the home, and those that come with shotreel."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from blocks import settings
from blocks.providers.cards.card import Card, CardError, read_card

PROVIDERS = ("fal", "wavespeed")
"""In the order in which an id that both have is looked for; `wavespeed:ID` says which."""

FOLDER = "models"
SHIPPED = Path(__file__).parent / "shipped"
MAX_CARD_BYTES = 4 * 2**20


def split_name(name: str) -> tuple[tuple[str, ...], str]:
    """(the services that may be meant, the id) of what a list calls a model."""
    provider, colon, rest = name.partition(":")
    return ((provider,), rest) if colon and provider in PROVIDERS else (PROVIDERS, name)


def card_path(folder: Path, provider: str, name: str) -> Path:
    return folder / provider / f"{name.replace('/', '__')}.json"


def folders(list_folder: Path | None = None) -> tuple[Path, ...]:
    """Where cards are looked for, in this order."""
    beside = [list_folder / FOLDER] if list_folder else []
    return (*beside, settings.home() / FOLDER, SHIPPED)


def find_card(name: str, list_folder: Path | None = None) -> Card | None:
    """The card of what a list calls a model. Raises CardError for a file that is none."""
    path = find_path(name, list_folder)
    return read_file(path) if path else None


def find_path(name: str, list_folder: Path | None = None) -> Path | None:
    """Where that card is."""
    providers, card_id = split_name(name)
    if ".." in card_id or "\\" in card_id or "\0" in card_id or len(card_id) > 200:
        return None
    places = (
        card_path(folder, provider, card_id)
        for provider in providers
        for folder in folders(list_folder)
    )
    return next((path for path in places if os.path.isfile(path)), None)  # noqa: PTH113 - whatever the name


def read_file(path: Path) -> Card | None:
    """The card of a file; None where there is no file. Raises CardError that names it."""
    try:
        changed = path.stat()
    except OSError:
        return None
    return _read(path, changed.st_mtime_ns, changed.st_size)


@cache
def _read(path: Path, mtime_ns: int, num_bytes: int) -> Card:
    if num_bytes > MAX_CARD_BYTES:
        raise CardError(f"has a card larger than {MAX_CARD_BYTES // 2**20} MiB: {path.name}")
    try:
        return read_card(path.read_text("utf-8"))
    except CardError as error:
        raise CardError(f"has a card that {error} ({path.name})") from None
    except (OSError, UnicodeError) as error:
        raise CardError(f"has a card that cannot be read: {error} ({path.name})") from None


def card_files(folder: Path) -> list[Path]:
    return [path for provider in PROVIDERS for path in sorted((folder / provider).glob("*.json"))]


def cards_in(folder: Path) -> Iterator[Card]:
    """Every card of a folder. Raises CardError."""
    yield from filter(None, map(read_file, card_files(folder)))


def all_cards(list_folder: Path | None = None) -> tuple[list[Card], list[str]]:
    """(the first card that is found of each name of a service, what cannot be read)."""
    found: dict[tuple[str, str], Card] = {}
    broken = []
    for path in (path for folder in folders(list_folder) for path in card_files(folder)):
        try:
            if card := read_file(path):
                found.setdefault((card.provider, card.name), card)
        except CardError as error:
            broken.append(f"{path} {error}")
    return list(found.values()), broken


@cache
def shipped() -> Mapping[str, Card]:
    """The cards that come with shotreel, by name."""
    return {card.name: card for card in cards_in(SHIPPED)}
