"""Prefect's record of a run, and whether it is complete."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, State, StateType
from prefect.context import FlowRunContext
from prefect.states import Crashed

PATIENCE_S = 60.0
LOOK_S = 0.1


async def wait_until_recorded(flow_run_id: UUID, task_runs: int) -> bool:
    """Wait until `task_runs` of the run have ended in Prefect's database; False: they have not."""
    deadline = monotonic() + PATIENCE_S
    ended = TaskRunFilter(
        state=TaskRunFilterState(type=TaskRunFilterStateType(any_=list(TERMINAL_STATES)))
    )
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    async with get_client() as client:
        while monotonic() < deadline:
            answer = await client._client.post(
                "/task_runs/count",
                json={
                    "task_runs": ended.model_dump(mode="json", exclude_unset=True),
                    "flow_runs": of_run.model_dump(mode="json", exclude_unset=True),
                },
            )
            if answer.json() >= task_runs:
                return True
            await asyncio.sleep(LOOK_S)
    return False


async def end_left_tasks() -> None:
    """End the task runs of an earlier start of this run: its process is gone."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is not None and run.run_count > 1:
        await end_tasks(run.id, "Its process has ended; the run went on in another.")


async def end_tasks(flow_run_id: UUID, message: str) -> None:
    """Say of the run's task runs that they have ended, where nobody else will.

    Where Prefect does not take it, they only look as if they ran.
    """
    running = TaskRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
    ended: State[Any] = Crashed(message=message)
    try:
        async with asyncio.timeout(PATIENCE_S), get_client() as client:
            while left := await client.read_task_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
                task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=running)),
            ):
                # In turn: Prefect's server on SQLite refuses who writes while another does.
                for each in left:
                    await client.set_task_run_state(each.id, ended, force=True)
    except (httpx.HTTPError, TimeoutError):
        return
