"""A ledger of any age is opened with all that it knows, or refused and left as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

from blocks.errors import SetupError
from blocks.ledger import Cost, Ledger
from blocks.ledger.engine import open_engine, writing
from blocks.ledger.migrations import MIGRATIONS, migrate
from blocks.ledger.tables import metadata
from blocks.providers.base import Ticket
from tests.ledger.books import change, in_state, rows
from tests.ledger.conftest import OpenLedger

FIRST_SCHEMA = Path(__file__).with_name("first_schema.sql")
SERIAL_KEYS = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}


def raw_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed)


@pytest.fixture
def old_url(url: str) -> str:
    """A database as the first version left it."""
    engine = raw_engine(url)
    lines = [line for line in FIRST_SCHEMA.read_text().splitlines() if not line.startswith("--")]
    with engine.begin() as connection:
        for statement in "\n".join(lines).split(";\n"):
            if statement.strip():
                serial = SERIAL_KEYS[engine.dialect.name]
                connection.exec_driver_sql(statement.replace("SERIAL_KEY", serial))
    engine.dispose()
    return url


def schema_of(engine: Engine) -> dict[str, Any]:
    looked = inspect(engine)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in looked.get_columns(table)),
            sorted(
                (str(i["name"]), i["column_names"], i["unique"]) for i in looked.get_indexes(table)
            ),
        )
        for table in looked.get_table_names()
    }


def test_oldest_ledger_is_opened_with_all_that_it_knows(
    old_url: str, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger("run", Decimal(1))
    stored = ledger.get("stored-1")
    assert (stored.state, stored.clip_sha256, stored.num_frames) == ("stored", "5ha", 96)
    assert stored.inputs == {"prompt": "the sea", "seed": 7}
    assert stored.ticket == Ticket("r1", {"status_url": "https://queue.fal.run/s"})
    assert stored.stored_at == datetime(2026, 11, 21, 10, 2, 5, tzinfo=UTC)
    assert ledger.costs(["stored-1"]) == {
        "stored-1": Cost(Decimal(4), Decimal("0.288"), "billing_feed")
    }
    assert ledger.run_spent_usd("run") == Decimal("0.608")
    assert set(ledger.holders(["f1", "f2"])) == {"f1", "f2"}
    # And it goes on from there.
    unknown = ledger.get("unknown-2")
    assert ledger.take_over(unknown, "run") is not None
    assert ledger.mark_submitted(unknown, Ticket("r2")).state == "submitted"
    in_state(ledger, "stored", "f3")


def test_migrated_ledger_is_the_same_as_a_new_one(old_url: str, tmp_path: Path) -> None:
    old = open_engine(old_url)
    migrated = schema_of(old)
    old.dispose()
    wiped = raw_engine(old_url)
    with wiped.begin() as connection:
        for table in migrated:
            connection.exec_driver_sql(f"DROP TABLE {table}")
    wiped.dispose()
    new = open_engine(old_url)
    assert schema_of(new) == migrated
    new.dispose()


def test_tables_are_as_the_code_knows_them(ledger: Ledger) -> None:
    looked = inspect(ledger.engine)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in looked.get_columns(table.name)}
        assert {column.name for column in table.columns} == there, table.name


def test_ledger_that_is_opened_again_is_left_as_it_is(open_ledger: OpenLedger) -> None:
    first = open_ledger()
    attempt = in_state(first, "stored")
    before = schema_of(first.engine)
    second = open_ledger()
    assert schema_of(second.engine) == before
    assert second.get(attempt.id) == first.get(attempt.id)
    versions = rows(second, "SELECT version FROM ledger_schema ORDER BY version")
    assert versions == [(n,) for n in range(1, len(MIGRATIONS) + 1)]


def test_ledger_of_a_newer_version_is_refused_and_left_as_it_was(
    url: str, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger()
    attempt = in_state(ledger, "stored")
    change(ledger, "INSERT INTO ledger_schema VALUES (999)")
    with pytest.raises(SetupError) as caught:
        Ledger(url)
    assert "999" in caught.value.message
    assert "Install the newer shotreel" in caught.value.remedy
    assert ledger.get(attempt.id).state == "stored"


def test_migration_that_fails_leaves_the_ledger_at_the_version_before(ledger: Ledger) -> None:
    attempt = in_state(ledger, "stored")

    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (n INTEGER)"))
        connection.execute(text("UPDATE attempts SET state = 'gone'"))
        raise RuntimeError("power cut")

    before = schema_of(ledger.engine)
    with pytest.raises(RuntimeError), writing(ledger.engine) as connection:
        migrate(connection, (*MIGRATIONS, half))
    assert schema_of(ledger.engine) == before
    assert ledger.get(attempt.id).state == "stored"
    assert rows(ledger, "SELECT MAX(version) FROM ledger_schema") == [(len(MIGRATIONS),)]


def test_migrations_run_in_order_and_each_once(ledger: Ledger) -> None:
    def second(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE second (n INTEGER)"))

    def third(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE second ADD COLUMN m INTEGER"))

    for _ in range(2):
        with writing(ledger.engine) as connection:
            assert migrate(connection, (*MIGRATIONS, second, third)) == len(MIGRATIONS) + 2
    columns = {column["name"] for column in inspect(ledger.engine).get_columns("second")}
    assert columns == {"n", "m"}
