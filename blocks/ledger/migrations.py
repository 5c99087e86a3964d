"""The schema's history: append-only functions, run in order when a ledger is opened."""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import Connection, text

from blocks.errors import SetupError
from blocks.ledger.proof import price_key

Migration = Callable[[Connection], None]


def _run(connection: Connection, *statements: str) -> None:
    serial = {
        "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    }[connection.dialect.name]
    for statement in statements:
        connection.execute(text(statement.replace("SERIAL_KEY", serial)))


def first_schema(connection: Connection) -> None:
    _run(
        connection,
        """CREATE TABLE owners (
            id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL,
            started_at TEXT NOT NULL, beat_at TEXT NOT NULL)""",
        """CREATE TABLE runs (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at TEXT NOT NULL,
            budget_nano_usd BIGINT)""",
        """CREATE TABLE attempts (
            id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, holds INTEGER NOT NULL,
            state TEXT NOT NULL, charged TEXT, cause TEXT NOT NULL,
            run_id TEXT NOT NULL, owner_id TEXT,
            service TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL,
            sequence TEXT NOT NULL, shot TEXT NOT NULL, take INTEGER NOT NULL,
            inputs TEXT NOT NULL, seed BIGINT,
            nano_units_quoted BIGINT NOT NULL, unit_price_nano_usd BIGINT NOT NULL,
            cost_nano_usd_quoted BIGINT NOT NULL, price_source TEXT NOT NULL,
            price_as_of TEXT NOT NULL,
            request_id TEXT, urls TEXT, media_url TEXT, clip_sha256 TEXT, num_frames INTEGER,
            created_at TEXT NOT NULL, posted_at TEXT, submitted_at TEXT, ended_at TEXT,
            stored_at TEXT)""",
        # One live attempt a fingerprint, across processes and machines.
        "CREATE UNIQUE INDEX one_live_attempt ON attempts (fingerprint) WHERE holds = 1",
        # One request belongs to one attempt: two unknown outcomes cannot adopt the same.
        """CREATE UNIQUE INDEX one_attempt_a_request ON attempts (service, account, request_id)
            WHERE request_id IS NOT NULL""",
        "CREATE INDEX attempts_by_state ON attempts (service, account, state)",
        "CREATE INDEX attempts_by_run ON attempts (run_id)",
        """CREATE TABLE events (
            id SERIAL_KEY, attempt_id TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL,
            cause TEXT NOT NULL, owner_id TEXT)""",
        "CREATE INDEX events_by_attempt ON events (attempt_id)",
        """CREATE TABLE charges (
            id SERIAL_KEY, attempt_id TEXT NOT NULL, run_id TEXT NOT NULL, service TEXT NOT NULL,
            account TEXT NOT NULL, request_id TEXT, at TEXT NOT NULL, nano_units BIGINT NOT NULL,
            cost_nano_usd BIGINT NOT NULL, currency TEXT NOT NULL, source TEXT NOT NULL,
            cause TEXT NOT NULL)""",
        "CREATE INDEX charges_by_attempt ON charges (attempt_id)",
        "CREATE INDEX charges_by_run ON charges (run_id)",
        "CREATE INDEX charges_by_account ON charges (service, account, at)",
        """CREATE TABLE uploads (
            service TEXT NOT NULL, account TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
            at TEXT NOT NULL, PRIMARY KEY (service, account, sha256))""",
    )


def posted_lately(connection: Connection) -> None:
    # An account's limit of requests a minute is counted before each one.
    _run(connection, "CREATE INDEX attempts_by_post ON attempts (service, account, posted_at)")


def prices_and_top_ups(connection: Connection) -> None:
    """What units have cost and when, and what was paid into prepaid accounts; only added to."""
    _run(
        connection,
        """CREATE TABLE prices (
            id SERIAL_KEY, at TEXT NOT NULL, service TEXT NOT NULL, account TEXT NOT NULL,
            model TEXT NOT NULL, unit TEXT NOT NULL, unit_price_nano_usd BIGINT NOT NULL,
            source TEXT NOT NULL)""",
        "CREATE INDEX prices_by_account ON prices (service, account, model)",
        """CREATE TABLE top_ups (
            id SERIAL_KEY, at TEXT NOT NULL, service TEXT NOT NULL, account TEXT NOT NULL,
            amount_nano_usd BIGINT NOT NULL, reason TEXT NOT NULL)""",
    )


def films_made(connection: Connection) -> None:
    _run(
        connection,
        """CREATE TABLE films (
            host TEXT NOT NULL, out TEXT NOT NULL, name TEXT NOT NULL, run_id TEXT NOT NULL,
            at TEXT NOT NULL, clips TEXT NOT NULL, PRIMARY KEY (host, out))""",
    )


def counted_prices(connection: Connection) -> None:
    """What a service has counted is found by what drives its price, and set aside for the next."""
    _run(
        connection,
        "ALTER TABLE attempts ADD COLUMN price_key TEXT",
        "ALTER TABLE attempts ADD COLUMN cost_nano_usd_reserved BIGINT",
        "UPDATE attempts SET cost_nano_usd_reserved = cost_nano_usd_quoted",
        """CREATE INDEX attempts_by_price ON attempts
            (service, account, model, price_key, ended_at)""",
    )
    rows = connection.execute(text("SELECT id, inputs FROM attempts")).all()
    keys = [{"id": row.id, "key": price_key(json.loads(row.inputs))} for row in rows]
    if keys:
        connection.execute(text("UPDATE attempts SET price_key = :key WHERE id = :id"), keys)


def seeds_of_any_size(connection: Connection) -> None:
    """Seeds by their digits: half of what 64 bits without a sign hold is no BIGINT."""
    _run(
        connection,
        "ALTER TABLE attempts ADD COLUMN seed_digits TEXT",
        "UPDATE attempts SET seed_digits = CAST(seed AS TEXT)",
        "ALTER TABLE attempts DROP COLUMN seed",
        "ALTER TABLE attempts RENAME COLUMN seed_digits TO seed",
    )


def films_by_place(connection: Connection) -> None:
    """Which film a run was for; empty in runs of before, which know the name of their list only."""
    _run(
        connection,
        "ALTER TABLE runs ADD COLUMN film TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE lists (
            film TEXT NOT NULL, live INTEGER NOT NULL, run_id TEXT NOT NULL, at TEXT NOT NULL,
            shots TEXT NOT NULL, PRIMARY KEY (film, live))""",
    )


def schemas_of_cards(connection: Connection) -> None:
    """Which version of a service's schema a request was made by."""
    _run(connection, "ALTER TABLE attempts ADD COLUMN schema_sha256 TEXT")


def clips_of_all_alike(connection: Connection) -> None:
    """Which clips were bought when all rows that ask for the same, without a seed, shared one."""
    _run(
        connection,
        "ALTER TABLE attempts ADD COLUMN for_all_alike INTEGER",
        "UPDATE attempts SET for_all_alike = 1",
        # A clip that a list asks for by its seed may have been bought when the seed was drawn.
        "CREATE INDEX attempts_by_seed ON attempts (seed)",
    )


MIGRATIONS: tuple[Migration, ...] = (
    first_schema,
    posted_lately,
    prices_and_top_ups,
    films_made,
    counted_prices,
    seeds_of_any_size,
    films_by_place,
    schemas_of_cards,
    clips_of_all_alike,
)


def migrate(connection: Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    """Bring the schema up to date; gives its version. The caller's transaction holds the lock.

    Raises SetupError for a ledger that a newer shotreel has written.
    """
    connection.execute(
        text("CREATE TABLE IF NOT EXISTS ledger_schema (version INTEGER PRIMARY KEY)")
    )
    done = connection.execute(text("SELECT COALESCE(MAX(version), 0) FROM ledger_schema")).scalar()
    version = int(done or 0)
    if version > len(migrations):
        raise SetupError(
            f"The ledger has schema {version}; this shotreel knows schemas up to "
            f"{len(migrations)}.",
            remedy="Install the newer shotreel that wrote it. Nothing was changed.",
        )
    for number, step in enumerate(migrations[version:], start=version + 1):
        step(connection)
        connection.execute(text("INSERT INTO ledger_schema VALUES (:n)"), {"n": number})
    return len(migrations)
