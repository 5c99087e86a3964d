"""The Prefect task that generates one clip, and how Prefect caches its result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from prefect import task
from prefect.context import TaskRunContext
from prefect.serializers import Serializer

from blocks.errors import UnreachableError
from blocks.ledger import Intent
from flows.generate.all_clips import MAX_SHOWN, Clips
from flows.generate.footage import keep_footage
from flows.generate.generation import Generation
from flows.generate.lifecycle import obtain
from flows.generate.sub_runs import SubRun, elsewhere
from flows.planning.plan import Plan
from flows.planning.remembered import read_clip, results_folder
from flows.report import artifacts
from flows.report.progress import Progress
from flows.report.stopped import left_by_run
from flows.run.context import Clip
from flows.run.prefect_record import end_left_tasks
from flows.shots.job import Job
from flows.tasks.arguments import unvisited


class ClipSerializer(Serializer):  # Prefect finds it by the bare class
    """Remembers where a clip is. A clip that is gone or altered is not remembered at all.

    Prefect takes an error here for a cache miss, and then the ledger is asked.
    """

    type: Literal["shotreel-clip"] = "shotreel-clip"

    def dumps(self, obj: Clip) -> bytes:
        values = {**vars(obj), "path": str(obj.path)}
        del values["info"]
        return json.dumps(values).encode()

    def loads(self, blob: bytes) -> Clip:
        return read_clip(blob)


def by_fingerprint(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    job: Job = parameters["job"]
    return job.fingerprint


def may_pass(task: Any, task_run: Any, state: Any) -> bool:
    """Whether a later try may do better. It attaches to what was bought; it never buys twice."""
    return isinstance(state.data, UnreachableError) or isinstance(
        getattr(state.data, "exception", None), UnreachableError
    )


@task(
    name="generate-clip",
    task_run_name="{name}",
    cache_key_fn=by_fingerprint,
    result_serializer=ClipSerializer(),
    persist_result=True,
    retries=2,
    retry_delay_seconds=[10, 30],
    retry_condition_fn=may_pass,
)
async def generate_clip(name: str, job: Job, intent: Intent, run: Generation) -> Clip:
    """The clip of one shot: attach to the attempt that the ledger knows, or buy it."""
    return await obtain(run, job, intent)


@asynccontextmanager
async def generating(
    run: Generation,
    plan: Plan,
    intents: Mapping[str, Intent],
    progress: Progress,
    parts: SubRun | None = None,
    *,
    reports_stop: bool = True,
    lists_stored: bool = True,
) -> AsyncIterator[Clips]:
    """The clips of the plan as they come, each by a task run; `parts` of a large one by sub-runs.

    What has not begun when the block ends never does.
    """
    # Prefect keeps what each task run gave beside the ledger, whatever PREFECT_HOME is.
    kept: Any = generate_clip.with_options(result_storage=results_folder())

    async def by_task(job: Job) -> Clip:
        intent = intents[job.fingerprint]
        clip: Clip = await kept(job.name, unvisited(job), unvisited(intent), unvisited(run))
        return clip

    async def own(job: Job) -> Clip:
        return await keep_footage(run, job, intents[job.fingerprint])

    clips = Clips(by_task, own, MAX_SHOWN if lists_stored else 0)
    progress.plan(plan, stitches=parts is not None)
    try:
        await end_left_tasks()
        async with artifacts.progress_of(progress, plan), elsewhere(run, plan, parts) as given:
            clips.start(run, plan, given.ended)
            yield clips
    except asyncio.CancelledError:
        await clips.stop()
        if reports_stop:
            progress.say(await left_by_run(run.ledger, list(intents)))
        raise
    finally:
        await clips.stop()
