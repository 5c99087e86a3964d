"""This machine's clock is wrong, in either direction: nothing is paid twice for it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from blocks import timing
from blocks.errors import OutcomeUnknownError
from blocks.ledger import Ledger
from blocks.ledger.location import ledger_url
from flows.generate import settle
from tests.generate.studio import Studio, write

WRONG_BY = [timedelta(minutes=3), timedelta(hours=-5), timedelta(hours=9)]


def wrong_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(timing, "now", lambda: datetime.now(UTC) + by)


@pytest.mark.parametrize("by", WRONG_BY, ids=str)
def test_request_whose_answer_was_lost_is_found_however_wrong_the_clock_is(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    monkeypatch.setenv("SHOTREEL_QUIET_S", "1")
    wrong_clock(monkeypatch, by)
    studio.misbehave(at="submit", do="drop_after_accept")
    begun = datetime.now(UTC)
    made = studio.make(write(tmp_path / "l.csv", "shot,prompt,seed", "a,Sea,1", "b,Rock,2"))
    assert {made.clip(name).num_frames for name in "ab"} == {96}
    assert studio.told("posts")["total"] == 2
    assert Decimal(studio.told("charges")["cost_usd"]) == Decimal("0.64")
    # Another machine may settle it, whose clock is right: it was sent at the service's own time.
    took = datetime.now(UTC) - begun + timedelta(seconds=2)
    with closing(Ledger(ledger_url())) as ledger:
        for attempt in ledger.in_states(["stored"]):
            assert attempt.posted_at and begun - took <= attempt.posted_at <= begun + took


def test_silence_proves_nothing_where_the_clocks_differ(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_QUIET_S", "1")
    monkeypatch.setattr(settle, "LISTING_LAG_S", 2.0)
    wrong_clock(monkeypatch, timedelta(hours=1))
    studio.misbehave(at="submit", do="drop_before_accept")
    made = studio.make(write(tmp_path / "l.csv", "shot,prompt,seed", "a,Sea,1"))
    error = made.error("a")
    assert isinstance(error, OutcomeUnknownError)
    assert "clock is 60 min ahead" in str(error)
    assert studio.told("posts")["total"] == 1
