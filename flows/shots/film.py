"""Which film a list is of: what bills, changes and statements are about."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from blocks.errors import InputError
from flows.shots.source import is_pasted, list_name, local_path, place_of, split_sheet

MAX_TOML_BYTES = 2**20
MAX_NAME_CHARS = 2_000


@dataclass(frozen=True)
class FilmId:
    """`key` tells films apart: the name in `NAME.toml` beside the list, where it has one, else the
    list's own place; never the bare name of its file, which other lists have too. `name` is the
    list's, as folders and runs are called.
    """

    key: str
    name: str
    place: str


def film_of(source: str, run_name: str = "") -> FilmId:
    """The film of a list. A pasted list is known by the name of its run. Raises InputError."""
    name = list_name(source)
    if is_pasted(source):
        return FilmId(run_name or name, run_name or name, "")
    place = place_of(source)
    path = local_path(split_sheet(source)[0])
    own = name_in(path.with_suffix(".toml")) if path else ""
    return FilmId(own or place, name, place)


def name_in(path: Path) -> str:
    """The film's name in its file; empty where there is no file, or no name in it."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_TOML_BYTES:
            return ""
        name = tomllib.loads(path.read_text("utf-8")).get("name", "")
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read: {error}.", remedy="Mend it.") from None
    if not isinstance(name, str) or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise InputError(
            f"{path.name}: name is not a line of up to {MAX_NAME_CHARS} characters.",
            remedy='Write it as name = "Harbour".',
        )
    return name.strip()
