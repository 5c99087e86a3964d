"""The file of last resort: what was accepted while the ledger could not be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blocks.errors import SetupError
from blocks.ledger import fallback
from blocks.ledger.fallback import NotedRequest
from blocks.providers.base import Ticket

FIRST = Ticket("r1", {"status_url": "https://queue.fal.run/s"})
SECOND = Ticket("r2")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that nobody has made yet: the ledger may be on a server."""
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_nothing_was_noted_where_there_is_no_file() -> None:
    assert list(fallback.noted_requests()) == []


def test_what_was_noted_is_read_back(home: Path) -> None:
    assert fallback.note("a1", FIRST) == home / "emergency.jsonl"
    fallback.note("a2", SECOND)
    assert list(fallback.noted_requests()) == [
        NotedRequest("a1", FIRST),
        NotedRequest("a2", SECOND),
    ]


def test_torn_last_line_is_passed_over(home: Path) -> None:
    fallback.note("a1", FIRST)
    fallback.note("a2", SECOND)
    whole = fallback.path().read_bytes()
    for cut in range(len(whole)):
        fallback.path().write_bytes(whole[:cut])
        found = list(fallback.noted_requests())
        assert found == [NotedRequest("a1", FIRST), NotedRequest("a2", SECOND)][: len(found)]


def test_torn_line_does_not_swallow_the_next_one(home: Path) -> None:
    fallback.note("a1", FIRST)
    fallback.path().write_bytes(fallback.path().read_bytes()[:-20])
    fallback.note("a2", SECOND)
    assert list(fallback.noted_requests()) == [NotedRequest("a2", SECOND)]


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "7", '{"attempt_id": "a"}', "\x00\x00\x00", "{" * 50_000]
)
def test_line_of_another_shape_is_passed_over(home: Path, line: str) -> None:
    fallback.note("a1", FIRST)
    with fallback.path().open("a") as file:
        file.write(line + "\n")
    fallback.note("a2", SECOND)
    assert [s.attempt_id for s in fallback.noted_requests()] == ["a1", "a2"]


def test_each_line_is_json_that_a_person_can_read(home: Path) -> None:
    fallback.note("a1", FIRST)
    [line] = [line for line in fallback.path().read_text().splitlines() if line]
    row = json.loads(line)
    assert (row["attempt_id"], row["request_id"]) == ("a1", "r1")
    assert row["at"]


def test_note_that_cannot_be_written_is_not_passed_over_in_silence(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="home"):
        fallback.note("a1", FIRST)


def test_file_that_cannot_be_read_is_said_and_not_passed_over() -> None:
    fallback.path().mkdir(parents=True)
    with pytest.raises(SetupError, match="cannot be read"):
        list(fallback.noted_requests())
