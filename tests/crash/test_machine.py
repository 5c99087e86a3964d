"""Any order of faults, kills, runs and recoveries, drawn by Hypothesis.

Every step is a real process that buys from a real service; some of them are killed. After every
step the invariants of `audit` hold; in the end, with the service well again, all is home.

The seed is printed; SHOTREEL_MACHINE_SEED repeats it, SHOTREEL_MACHINE_EXAMPLES asks for more.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.crash.cell import SHOTS, hold, holding
from tests.crash.faults import FAULTS, Fault
from tests.crash.place import Place, Service
from tests.crash.points import POINTS
from tests.zygote import Zygote

FILM = [*SHOTS["fal"], *SHOTS["wavespeed"]]
REFUNDED_S = 0.7
EXAMPLES = int(os.environ.get("SHOTREEL_MACHINE_EXAMPLES", "5"))
STEPS = 6

faults = st.sampled_from([fault for fault in FAULTS.values() if not fault.machine])
kills = st.one_of(
    st.none(), st.builds("{}:{}".format, st.sampled_from(sorted(POINTS)), st.integers(1, 3))
)
commands = st.sampled_from(["buy", "rescue"])


class Film(RuleBasedStateMachine):
    zygote: ClassVar[Zygote]
    clips: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="shotreel-machine-")
        folder = Path(self._folder.name)
        (folder / "service").mkdir()
        (folder / "service" / "clips").symlink_to(self.clips)
        self.service = Service(self.zygote, folder / "service")
        self.place = Place(self.zygote, self.service, folder)
        self.shots = str(self.place.list_shots(FILM))

    def run(self, command: str, kill_at: str | None) -> int:
        arguments = (command, self.shots) if command == "buy" else (command,)
        code = self.place.run(*arguments, kill_at=kill_at or "")
        note(f"{command} ended with {code}")
        assert code in (-9, 0, 1, 3, 5), self.place.log
        return code

    @rule(fault=faults)
    def misbehave(self, fault: Fault) -> None:
        self.service.misbehave(fault.rules)

    @rule(command=commands, kill_at=kills)
    def work(self, command: str, kill_at: str | None) -> None:
        self.run(command, kill_at)

    @rule(kill_at=kills)
    def two_at_once(self, kill_at: str | None) -> None:
        first = self.place.start("buy", self.shots, kill_at=kill_at or "")
        self.run("buy", None)
        assert first.wait() in (-9, 0, 1, 3, 5), self.place.log

    @rule()
    def lose_the_clips(self) -> None:
        self.service.misbehave([])
        for clip in (self.place.home / "clips").rglob("*.mp4"):
            clip.unlink()
        before = self.service.told("posts")["total"]
        gone = {attempt.id for attempt in holding(self.place) if attempt.state == "stored"}
        self.run("buy", None)
        now = {attempt.id for attempt in holding(self.place) if attempt.state == "stored"}
        assert gone <= now, "a clip that the store has lost was not fetched again"
        assert self.service.told("posts")["total"] - before <= len(FILM) - len(gone)

    @invariant()
    def the_books_agree(self) -> None:
        hold(self.place)

    def teardown(self) -> None:
        try:
            self.service.misbehave([])
            time.sleep(REFUNDED_S)
            self.run("rescue", None)
            self.run("buy", None)
            found = hold(self.place)
            states = {attempt.shot: attempt.state for attempt in holding(self.place)}
            assert set(states.values()) <= {"stored", "failed", "lost"}, states
            assert len(states) == len(FILM), states
            assert found.difference_usd + found.open_usd == 0
        finally:
            self.service.stop()
            self._folder.cleanup()


def test_any_order_of_faults_and_kills(
    zygote: Zygote, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = int(os.environ.get("SHOTREEL_MACHINE_SEED", random.randrange(2**32)))
    with capsys.disabled():
        print(f" seed {number} ", end="")
    Film.zygote, Film.clips = zygote, clips
    run_state_machine_as_test(
        seed(number)(Film),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
