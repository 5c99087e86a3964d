"""How a large list is divided, and that its parts share one budget."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import BudgetError
from blocks.ledger import Ledger
from blocks.providers.base import Quote
from flows.generate.parts import AUTOMATIC, AUTOMATIC_ABOVE, only, parts_of
from flows.planning.plan import Line, Need, Plan
from flows.shots import read_shots
from flows.shots.job import jobs_of
from tests.ledger.books import intent

QUOTE = Quote(Decimal(4), Decimal("0.08"), date(2026, 11, 21), "price_rule")


def plan_of(sequences: list[int], needs: dict[int, Need] | None = None) -> Plan:
    """A plan of sequences of so many shots; `needs` by the shot's number."""
    rows = [f"q{q},{n}" for q, count in enumerate(sequences) for n in range(count)]
    text = "sequence,prompt,seed\n" + "\n".join(f"{row},{k + 1}" for k, row in enumerate(rows))
    jobs = jobs_of(read_shots(text + "\n"), {}, live=False)
    found = needs or {}
    return Plan(tuple(Line(job, QUOTE, found.get(n, "buy")) for n, job in enumerate(jobs)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 12))
def test_parts_hold_every_clip_once_and_sequences_whole(sequences: list[int], split: int) -> None:
    plan = plan_of(sequences)
    parts = parts_of(plan, split)
    if sum(sequences) <= split:
        assert parts == []
        return
    clips = [clip for part in parts for clip in part.clips]
    assert clips == [line.job.fingerprint for line in plan.lines]
    assert [name for part in parts for name in part.sequences] == [
        f"q{n}" for n in range(len(sequences))
    ]
    assert all(len(part.clips) <= split or len(part.sequences) == 1 for part in parts)


def test_what_is_stored_moves_no_border() -> None:
    before = parts_of(plan_of([4, 4, 4]), 4)
    after = parts_of(plan_of([4, 4, 4], {0: "stored", 1: "stored", 2: "stored"}), 4)
    assert [part.sequences for part in before] == [part.sequences for part in after]
    assert len(after[0].clips) == 1


def test_a_sequence_that_is_here_is_no_part() -> None:
    parts = parts_of(plan_of([2, 4, 4], {0: "stored", 1: "stored"}), 4)
    assert [part.sequences for part in parts] == [("q1",), ("q2",)]


def test_a_list_is_divided_by_itself_only_where_it_is_large() -> None:
    assert parts_of(plan_of([AUTOMATIC_ABOVE]), None) == []
    large = parts_of(plan_of([100] * 11), None)
    assert [len(part.clips) for part in large] == [AUTOMATIC, AUTOMATIC, 100]
    assert parts_of(plan_of([100] * 11), 0) == []


def test_a_part_s_plan_has_only_its_clips() -> None:
    plan = plan_of([3, 3])
    part = parts_of(plan, 3)[1]
    assert [line.job.fingerprint for line in only(plan, part.clips).lines] == list(part.clips)


@pytest.fixture
def two(tmp_path: Any) -> Any:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    ledgers = Ledger(url), Ledger(url)
    yield ledgers
    for ledger in ledgers:
        ledger.close()


def test_what_a_run_has_lent_any_of_its_processes_takes(two: tuple[Ledger, Ledger]) -> None:
    parent, part = two
    parent.start_run("run", "a film", Decimal("0.64"))
    part.start_run("run", "a film", Decimal("0.64"))
    held = parent.reserve([intent("f1"), intent("f2")], "run")
    assert part.take_over(held["f1"], "run") is None, "not before it is lent"
    parent.lend("run")
    taken = part.take_over(part.get(held["f1"].id), "run")
    assert taken is not None
    assert part.is_mine(taken)
    assert parent.take_over(taken, "run") is None, "what a part works on is not taken back"
    back = parent.take_over(parent.get(held["f2"].id), "run")
    assert back is not None
    assert parent.is_mine(back)


def test_another_run_takes_nothing_that_is_lent(two: tuple[Ledger, Ledger]) -> None:
    parent, stranger = two
    parent.start_run("run", "a film", None)
    stranger.start_run("another", "a film", None)
    held = parent.reserve([intent("f1")], "run")
    parent.lend("run")
    assert stranger.take_over(stranger.get(held["f1"].id), "another") is None
    assert stranger.reserve([intent("f1")], "another")["f1"].id == held["f1"].id


def test_parts_share_the_run_s_budget(two: tuple[Ledger, Ledger]) -> None:
    parent, part = two
    parent.start_run("run", "a film", Decimal("0.64"))
    part.start_run("run", "a film", Decimal("0.64"))
    parent.reserve([intent("f1"), intent("f2")], "run")
    parent.lend("run")
    with pytest.raises(BudgetError):
        part.reserve([intent("f3")], "run")


def test_what_was_lent_and_not_taken_is_free_when_the_run_ends(two: tuple[Ledger, Ledger]) -> None:
    parent, part = two
    parent.start_run("run", "a film", None)
    part.start_run("run", "a film", None)
    held = parent.reserve([intent("f1"), intent("f2")], "run")
    parent.lend("run")
    assert part.take_over(part.get(held["f1"].id), "run")
    parent.close()
    assert part.get(held["f1"].id).state == "reserved"
    assert part.get(held["f2"].id).state == "released"
