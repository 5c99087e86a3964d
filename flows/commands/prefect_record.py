"""Prefect's record of a run, and whether it is complete."""

from __future__ import annotations

import asyncio
from time import monotonic
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES

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
