"""The parts of a list that other workers buy: sub-runs of the deployment `buy-clips`.

What they obtain is in the ledger and in the store, where the run that started them finds it; what
they do not, it obtains itself. So it depends on none of them: not on a worker that takes a part,
not on one that comes to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, WorkerStatus
from prefect.context import FlowRunContext
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Cancelling

from blocks import timing
from blocks.ledger.shared_budget import owner_of_run
from flows.generate.generation import Generation
from flows.generate.parts import Part, parts_of
from flows.planning.plan import Plan
from flows.run.prefect_record import end_tasks
from flows.shots.source import is_pasted, local_path

DEPLOYMENT = "buy-clips/buy-clips"
LOOK_S = 2.0
PATIENCE_S = 60.0
"""A part that no worker takes, or that no living process works on, goes on here after so long."""


@dataclass(frozen=True)
class SubRun:
    """What a sub-run is told beside its part. The worker must be able to read `shots` too."""

    shots: str
    live: bool
    budget_usd: Decimal | None
    split: int | None = None
    """Clips in each; None leaves it to the number of clips."""
    max_usd: Decimal | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        path = None if is_pasted(self.shots) else local_path(self.shots)
        return {
            "shots": str(path.absolute()) if path else self.shots,
            "live": self.live,
            "budget_usd": None if self.budget_usd is None else str(self.budget_usd),
            "max_usd": None if self.max_usd is None else str(self.max_usd),
        }


@dataclass
class SubRuns:
    """`await elsewhere.ended(fingerprint)`: its part is done, or is to be done here."""

    run: Generation
    parts: Sequence[Part] = ()
    runs: dict[UUID, Part] = field(default_factory=dict)
    _of: dict[str, asyncio.Event] = field(default_factory=dict)

    async def ended(self, fingerprint: str) -> bool:
        """False where it was not given away."""
        event = self._of.get(fingerprint)
        if event is not None:
            await event.wait()
        return event is not None

    async def start(self, sub_run: SubRun) -> None:
        """One sub-run a part. A run that is started again finds those that it has started."""
        common = sub_run.parameters | {"run_id": self.run.run_id}
        for part in self.parts:
            try:
                run = await arun_deployment(
                    DEPLOYMENT,
                    parameters=common
                    | {"sequences": list(part.sequences), "clips": list(part.clips)},
                    flow_run_name=part.name,
                    idempotency_key=f"{self.run.run_id} {part.name}",
                    timeout=0,
                )
            except httpx.HTTPError:
                continue  # Prefect does not take it: it is done here
            self.runs[run.id] = part
            self._of |= dict.fromkeys(part.clips, asyncio.Event())

    async def watch(self) -> None:
        """Until every sub-run has ended, or is given up."""
        moved = dict.fromkeys(self.runs, timing.monotonic())
        while moved:
            await asyncio.sleep(LOOK_S)
            states = await self._states(list(moved))
            for run_id, state in states.items():
                if await self._moves(self.runs[run_id], state):
                    moved[run_id] = timing.monotonic()
                if state is None or state.is_final():
                    self._end(run_id)
                    del moved[run_id]
                elif timing.monotonic() - moved[run_id] > PATIENCE_S:
                    self._end(run_id)
                    await self._call_off(run_id, state, dead=True)
                    del moved[run_id]

    async def _states(self, ids: list[UUID]) -> dict[UUID, Any]:
        """None where Prefect no longer knows the run; nothing while it does not answer."""
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=ids))
        try:
            async with get_client() as client:
                found: list[FlowRun] = await client.read_flow_runs(flow_run_filter=wanted)
        except httpx.HTTPError:
            return {}
        return dict.fromkeys(ids) | {run.id: run.state for run in found}

    async def _moves(self, part: Part, state: Any) -> bool:
        """Tell what has come of the part's clips; whether a living process is at work on them."""
        run = self.run
        held = await run.ledger.book(run.ledger.holders, part.clips)
        for attempt in held.values():
            run.watcher.state(attempt.fingerprint, attempt.state)
        if state is None or not state.is_running():
            return False
        mine = (run.ledger.owner_id, owner_of_run(run.run_id))
        return await run.ledger.book(run.ledger.is_driven, list(held.values()), mine)

    def _end(self, run_id: UUID) -> None:
        self._of[self.runs[run_id].clips[0]].set()

    async def _call_off(self, run_id: UUID, state: Any, *, dead: bool = False) -> None:
        """What has not begun never does; what runs is stopped by its worker, if that lives.

        What is to begin again has died once: nobody ends the task runs that it has left.
        """
        runs = state.is_running()
        asked: State[Any] = Cancelling() if runs else Cancelled()
        with suppress(httpx.HTTPError, ObjectNotFound):
            async with get_client() as client:
                await client.set_flow_run_state(run_id, asked)
        if dead or not runs:
            await end_tasks(run_id, "Its process has ended; what it was doing went on in another.")

    async def call_off(self) -> None:
        for run_id, state in (await self._states(list(self.runs))).items():
            if state is not None and not state.is_final():
                await self._call_off(run_id, state)


@asynccontextmanager
async def elsewhere(run: Generation, plan: Plan, sub_run: SubRun | None) -> AsyncIterator[SubRuns]:
    """Give the parts of a large plan away, where there are workers to take them."""
    parts = parts_of(plan, sub_run.split) if sub_run else []
    given = SubRuns(run, parts if parts and await workers_are_there() else ())
    if not given.parts or not sub_run:
        yield given
        return
    await run.ledger.book(run.ledger.lend, run.run_id)
    await given.start(sub_run)
    watching = asyncio.create_task(given.watch())
    try:
        yield given
    except asyncio.CancelledError:
        await given.call_off()
        raise
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def workers_are_there() -> bool:
    """Whether the deployment is there, and a worker that would take its runs."""
    if FlowRunContext.get() is None or not PREFECT_API_URL.value():
        return False
    async with get_client() as client:
        try:
            deployment = await client.read_deployment_by_name(DEPLOYMENT)
            if deployment.work_pool_name is None:
                return False
            workers = await client.read_workers_for_work_pool(deployment.work_pool_name)
        except (ObjectNotFound, httpx.HTTPError):
            return False
    return any(worker.status == WorkerStatus.ONLINE for worker in workers)
