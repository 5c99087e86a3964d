"""A server that does not come up says so at once, with the reason that it has logged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.studio.starting import complaint, not_started, wait_for
from tests.e2e.world import free_port

TAKEN = (
    "04:43:07.530 | ERROR   | uvicorn.error - [Errno 98] error while attempting to bind on address "
    "('127.0.0.1', 8123): address already in use"
)
LOCKED = """04:44:54.819 | WARNING | prefect.server - slow
04:44:54.820 | ERROR   | uvicorn.error - Traceback (most recent call last):
  File "aiosqlite/core.py", line 63, in _connection_worker_thread
    result = function()
             ^^^^^^^^^^
sqlite3.OperationalError: database is locked

The above exception was the direct cause of the following exception:
"""
NEVER_S = 10**6


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (TAKEN, "[Errno 98] error while attempting to bind on address ('127.0.0.1', 8123): "),
        (LOCKED, "sqlite3.OperationalError: database is locked"),
        ("", "without a word"),
    ],
    ids=["port", "database", "nothing"],
)
def test_a_server_that_ends_is_not_waited_for_and_its_reason_is_said(
    said: str, reason: str, tmp_path: Path
) -> None:
    log = tmp_path / "embedded.log"
    log.write_text("ValueError: of an earlier server\n")
    before = log.stat().st_size
    with log.open("ab") as out:
        ends = subprocess.Popen(["sh", "-c", 'printf "%s" "$1"; exit 3', "sh", said], stdout=out)
    with pytest.raises(TimeoutError, match="it ended"):
        wait_for(ends, f"http://127.0.0.1:{free_port()}/api/health", NEVER_S)
    assert complaint(log, before).startswith(reason)
    told = not_started(complaint(log, before), log)
    assert str(log) in str(told) and "shotreel up" in str(told)
    assert "PREFECT_API_URL" not in str(told)
