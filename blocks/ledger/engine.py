"""Open the ledger's database so that a commit is on disk and many processes can share it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from blocks import settings, timing
from blocks.errors import SetupError
from blocks.ledger.migrations import migrate
from blocks.providers.http import plain

BUSY_TIMEOUT_S = 60
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
"""Whatever driver the URL names: one copied from Prefect's settings names an async one."""

LEDGER_LOCK = 0x5107_12EE  # any constant: the key of the advisory lock on Postgres


def open_engine(url: str) -> Engine:
    """An engine with its schema up to date. Raises SetupError that says what to do."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in DRIVERS:
            raise SetupError(
                f"The ledger cannot live on {backend}.",
                remedy="Set SHOTREEL_LEDGER_URL to an sqlite or postgresql URL.",
            )
        parsed = parsed.set(drivername=DRIVERS[backend])
        sqlite = backend == "sqlite"
        if sqlite:
            _make_folder(parsed.database or "")
        engine = create_engine(
            parsed,
            connect_args={"timeout": BUSY_TIMEOUT_S} if sqlite else {},
            pool_pre_ping=not sqlite,
        )
    except (SQLAlchemyError, ValueError, TypeError, ImportError) as error:
        raise SetupError(
            f"SHOTREEL_LEDGER_URL cannot be used: {type(error).__name__}.",
            remedy="It is a SQLAlchemy URL, such as sqlite:////srv/shotreel/ledger.sqlite or "
            "postgresql://user@host/shotreel (pip install 'shotreel[postgres]').",
        ) from None
    except OSError as error:
        raise SetupError(
            f"The ledger's folder cannot be made: {error.strerror}: {error.filename}.",
            remedy="Nothing was bought. Set SHOTREEL_HOME to a folder that you can write to.",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connection)
        event.listen(engine, "begin", _sqlite_begin)
    try:
        if sqlite:
            _guard_file(engine)
        with writing(engine) as connection:
            migrate(connection)
            # A full disk and a read-only file show themselves here, before anything is bought.
            connection.execute(text("CREATE TABLE IF NOT EXISTS ledger_probe (at TEXT)"))
            connection.execute(text("DELETE FROM ledger_probe"))
            connection.execute(text("INSERT INTO ledger_probe VALUES ('open')"))
    except SQLAlchemyError as error:
        engine.dispose()
        cause = plain(error.orig if isinstance(error, DBAPIError) else type(error).__name__)
        # A password can be in the query too.
        place = parsed.set(query={}).render_as_string(hide_password=True)
        raise SetupError(
            f"The ledger at {place} cannot be used: {cause}.",
            remedy="Nothing was bought. Free the disk, correct the permissions, or put a backup "
            "of the ledger in its place; keep the broken file, it knows what was paid.",
        ) from None
    return engine


def _make_folder(database: str) -> None:
    if database in ("", ":memory:"):
        raise SetupError(
            "A ledger in memory would forget what was paid.",
            remedy="Name a file: sqlite:////srv/shotreel/ledger.sqlite",
        )
    if database.startswith("file:"):  # SQLite's own kind of URL
        return
    file = Path(database).absolute()
    if file.is_relative_to(settings.home()):
        settings.own_home()
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            settings.keep_private(file.with_name(name), 0o600)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.touch(0o600)  # SQLite gives its other files the mode of this one


def _sqlite_connection(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so
    cursor = connection.cursor()
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Write-ahead logging, also where several processes make the same new ledger at once.

    The change of mode upgrades a read lock, and there SQLite does not wait (sqlite.org/c3ref/
    busy_handler.html: two that wait for each other): who loses lets go and asks again.
    """
    patience_ends = timing.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or timing.monotonic() > patience_ends:
                raise
            time.sleep(0.01)


def _guard_file(engine: Engine) -> None:
    """From its first transaction on, the file in use is the one that has the ledger's name.

    A file that was removed takes rows until its last connection is closed, and they go with it.
    """
    opened: list[tuple[Path, os.stat_result]] = []

    def guard(connection: Connection) -> None:
        if not opened:
            rows = connection.connection.cursor().execute("PRAGMA database_list").fetchall()
            path = Path(rows[0][2])
            opened.append((path, path.stat()))
        path, file = opened[0]
        if not (path.exists() and os.path.samestat(path.stat(), file)):
            gone = sqlite3.OperationalError("its file was removed, moved or replaced")
            raise OperationalError("BEGIN", None, gone)

    event.listen(engine, "begin", guard, insert=True)


def _sqlite_begin(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: one that upgrades later can fail.
    write = connection.get_execution_options().get("shotreel_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class _Joint(threading.local):
    """The transaction that this thread's writes join, opened by the first of them."""

    stack: ExitStack | None = None
    connection: Connection | None = None


_joint = _Joint()


@contextmanager
def together(engine: Engine) -> Iterator[None]:
    """One commit for all that this thread writes in the block, which holds until its end.

    Each `writing` in it is a savepoint: one that raises takes back its own writes alone.
    """
    with ExitStack() as stack:
        _joint.stack, _joint.connection = stack, None
        try:
            yield
        finally:
            _joint.stack = _joint.connection = None


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that is alone with the ledger, or a part of the thread's `together`."""
    if _joint.stack is None:
        with _transaction(engine) as connection:
            yield connection
        return
    if _joint.connection is None:
        _joint.connection = _joint.stack.enter_context(_transaction(engine))
    with _joint.connection.begin_nested():
        yield _joint.connection


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with (
        engine.connect().execution_options(shotreel_write=True) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LEDGER_LOCK})
        yield connection
