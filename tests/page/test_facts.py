"""What the page says is what the ledger and the film say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blocks.ledger import Change, State
from flows.report.page.build import places_in_film
from flows.report.page.phases import Phase, phases_of, took
from flows.stitch.timeline import Span
from tests.page.stage import FRAMES, Stage

BEGUN = datetime(2026, 11, 21, 12, tzinfo=UTC)
CENTS = 10**7
SHOTS = """sequence,shot,prompt,takes,seed
sea,010,a wave,,1
sea,020,a gull,2,5
sea,030,it fails,,3
land,010,a wave,,1
land,020,counted higher,,4
"""


# Without a count of its own a clip is estimated by what its model was counted last.
COUNTED = {"010": "4", "020": "6"}


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def history(*steps: tuple[float, State]) -> list[Change]:
    return [Change(at(seconds), state, "") for seconds, state in steps]


def kinds(phases: list[Phase]) -> list[tuple[str, float]]:
    return [(phase.kind, phase.duration_s) for phase in phases]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, SHOTS, {"030": ("the checker stopped it", "2")}, COUNTED)
    stage.buy()
    stage.stitch()
    return stage


def test_a_history_becomes_what_it_waited_for() -> None:
    whole = history((0, "reserved"), (2, "posting"), (3, "submitted"), (9, "ready"), (10, "stored"))
    assert kinds(phases_of(whole)) == [("turn", 2), ("order", 1), ("make", 6), ("fetch", 1)]
    assert kinds(phases_of(whole, at(1.5)))[:2] == [("shot", 1.5), ("turn", 0.5)]
    assert kinds(phases_of(whole, at(60)))[:2] == [("shot", 2), ("order", 1)]


def test_a_lost_answer_and_an_order_put_back_are_phases_of_their_own() -> None:
    put_back = history(
        (0, "reserved"),
        (1, "posting"),
        (2, "reserved"),
        (5, "posting"),
        (6, "unknown"),
        (8, "submitted"),
        (9, "failed"),
    )
    assert kinds(phases_of(put_back)) == [
        ("turn", 1),
        ("order", 1),
        ("turn", 3),
        ("order", 1),
        ("doubt", 2),
        ("make", 1),
    ]
    [turn, *_] = took([phases_of(put_back)])
    assert (turn.kind, turn.attempts, turn.total_s, turn.longest_s) == ("turn", 1, 4, 4)


def test_what_has_not_ended_has_no_length() -> None:
    assert kinds(phases_of(history((0, "reserved"), (1, "posting"), (2, "submitted")))) == [
        ("turn", 1),
        ("order", 1),
    ]


def test_the_page_adds_up_to_the_ledger(stage: Stage) -> None:
    report = stage.report()
    money = report.money
    # Two takes at 6 units, one failure at 2, one clip at 4 for two shots, one at 6.
    assert money.cost_nano_usd == (2 * 6 + 2 + 4 + 6) * 8 * CENTS
    assert money.in_this_run_nano_usd == money.cost_nano_usd
    assert money.beside == (("other take", 6 * 8 * CENTS), ("no clip", 2 * 8 * CENTS))
    assert sum(shot.cost_nano_usd for shot in report.shots) == money.cost_nano_usd
    for groups in (money.by_sequence, money.by_model):
        assert sum(group.cost_nano_usd for group in groups) == money.cost_nano_usd
        assert sum(group.quoted_nano_usd for group in groups) == money.quoted_nano_usd
    [run] = report.runs
    assert run.is_this
    assert run.spend[-1][1] == money.cost_nano_usd


def test_a_clip_that_two_shots_share_is_paid_once_and_seen_twice(stage: Stage) -> None:
    report = stage.report()
    wave, again = (shot for shot in report.shots if shot.prompt == "a wave")
    assert (wave.cost_nano_usd, again.cost_nano_usd) == (32 * CENTS, 0)
    assert (wave.origin, again.origin) == ("this run", "shared")
    assert wave.film == (0, FRAMES)
    assert again.film == (2 * FRAMES, FRAMES)


def test_only_the_first_take_stands_in_the_film(stage: Stage) -> None:
    places = {shot.name: shot.film for shot in stage.report().shots}
    assert places == {
        "sea/010": (0, FRAMES),
        "sea/020.t1": (FRAMES, FRAMES),
        "sea/020.t2": None,
        "sea/030": None,
        "land/010": (2 * FRAMES, FRAMES),
        "land/020": (3 * FRAMES, FRAMES),
    }


def test_a_failure_has_its_reason_without_its_name_and_its_remedy(stage: Stage) -> None:
    [failed] = [shot for shot in stage.report().shots if shot.state == "failed"]
    assert (failed.error, failed.remedy) == ("the checker stopped it", "Change the shot.")
    assert failed.path is None
    assert [state for _, state, _ in failed.attempts[0].changes][-1] == "failed"


def test_a_later_run_has_paid_nothing_and_shows_the_run_that_did(stage: Stage) -> None:
    stage.ledger.start_run("run-2", "list", None)
    report = stage.report("run-2")
    assert report.money.in_this_run_nano_usd == 0
    assert {shot.origin for shot in report.shots} == {"an earlier run", "shared"}
    assert [run.is_this for run in report.runs] == [False]


def test_a_film_that_was_made_again_later_is_no_part_of_the_run_that_paid(stage: Stage) -> None:
    [run] = stage.report().runs
    assert [what for what, _, _ in run.stitched] == ["the film"]
    assert stage.film and stage.film.begun_at and stage.film.ended_at
    hour = timedelta(hours=1)
    film = replace(
        stage.film, begun_at=stage.film.begun_at + hour, ended_at=stage.film.ended_at + hour
    )
    stage.film = film
    [again] = stage.report().runs
    assert again.stitched == ()
    assert again.ended_ms <= run.ended_ms


def test_cards_between_shots_do_not_move_them(stage: Stage) -> None:
    manifest = [{"sha256": None} for _ in stage.lines]
    spans = [
        Span("title", 0, 48),
        Span("sea/010", 48, 24),
        Span("sea/020", 60, 24),
        Span("sea/030", 84, 24),
        Span("land/010", 108, 24),
    ]
    places = places_in_film(spans, stage.lines, manifest)
    assert places == [(48, 24), (60, 24), None, (84, 24), (108, 24), None]


def test_the_page_is_written_only_when_it_says_something_else(stage: Stage) -> None:
    assert stage.write()
    written = stage.place.report.stat().st_mtime_ns
    assert not stage.write()
    assert stage.place.report.stat().st_mtime_ns == written
    assert stage.write(stage.report("run-2"))
    assert not stage.write(stage.report("run-2"))
