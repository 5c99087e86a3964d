"""What was chosen beside a list: `NAME.choices.toml`, which people read, commit and undo.

    ["harbour/1"]
    takes = 3          # there are so many takes of it
    take = 2           # this one is in the film
    mark = "approved"
    note = "the light of the first, please"

What the list says itself comes first: its own `take`, and its `takes` where they are more.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from blocks import settings
from blocks.errors import InputError
from blocks.files import replacing
from flows.shots.problem import shown
from flows.shots.settings import TAKES
from flows.shots.source import is_pasted, list_name, local_path, place_of, split_sheet
from flows.shots.table import Cells, nearest

Mark = Literal["", "approved", "again", "out"]
"""What a person thinks of a shot. `out` leaves it out of the film; the others change nothing."""

MARKS: tuple[Mark, ...] = get_args(Mark)
APPROVED = re.compile(r"(?:[0-9a-f]{16})?")
MAX_FILE_BYTES = 16 * 2**20
MAX_NOTE_CHARS = 2_000
HEAD = """\
# What was chosen in the cutting room, or with `shotreel choose` and `shotreel again`.
# Remove what is to be undone; the takes are kept. What the list says itself comes first.
"""


@dataclass(frozen=True)
class Choice:
    """None where the list is to say it. `approved` is how the fingerprint of the still begins
    that was approved: another picture needs another approval."""

    takes: int | None = None
    take: int | None = None
    mark: Mark = ""
    note: str = ""
    stills: int | None = None
    still: int | None = None
    approved: str = ""

    def filled(self, cells: Cells) -> Cells:
        """The cells with what the list leaves open."""
        said = Cells(cells)
        if self.takes is not None and _number(cells["takes"]) < self.takes:
            said["takes"] = str(self.takes)
        if self.take is not None and not cells["take"]:
            said["take"] = str(self.take)
        return said


Choices = Mapping[str, Choice]
"""By the shot's name with its sequence, `harbour/1`."""

KEYS = tuple(field.name for field in fields(Choice))


def choices_path(source: str) -> Path | None:
    """Beside the list; in the home for one behind a URL; None for one that is pasted."""
    if is_pasted(source):
        return None
    workbook, sheet = split_sheet(source)
    name = list_name(source)
    if path := local_path(workbook):
        return path.with_name(f"{name if sheet else path.stem}.choices.toml")
    folder = hashlib.sha256(place_of(source).encode()).hexdigest()[:16]
    return settings.own_home() / "lists" / folder / f"{name}.choices.toml"


def choices_of(source: str) -> Choices:
    """What was chosen for a list. Raises InputError."""
    path = choices_path(source)
    return read_choices(path) if path else {}


def read_choices(path: Path) -> Choices:
    """Empty where there is no file. Raises InputError, with the place and what is allowed there."""
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path.name} cannot be read: {error}.",
            remedy="Correct it, or remove it to go back to what the list says.",
        ) from None
    return choices_from(found, path.name)


def choices_from(found: Mapping[str, Any], label: str) -> Choices:
    """Raises InputError."""
    return {shot: _choice(values, f'{label}, ["{shown(shot)}"]') for shot, values in found.items()}


def write_choices(path: Path, choices: Choices) -> None:
    """Raises OSError. What chooses nothing is left out; no choice at all is no file."""
    text = as_toml(choices)
    if not text:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as part:
        part.write_text(HEAD + text, "utf-8")


def as_toml(choices: Choices) -> str:
    said = ""
    for shot, choice in choices.items():
        values = {key: getattr(choice, key) for key in KEYS if getattr(choice, key)}
        if values:
            said += f"\n[{_text(shot)}]\n"
            said += "".join(f"{key} = {_value(value)}\n" for key, value in values.items())
    return said


def _choice(values: Any, place: str) -> Choice:
    if not isinstance(values, dict):
        raise _wrong(place, "is not a table of choices")
    for key in values:
        if key not in KEYS:
            raise _wrong(f"{place}, {shown(key)}", f"is not known{nearest(key, KEYS)}")
    for key in ("takes", "take", "stills", "still"):
        number = values.get(key, 1)
        if type(number) is not int or not TAKES.low <= number <= TAKES.high:
            raise _wrong(f"{place}, {key}", f"is not {TAKES.allowed}")
    if not APPROVED.fullmatch(str(values.get("approved", ""))):
        raise _wrong(f"{place}, approved", "is not what `shotreel approve` writes")
    note = values.get("note", "")
    if values.get("mark", "") not in MARKS:
        raise _wrong(f"{place}, mark", f"is not one of {', '.join(MARKS[1:])}")
    if not isinstance(note, str) or len(note) > MAX_NOTE_CHARS:
        raise _wrong(f"{place}, note", f"is not a text of up to {MAX_NOTE_CHARS:,} characters")
    return Choice(**values)


def _wrong(place: str, reason: str) -> InputError:
    return InputError(f"{place}: {reason}.", remedy="Correct it; nothing was bought.")


def _number(cell: str) -> int:
    """What a cell says that is read, and complained about, elsewhere; 0 for what is no number."""
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else 0


def _value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else _text(value)


def _text(value: str) -> str:
    # A JSON text is a TOML text, where DEL is escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
