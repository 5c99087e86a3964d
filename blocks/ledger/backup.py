"""A copy of the ledger, taken while others write to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from blocks.errors import InputError, SetupError


def back_up(url: str, file: Path) -> int:
    """Copy an SQLite ledger to `file`, whole or not at all, for its owner alone; its bytes.

    Raises InputError where `file` exists or the ledger is Postgres', SetupError where it cannot be
    read or written.
    """
    if file.exists():
        raise InputError(f"{file} exists.", remedy="Name a new file: a copy replaces none.")
    place = make_url(url)
    if place.get_backend_name() != "sqlite":
        raise InputError(
            "This ledger lives on Postgres, which makes copies itself.",
            remedy=f"Run: {pg_dump(url, file)}",
        )
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(0o600)
        source = f"file:{place.database}?mode=ro"
        with (
            closing(sqlite3.connect(source, uri=True, timeout=60)) as ledger,
            closing(sqlite3.connect(part)) as copy,
        ):
            ledger.backup(copy, pages=1000)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            [(found,)] = copy.execute("PRAGMA integrity_check").fetchall()
            if found != "ok":
                raise SetupError(f"The ledger is damaged: {found}.", remedy="Keep it as it is.")
        part.replace(file)
    except (OSError, sqlite3.Error) as error:
        raise SetupError(f"The ledger cannot be copied to {file}: {error}.") from None
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def pg_dump(url: str, file: Path) -> str:
    """The command; a password is asked for, or comes from PGPASSWORD or ~/.pgpass."""
    given = make_url(url)
    # Anew: to set the password to None leaves it as it is in SQLAlchemy 2.0.
    place = URL.create(
        "postgresql",
        username=given.username,
        host=given.host,
        port=given.port,
        database=given.database,
    )
    return f"pg_dump --format=custom --file={file} {place.render_as_string()}"
