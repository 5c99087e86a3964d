"""The Prefect task that brings one clip home, and how Prefect remembers its result."""

from __future__ import annotations

import json
from typing import Any, Literal

from prefect import task
from prefect.context import TaskRunContext
from prefect.serializers import Serializer

from blocks.errors import UnreachableError
from flows.generate.all_clips import Bring
from flows.generate.lifecycle import bring_home
from flows.planning.remembered import read_clip, results_folder
from flows.run.context import Clip, current


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
    return str(parameters["fingerprint"])


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
async def generate_clip(name: str, fingerprint: str) -> Clip:
    """Bring the clip of one shot home: attach to the attempt that the ledger knows, or buy it."""
    return await bring_planned(name, fingerprint)


async def bring_planned(name: str, fingerprint: str) -> Clip:
    """What the task does, for a caller without Prefect."""
    shop = current.get()
    return await bring_home(shop, shop.jobs[fingerprint], shop.intents[fingerprint])


def as_task() -> Bring:
    """The task, with its results beside the ledger, whatever PREFECT_HOME is."""
    kept: Any = generate_clip.with_options(result_storage=results_folder())
    bring: Bring = kept
    return bring
