"""A run that is stopped: what is free is called off, what is paid goes on and frees its room."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
from prefect.utilities.engine import capture_sigterm

from blocks.ledger import Ledger
from blocks.ledger.location import ledger_url
from flows.generate.all_clips import Clips
from flows.generate.generation import DOWNLOADS, open_generation
from flows.generate.lifecycle import obtain
from flows.planning.reserving import plan_list, reserve
from flows.report.progress import Progress
from flows.report.stopped import left_by_run
from flows.run.context import Clip
from flows.run.opening import SANDBOX_LIMITS
from flows.shots import read_shots
from flows.shots.job import Job
from tests.generate.conftest import Open
from tests.generate.studio import LIST, Studio, write
from tests.web import web

FREE = "comfyui/blank.json"


async def stopped_at_work(studio: Studio, shots: str) -> None:
    """Make the list, and stop once the service is at work on it."""
    making = asyncio.create_task(studio._make(shots, None))
    while not states(("submitted",)):  # noqa: ASYNC110 - it is on disk that it shows
        await asyncio.sleep(0.05)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making


def states(which: tuple[str, ...]) -> int:
    ledger = Ledger(ledger_url())
    try:
        return len(ledger.in_states(which))  # type: ignore[arg-type]
    finally:
        ledger.close()


def said() -> str:
    """What a run in Prefect says of what it has ordered, when it is told to end."""
    with closing(Ledger(ledger_url())) as ledger:
        held = [attempt.fingerprint for attempt in ledger.in_states(("submitted", "stored"))]
        return asyncio.run(left_by_run(ledger, held))


def test_a_stopped_run_interrupts_its_own_comfyui_and_makes_the_clip_again(
    open_studio: Open, tmp_path: Path
) -> None:
    studio = open_studio(latency_s=5.0)
    shots = write(tmp_path / "list.csv", "shot,model,prompt", f"a,{FREE},blue")
    asyncio.run(stopped_at_work(studio, shots))
    queue = web.get(f"{studio.sandbox.url}/comfyui/queue").json()
    assert queue == {"queue_running": [], "queue_pending": []}
    assert (states(("submitted",)), states(("failed",))) == (0, 1)
    again = open_studio(latency_s=0.1)
    assert again.make(shots).clip("a").path.exists()


async def told_to_end_in_one_clip(shots: str) -> None:
    """Prefect's SIGTERM arrives while the task of `a` is at work and the answer to `b` awaited."""
    rows = read_shots(shots)
    async with open_generation(rows, Progress(), live=False) as run:
        plan = await plan_list(run, rows, live=False)
        intents = await reserve(run, plan, LIST.name, None)

        async def obtain_or_end(job: Job) -> Clip:
            if job.shot.shot == "a":
                while not states(("posting",)):  # noqa: ASYNC110 - it is on disk that it shows
                    await asyncio.sleep(0.05)
                os.kill(os.getpid(), signal.SIGTERM)
            return await obtain(run, job, intents[job.fingerprint])

        clips = Clips(obtain_or_end, obtain_or_end)
        try:
            clips.start(run, plan)
            await clips.all()
        finally:
            await clips.stop()


def test_a_run_that_is_told_to_end_while_one_clip_is_at_work_ends_whole_and_keeps_every_answer(
    open_studio: Open, tmp_path: Path
) -> None:
    studio = open_studio(latency_s=20.0)
    studio.misbehave(at="submit", do="answer_late", delay_s=1)
    shots = write(tmp_path / "list.csv", "shot,prompt", "a,A wave", "b,A rock")
    with capture_sigterm(), pytest.raises(asyncio.CancelledError):
        asyncio.run(told_to_end_in_one_clip(shots))
    assert (states(("posting",)), states(("submitted",))) == (0, 1)


def test_a_stopped_run_leaves_what_is_paid_to_be_brought_home(
    open_studio: Open, tmp_path: Path
) -> None:
    studio = open_studio(latency_s=1.5)
    shots = write(tmp_path / "list.csv", "shot,prompt", "a,A wave")
    asyncio.run(stopped_at_work(studio, shots))
    assert states(("submitted",)) == 1
    assert said() == (
        "Stopped. 1 clip ($0.32) is ordered and not here yet. It is not lost: press Retry in the "
        "menu of this run, or run the deployment recover."
    )
    assert studio.make(shots).clip("a").path.exists()
    assert said() == "Stopped. Nothing that was bought is missing."
    assert len(studio.told("charges")["charges"]) == 1


@pytest.mark.parametrize("also", ["", "a,A wave"], ids=["another list", "the same, last in line"])
def test_what_a_dead_run_has_ordered_holds_nobody_up(
    open_studio: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also: str
) -> None:
    monkeypatch.setitem(SANDBOX_LIMITS, "fal", {"max_in_flight": 1})
    studio = open_studio(latency_s=0.3)
    head = "shot,prompt"
    asyncio.run(stopped_at_work(studio, write(tmp_path / "dead.csv", head, "a,A wave")))
    rows = [f"b{n},Rock {n}" for n in range(DOWNLOADS + 2)]  # more than are begun at one time
    made = studio.make(write(tmp_path / "list.csv", head, *rows, *filter(None, [also])))
    assert made.clip("b0").path.exists()
    assert (states(("stored",)), states(("submitted",))) == (len(rows) + 1, 0)
    assert len(studio.told("charges")["charges"]) == len(rows) + 1
