"""Where cards are found: beside the list, in the home, and those that come with shotreel."""

from __future__ import annotations

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
    providers, card_id = split_name(name)
    if ".." in card_id or "\\" in card_id or "\0" in card_id or len(card_id) > 200:
        return None
    for provider in providers:
        for folder in folders(list_folder):
            path = card_path(folder, provider, card_id)
            if card := read_file(path):
                return card
    return None


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


def cards_in(folder: Path) -> Iterator[Card]:
    """Every card of a folder. Raises CardError."""
    for provider in PROVIDERS:
        for path in sorted((folder / provider).glob("*.json")):
            if card := read_file(path):
                yield card


def all_cards(list_folder: Path | None = None) -> dict[tuple[str, str], Card]:
    """By service and name: the first that is found of each."""
    found: dict[tuple[str, str], Card] = {}
    for folder in folders(list_folder):
        for card in cards_in(folder):
            found.setdefault((card.provider, card.name), card)
    return found


@cache
def shipped() -> Mapping[str, Card]:
    """The cards that come with shotreel, by name."""
    return {card.name: card for card in cards_in(SHIPPED)}
