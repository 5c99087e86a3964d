"""The work of make-film between the list and the clips, without Prefect's flow around it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from blocks.errors import ShotreelError
from blocks.sandbox import Sandbox
from flows.costs.bill import Item, bill_of
from flows.generate.all_clips import Clips, Outcome
from flows.generate.footage import keep_footage
from flows.generate.generation import open_generation
from flows.generate.lifecycle import obtain
from flows.planning.plan import Plan, check_budget
from flows.planning.reserving import plan_list, reserve
from flows.report.progress import Progress
from flows.run.context import Clip
from flows.shots import FilmId, read_shots
from tests.web import web

LIST = FilmId("list", "list", "")


@dataclass(frozen=True)
class Made:
    """`outcomes` are by the shots' names, `found` by fingerprint; `bill` has a line for each shot,
    `items` are the whole bill."""

    plan: Plan
    outcomes: Mapping[str, Outcome]
    bill: Mapping[str, Item]
    items: Sequence[Item] = ()
    found: Mapping[str, Outcome] = field(default_factory=dict)

    def clip(self, name: str) -> Clip:
        outcome = self.outcomes[name]
        assert isinstance(outcome, Clip), outcome
        return outcome

    def error(self, name: str) -> ShotreelError:
        outcome = self.outcomes[name]
        assert isinstance(outcome, ShotreelError), outcome
        return outcome


@dataclass(frozen=True)
class Studio:
    sandbox: Sandbox

    def told(self, what: str) -> Any:
        return web.get(f"{self.sandbox.url}/sandbox/{what}").json()

    def misbehave(self, **rule: Any) -> None:
        reply = web.post(f"{self.sandbox.url}/sandbox/faults", json=rule)
        assert reply.status_code == 200, reply.text

    def plan(self, shots: str) -> Plan:
        return asyncio.run(self._plan(shots))

    async def _plan(self, shots: str) -> Plan:
        rows = read_shots(shots)
        async with open_generation(rows, Progress(), live=False) as run:
            return await plan_list(run, rows, live=False)

    def make(self, shots: str, budget_usd: Decimal | None = None, film: FilmId = LIST) -> Made:
        return asyncio.run(self._make(shots, budget_usd, film))

    async def _make(self, shots: str, budget_usd: Decimal | None, film: FilmId = LIST) -> Made:
        rows = read_shots(shots)
        async with open_generation(rows, Progress(), live=False) as run:
            plan = await plan_list(run, rows, live=False)
            check_budget(plan, budget_usd)
            of = film if film is not LIST else None
            intents = await reserve(run, plan, film.name, budget_usd, of)
            clips = Clips(
                lambda job: obtain(run, job, intents[job.fingerprint]),
                lambda job: keep_footage(run, job, intents[job.fingerprint]),
            )
            try:
                clips.start(run, plan)
                found = await clips.all()
            finally:
                await clips.stop()
            plan = clips.as_made(plan)
            items = await run.ledger.book(bill_of, run.ledger, plan.lines, LIST.key)
        names = [line.job.shot.shot for line in plan.lines]
        outcomes = {line.job.shot.shot: found[line.job.fingerprint] for line in plan.lines}
        bill = dict(zip(names, items, strict=False))
        return Made(plan, outcomes, bill, tuple(items), found)


def write(path: Path, *rows: str) -> str:
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return str(path)
