"""The films that were made: which clips the manifest of an output folder names."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, insert, select

from blocks import timing
from blocks.ledger.engine import writing
from blocks.ledger.ledger import Ledger
from blocks.ledger.tables import films


@dataclass(frozen=True)
class Film:
    """`clips` are SHA-256s; `host` is the machine that `out` is a folder of."""

    host: str
    out: Path
    name: str
    clips: frozenset[str]

    @property
    def is_here(self) -> bool:
        return self.host == platform.node()

    @property
    def is_kept(self) -> bool:
        """Its manifest is there, as far as can be seen from here."""
        return not self.is_here or (self.out / "manifest.json").exists()


def note_film(ledger: Ledger, out: Path, name: str, run_id: str, clips: Collection[str]) -> None:
    """The folder's newest manifest stands for all before it."""
    place = {"host": platform.node(), "out": str(out.absolute())}
    same = (films.c.host == place["host"], films.c.out == place["out"])
    with writing(ledger.engine) as connection:
        connection.execute(delete(films).where(*same))
        connection.execute(
            insert(films).values(
                **place, name=name, run_id=run_id, at=timing.now(), clips=sorted(clips)
            )
        )


def all_films(ledger: Ledger) -> list[Film]:
    query = select(films.c.host, films.c.out, films.c.name, films.c.clips)
    with ledger.engine.connect() as connection:
        return [
            Film(host, Path(out), name, frozenset(clips))
            for host, out, name, clips in connection.execute(query)
        ]


def forget_films(ledger: Ledger, gone: Iterable[Film]) -> None:
    with writing(ledger.engine) as connection:
        for film in gone:
            connection.execute(
                delete(films).where(films.c.host == film.host, films.c.out == str(film.out))
            )
