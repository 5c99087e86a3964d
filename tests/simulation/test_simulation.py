"""The buying path in virtual time: what holds in every world, and fails where a protection is out.

Each world is played in a process of its own: the order of sets is part of what is replayed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

from tests.simulation.mutants import MUTANTS
from tests.simulation.shrink import shrink
from tests.simulation.world import Report
from tests.zygote import ROOT, clean_environment


def simulation(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**clean_environment(), "PYTHONHASHSEED": "0"},
    )


def test_a_seed_gives_the_same_trace_byte_for_byte() -> None:
    first, second = simulation("--trace", "--seed", "4"), simulation("--trace", "--seed", "4")
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
    assert "charge film" in first.stdout
    assert first.stdout == second.stdout


def test_each_protection_holds_a_world_that_fails_without_it() -> None:
    ran = simulation("--known")
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    assert len(told) >= 15
    assert told.keys() <= MUTANTS.keys()
    assert not [name for name, each in told.items() if not each["without"] or each["with"]]


def test_worlds_of_today_hold() -> None:
    """Each day plays others. One that fails is played again by the seed that is named."""
    seed = int(os.environ.get("SIMULATION_SEED") or datetime.now(UTC).date().toordinal())
    ran = simulation("--requests", "60", "--parts", "1", "--seed", str(seed), "--json")
    assert ran.returncode == 0, f"--seed {seed}\n{ran.stderr[-2000:]}"


def test_a_failing_world_is_cut_down_to_the_events_that_it_takes() -> None:
    events = [f"event {number}" for number in range(100)]
    needed = {"event 3", "event 57", "event 58"}
    found: list[Report] = []

    def played(only: frozenset[str] | None, _: Report | None) -> Report:
        happened = [event for event in events if only is None or event in only]
        broken = ["it broke"] if needed <= {*happened} else []
        return Report(1, broken=broken, happened=happened)

    shrink(played, float("inf"), found.append)
    assert {*found[-1].happened} == needed
    assert not [report for report in found if report.held]
    assert len(found) < 50
