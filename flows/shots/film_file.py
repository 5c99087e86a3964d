"""The film's own file: `NAME.toml` beside `NAME.csv`, with what all of its runs have in common.

    name = "Harbour"
    title = "Harbour at Dawn"
    music = "score.mp3"
    fit = "crop"
    rate = 25
    size = "1920x1080"
    max_usd = 0.50
    budget_usd = 20

    [defaults]
    model = "fal-ai/magi-distilled"
    resolution = "480p"

    [sequences.storm]
    budget_usd = 5

    [variables]
    light = "low winter sun"

    [characters.hero]
    words = "a tall woman in a red coat"
    image = "hero.png"

The command's options come first, then this file, then the defaults; for a row its own cells do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

from blocks.errors import InputError
from blocks.money import MAX_AMOUNT
from flows.shots.cell import Fault
from flows.shots.columns import INPUTS, SHARED
from flows.shots.input_file import PREVIOUS
from flows.shots.problem import shown
from flows.shots.settings import CUT
from flows.shots.source import is_pasted, local_path, split_sheet
from flows.shots.table import Cells, nearest

MAX_FILE_BYTES = 2**20
MAX_NAME_CHARS = 2_000
FINISH = {
    "title": str,
    "end_title": str,
    "music": str,
    "loudness": (str, int, Decimal),
    "fit": str,
    "on_missing": str,
    "match_seams": bool,
    "rate": (str, int, Decimal),
    "size": str,
}
"""What is chosen about the film at any time, for nothing, with its types."""

TABLES = ("defaults", "sequences", "variables", "characters")
KEYS = ("name", *FINISH, "max_usd", "budget_usd", *TABLES)
PROMPTS = ("prompt", "image_prompt")
PICTURES = ("image", "last_image", "references")
CHARACTER = ("words", "image")
DOUBLED = re.compile(r"\{\{|\}\}|\{([A-Za-z_][\w-]{0,99})\}")
CALLED = re.compile(r"@([A-Za-z_][\w-]{0,99})")


@dataclass(frozen=True)
class FilmFile:
    """`finish` is by the fields of `Finish`; `defaults` are cells; `variables` are said in prompts,
    `pictures` named in picture columns. `label` is the file's name, empty where there is none."""

    label: str = ""
    name: str = ""
    finish: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    max_usd: Decimal | None = None
    budget_usd: Decimal | None = None
    sequence_budgets_usd: Mapping[str, Decimal] = field(default_factory=dict)

    def default_model(self, cells: Cells) -> str:
        return cells["model"] or self.defaults.get("model", "")

    def filled(self, cells: Cells, taken: Mapping[str, object] | None) -> Cells:
        """The cells with what the row leaves open; of inputs those that its model takes, None where
        the model is not known."""
        found = Cells(cells)
        for column, value in self.defaults.items():
            of_model = column not in INPUTS or taken is None or column in taken
            if of_model and not cells[column]:
                found[column] = value
        for one, other in (("num_frames", "duration_s"), ("duration_s", "num_frames")):
            if cells[one] and not cells[other]:
                found.pop(other, None)
        if not cells["transition_s"] and found["transition"].lower() in ("", CUT):
            found.pop("transition_s", None)
        return found

    def spoken(self, cells: Cells, faults: dict[Fault, None]) -> Cells:
        """The cells with their variables and characters in place; adds what is not defined."""
        found = Cells(cells)
        where = self.label or "NAME.toml beside the list"

        def said(column: str, match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return match[0][0]
            if name not in self.variables:
                near = nearest(name, tuple(self.variables))
                reason = f"is not defined in {where}{near}"
                faults[Fault(column, match[0], f"{reason} (a brace that is meant is doubled)")] = (
                    None
                )
            return self.variables.get(name, "")

        for column in PROMPTS:
            if "{" in cells[column] or "}}" in cells[column]:
                found[column] = DOUBLED.sub(partial(said, column), cells[column])
        for column in PICTURES:
            cell = cells[column]
            match = CALLED.fullmatch(cell) if cell else None
            if match is None or cell.lower() == PREVIOUS:
                continue
            if match[1] in self.pictures:
                found[column] = self.pictures[match[1]]
            else:
                near = nearest(match[1], tuple(self.pictures))
                faults[Fault(column, cell, f"is no picture of a character in {where}{near}")] = None
                found.pop(column)
        return found

    def sentences(self) -> Iterator[str]:
        """In words, for the plan: what comes from here."""
        if not self.label:
            return
        said = [
            f"{key.removesuffix('_lufs').replace('_', ' ')} {value}"
            for key, value in self.finish.items()
        ]
        said += [
            f"{column} {value} where a row says none" for column, value in self.defaults.items()
        ]
        said += [f"{{{name}}}" for name in self.variables]
        said += [f"@{name}" for name in self.pictures]
        if self.max_usd is not None:
            said.append(f"at most ${self.max_usd} for a clip")
        if self.budget_usd is not None:
            said.append(f"at most ${self.budget_usd} for the film, over all its runs")
        said += [f"at most ${usd} for {name}" for name, usd in self.sequence_budgets_usd.items()]
        if said:
            yield f"From {self.label}: {shown('; '.join(said), 2_000)}."

    def as_dict(self) -> dict[str, Any]:
        amounts = {"max_usd": self.max_usd, "budget_usd": self.budget_usd}
        return {
            "file": self.label or None,
            "finish": {key: str(value) for key, value in self.finish.items()},
            "defaults": dict(self.defaults),
            "variables": dict(self.variables),
            "characters": dict(self.pictures),
            **{key: None if usd is None else f"{usd:f}" for key, usd in amounts.items()},
            "sequences": {name: f"{usd:f}" for name, usd in self.sequence_budgets_usd.items()},
        }


NO_FILE = FilmFile()


def film_file_path(source: str) -> Path | None:
    """Beside the list; None for a list without a place on this machine."""
    if is_pasted(source):
        return None
    path = local_path(split_sheet(source)[0])
    return path.with_suffix(".toml") if path else None


def film_file_of(source: str) -> FilmFile:
    """What the film's file says; nothing where there is none. Raises InputError."""
    path = film_file_path(source)
    return read_film_file(path) if path else NO_FILE


def read_film_file(path: Path) -> FilmFile:
    """Raises InputError, with the key and what is allowed there."""
    try:
        if not path.is_file():
            return NO_FILE
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
        found = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, ValueError, RecursionError, InvalidOperation) as error:
        raise InputError(f"{path.name} cannot be read: {error}.", remedy="Correct it.") from None
    return _Reader(path.name, path.parent).read(found)


