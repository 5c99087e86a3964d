"""A ledger that cannot be used says so before anything is bought, and tells no secret."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from blocks.errors import SetupError
from blocks.ledger import Ledger
from blocks.ledger.engine import BUSY_TIMEOUT_S, writing
from blocks.ledger.location import ledger_url
from blocks.storage.clip_store import ClipStore
from tests.ledger.books import in_state, reserved, rows
from tests.ledger.conftest import OpenLedger

SECRET = "hunter2-and-more"


def refusal(url: str) -> SetupError:
    with pytest.raises(SetupError) as caught:
        Ledger(url)
    error = caught.value
    assert error.remedy
    assert error.exit_code == 1
    assert SECRET not in str(error)
    assert error.__suppress_context__ or error.__context__ is None  # a traceback tells too
    return error


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"mysql://u:{SECRET}@h/db", id="a database that it cannot live on"),
        pytest.param(f"mongodb://u:{SECRET}@h/db", id="a database that nobody knows"),
        pytest.param(f"postgres://u:{SECRET}@h/db", id="the old name of Postgres"),
        pytest.param(f"postgresql+asyncpg://u:{SECRET}@127.0.0.1:1/db", id="Prefect's own driver"),
        pytest.param(f"postgresql://u:{SECRET}@h:port/db", id="a port that is no number"),
        pytest.param(f"postgresql://u:{SECRET}/7@h/db", id="a password with a slash in it"),
        pytest.param(f"postgresql://u:{SECRET}@127.0.0.1:1/db", id="a server that is not there"),
        pytest.param(
            f"postgresql://u@127.0.0.1:1/db?password={SECRET}", id="a password in the query"
        ),
        pytest.param(SECRET, id="no URL at all"),
        pytest.param("", id="nothing"),
        pytest.param("sqlite://", id="memory, which forgets what was paid"),
        pytest.param("sqlite:///:memory:", id="memory by its name"),
    ],
)
def test_url_that_leads_to_no_ledger_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(url)


def test_file_that_is_not_a_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"This is the shopping list of the captain. " * 100)
    before = path.read_bytes()
    error = refusal(f"sqlite:///{path}")
    assert "not a database" in error.message
    assert "keep the broken file" in error.remedy
    assert path.read_bytes() == before


def test_damaged_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    in_state(ledger, "stored")
    ledger.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    data[100:4000] = b"\xff" * 3900
    path.write_bytes(data)
    assert "malformed" in refusal(f"sqlite:///{path}").message


def test_folder_in_the_ledgers_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    refusal(f"sqlite:///{tmp_path}/ledger.sqlite")


def test_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    error = refusal(f"sqlite:///{tmp_path}/home/ledger.sqlite")
    assert "SHOTREEL_HOME" in error.remedy


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    if os.getuid() == 0:
        # Nothing is read-only for root but what the kernel says is.
        if not Path("/proc/self").exists():
            pytest.skip("no folder is read-only for root here")
        yield Path("/proc/self")
        return
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


def test_read_only_folder_is_refused(read_only_folder: Path) -> None:
    refusal(f"sqlite:///{read_only_folder}/ledger.sqlite")


def test_read_only_ledger_is_refused_before_anything_is_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Ledger(f"sqlite:///{tmp_path}/ledger.sqlite").close()
    error = refusal(f"sqlite:///file:{tmp_path}/ledger.sqlite?mode=ro&uri=true")
    assert "readonly" in error.message
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_full_disk_is_noticed_before_anything_is_bought(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    in_state(ledger, "stored")
    ledger.close()
    with sqlite3.connect(path) as connection:
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
    connection.close()

    from sqlalchemy import Engine, event

    def no_more_pages(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", no_more_pages)
    try:
        full = Ledger(f"sqlite:///{path}")
        with pytest.raises(Exception, match="full"), writing(full.engine) as connection2:
            connection2.execute(text("CREATE TABLE filler (x BLOB)"))
            connection2.execute(text("INSERT INTO filler VALUES (zeroblob(100000))"))
        # What cannot be written was not half written.
        assert rows(full, "SELECT COUNT(*) FROM attempts") == [(1,)]
        full.engine.dispose()
    finally:
        event.remove(Engine, "connect", no_more_pages)


def test_url_that_was_copied_from_prefects_settings_is_understood(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite")
    in_state(ledger, "stored")
    ledger.close()
    assert (tmp_path / "ledger.sqlite").is_file()


def test_folder_of_the_ledger_is_made(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/a/b/ledger.sqlite").close()
    assert (tmp_path / "a" / "b" / "ledger.sqlite").is_file()


def test_commit_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    assert rows(ledger, "PRAGMA journal_mode") == [("wal",)]
    assert rows(ledger, "PRAGMA synchronous") == [(2,)]  # FULL: each commit is synced
    assert rows(ledger, "PRAGMA busy_timeout") == [(BUSY_TIMEOUT_S * 1000,)]
    ledger.engine.dispose()


def test_two_that_write_at_once_wait_for_each_other(open_ledger: OpenLedger) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    writing_now, done = threading.Event(), threading.Event()
    order: list[str] = []

    def hold() -> None:
        with writing(first.engine) as connection:
            connection.execute(text("UPDATE runs SET name = 'held'"))
            writing_now.set()
            # The other one has begun to wait, or will: either way it comes second.
            done.wait(0.3)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    writing_now.wait()
    reserved(second, "f1", "second")
    order.append("second")
    done.set()
    thread.join()
    assert order == ["first", "second"]


def test_reader_is_not_held_up_by_a_writer(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    attempt = reserved(ledger)
    with writing(ledger.engine) as connection:
        connection.execute(text("UPDATE attempts SET cause = 'half done'"))
        assert ledger.get(attempt.id).cause == "planned"
        assert ledger.history(attempt.id)


def test_many_threads_of_one_process_share_a_ledger(ledger: Ledger) -> None:
    def buy(name: str) -> None:
        for number in range(5):
            in_state(ledger, "stored", f"{name}{number}")

    threads = [threading.Thread(target=buy, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(ledger, "SELECT state, COUNT(*) FROM attempts GROUP BY state") == [("stored", 20)]
    assert rows(ledger, "SELECT COUNT(*) FROM charges") == [(20,)]


def test_ledger_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOTREEL_LEDGER_URL", raising=False)
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path))
    assert ledger_url() == f"sqlite:///{tmp_path}/ledger.sqlite"
    monkeypatch.setenv("SHOTREEL_LEDGER_URL", "postgresql://db/shotreel")
    assert ledger_url() == "postgresql://db/shotreel"


def test_prompts_and_request_ids_are_for_the_owner_of_the_home_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a home that is there already, as an earlier version or a wide umask has left it."""
    home = tmp_path / "home"
    monkeypatch.setenv("SHOTREEL_HOME", str(home))
    before = os.umask(0)
    try:
        for _ in range(2):
            with closing(Ledger(ledger_url())):
                ClipStore()
                found = {
                    path: path.stat().st_mode & 0o777 for path in (home, *home.glob("ledger*"))
                }
                assert len(found) == 4, "the ledger, what is written ahead, and its index"
                assert found.pop(home) == 0o700
                assert set(found.values()) == {0o600}, found
                for path in (home, *home.glob("ledger*")):
                    path.chmod(0o755 if path == home else 0o644)
    finally:
        os.umask(before)
