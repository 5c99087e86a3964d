"""The file of last resort: what was accepted while the ledger could not be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blocks.errors import SetupError
from blocks.ledger import emergency
from blocks.ledger.emergency import Stray
from blocks.provider import Ticket

FIRST = Ticket("r1", {"status_url": "https://queue.fal.run/s"})
SECOND = Ticket("r2")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that nobody has made yet: the ledger may be on a server."""
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_nothing_was_noted_where_there_is_no_file() -> None:
    assert list(emergency.strays()) == []


def test_what_was_noted_is_read_back(home: Path) -> None:
    assert emergency.note("a1", FIRST) == home / "emergency.jsonl"
    emergency.note("a2", SECOND)
    assert list(emergency.strays()) == [Stray("a1", FIRST), Stray("a2", SECOND)]


def test_torn_last_line_is_passed_over(home: Path) -> None:
    emergency.note("a1", FIRST)
    emergency.note("a2", SECOND)
    whole = emergency.path().read_bytes()
    for cut in range(len(whole)):
        emergency.path().write_bytes(whole[:cut])
        found = list(emergency.strays())
        assert found == [Stray("a1", FIRST), Stray("a2", SECOND)][: len(found)]


def test_torn_line_does_not_swallow_the_next_one(home: Path) -> None:
    emergency.note("a1", FIRST)
    emergency.path().write_bytes(emergency.path().read_bytes()[:-20])
    emergency.note("a2", SECOND)
    assert list(emergency.strays()) == [Stray("a2", SECOND)]


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "7", '{"attempt_id": "a"}', "\x00\x00\x00", "{" * 50_000]
)
def test_line_of_another_shape_is_passed_over(home: Path, line: str) -> None:
    emergency.note("a1", FIRST)
    with emergency.path().open("a") as file:
        file.write(line + "\n")
    emergency.note("a2", SECOND)
    assert [s.attempt_id for s in emergency.strays()] == ["a1", "a2"]


def test_each_line_is_json_that_a_person_can_read(home: Path) -> None:
    emergency.note("a1", FIRST)
    [line] = [line for line in emergency.path().read_text().splitlines() if line]
    row = json.loads(line)
    assert (row["attempt_id"], row["request_id"]) == ("a1", "r1")
    assert row["at"]


def test_note_that_cannot_be_written_is_not_passed_over_in_silence(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="home"):
        emergency.note("a1", FIRST)


def test_file_that_cannot_be_read_is_said_and_not_passed_over() -> None:
    emergency.path().mkdir(parents=True)
    with pytest.raises(SetupError, match="cannot be read"):
        list(emergency.strays())
