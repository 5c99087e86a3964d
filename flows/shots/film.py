"""Which film a list is of: what bills, changes and statements are about."""

from __future__ import annotations

from dataclasses import dataclass

from flows.shots.film_file import film_file_of
from flows.shots.source import is_pasted, list_name, place_of


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
    return FilmId(film_file_of(source).name or place, name, place)
