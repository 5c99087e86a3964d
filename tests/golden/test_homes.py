"""An upgrade never buys again: homes that earlier versions made, opened by this one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.planning.plan import Need
from tests.generate.conftest import Open
from tests.golden.make_home import HOMES

NEEDS: dict[str, Need] = {
    "stored": "stored",
    "reserved": "buy",
    "released": "buy",
    "posting": "bought",
    "unknown": "bought",
    "submitted": "bought",
    "ready": "bought",
    "lost": "held",
    "failed-free": "buy",
    "failed-paid": "held",
    "failed-unclear": "held",
}
ATTEMPTS = "SELECT id, fingerprint, state, charged, request_id, clip_sha256 FROM attempts"
CHARGES = "SELECT attempt_id, cost_nano_usd, source FROM charges"


@pytest.mark.parametrize("made", sorted(HOMES.iterdir()), ids=lambda made: made.name)
def test_a_home_with_attempts_in_every_state_is_planned_as_what_it_is(
    made: Path, open_studio: Open, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(made / "clips", home / "clips")
    ledger = home / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript((made / "ledger.sql").read_text("utf-8"))
        before = [sorted(connection.execute(query)) for query in (ATTEMPTS, CHARGES)]
    plan = open_studio().plan(str(made / "list.csv"))
    assert {line.job.shot.shot: line.need for line in plan.lines} == NEEDS
    assert [line.cost_usd > 0 for line in plan.lines] == [line.need == "buy" for line in plan.lines]
    with closing(sqlite3.connect(ledger)) as connection:
        assert [sorted(connection.execute(query)) for query in (ATTEMPTS, CHARGES)] == before