class _Reader:
    def __init__(self, label: str, folder: Path) -> None:
        self._label = label
        self._folder = folder

    def read(self, found: Mapping[str, Any]) -> FilmFile:
        self._check_keys(found, KEYS, "")
        for table in TABLES:
            if not isinstance(found.get(table, {}), dict):
                raise self._wrong(table, f"is not a table; write [{table}]")
        variables = {
            self._name(name, "variables"): self._line(value, f"variables.{name}")
            for name, value in found.get("variables", {}).items()
        }
        pictures = {}
        for name, values in found.get("characters", {}).items():
            place = f"characters.{self._name(name, 'characters')}"
            if not isinstance(values, dict):
                raise self._wrong(place, f"is not a table; write [{place}]")
            self._check_keys(values, CHARACTER, f"{place}.")
            if name in variables:
                raise self._wrong(place, "is a variable too; name one of them otherwise")
            variables[name] = self._line(values.get("words", name), f"{place}.words")
            if "image" in values:
                pictures[name] = self._line(values["image"], f"{place}.image")
        return FilmFile(
            self._label,
            self._film_name(found.get("name", "")),
            self._finish(found),
            self._defaults(found.get("defaults", {})),
            variables,
            pictures,
            self._usd(found, "max_usd", ""),
            self._usd(found, "budget_usd", ""),
            dict(self._sequences(found.get("sequences", {}))),
        )

    def _finish(self, found: Mapping[str, Any]) -> dict[str, Any]:
        finish = {key: found[key] for key in FINISH if key in found}
        for key, value in finish.items():
            is_switch = isinstance(value, bool) and key != "match_seams"
            if not isinstance(value, FINISH[key]) or is_switch:  # type: ignore[arg-type]
                raise self._wrong(
                    key, "is not what it takes, such as " + EXAMPLES.get(key, '"words"')
                )
        if "loudness" in finish:
            finish["loudness_lufs"] = finish.pop("loudness")
        if "rate" in finish:
            finish["rate"] = str(finish["rate"])
        if finish.get("music"):
            finish["music"] = str((self._folder / finish["music"]).resolve())
        return finish

    def _defaults(self, found: Mapping[str, Any]) -> dict[str, str]:
        self._check_keys(found, SHARED, "defaults.")
        cells = {}
        for column, value in found.items():
            if isinstance(value, bool):
                cells[column] = str(value).lower()
            elif isinstance(value, str | int | Decimal):
                cells[column] = str(value).strip()
            else:
                raise self._wrong(f"defaults.{column}", "is not a text or a number")
        return cells

    def _sequences(self, found: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
        for name, values in found.items():
            place = f"sequences.{name}"
            if not isinstance(values, dict):
                raise self._wrong(place, f"is not a table; write [{place}]")
            self._check_keys(values, ("budget_usd",), f"{place}.")
            budget_usd = self._usd(values, "budget_usd", f"{place}.")
            if budget_usd is not None:
                yield name, budget_usd

    def _usd(self, values: Mapping[str, Any], key: str, place: str) -> Decimal | None:
        amount = values.get(key)
        if amount is None:
            return None
        if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
            raise self._wrong(place + key, "is not an amount in USD, such as 12.50")
        usd = Decimal(amount)
        if not usd.is_finite() or not 0 <= usd <= MAX_AMOUNT:
            raise self._wrong(place + key, f"is not an amount from 0 to {MAX_AMOUNT:,}")
        return usd

    def _film_name(self, name: Any) -> str:
        if not isinstance(name, str) or len(name) > MAX_NAME_CHARS or not name.isprintable():
            raise InputError(
                f"{self._label}: name is not a line of up to {MAX_NAME_CHARS} characters.",
                remedy='Write it as name = "Harbour".',
            )
        return name.strip()

    def _name(self, name: str, table: str) -> str:
        if not CALLED.fullmatch(f"@{name}") or f"@{name.lower()}" == PREVIOUS:
            raise self._wrong(f"{table}.{name}", "is not a name of letters, digits, - and _")
        return name

    def _line(self, value: Any, place: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self._wrong(place, "is not a text")
        return str(value)

    def _check_keys(self, found: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
        for key in found:
            if key not in known:
                raise self._wrong(f"{place}{key}", f"is not known{nearest(key, known)}")

    def _wrong(self, place: str, reason: str) -> InputError:
        return InputError(
            f"{self._label}, {shown(place)}: {reason}{'' if reason.endswith('?') else '.'}",
            remedy="Correct it; nothing was bought.",
        )


EXAMPLES = {
    "loudness": '-14, or "off"',
    "match_seams": "true",
    "fit": '"crop"',
    "rate": "25",
    "size": '"1920x1080"',
}
