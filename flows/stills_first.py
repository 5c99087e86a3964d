"""Stills first, in one run: they are made, a person looks, and the approved ones become clips.

Where a person is asked before money is spent, that is one question more, with the same form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from blocks.errors import BudgetError, ShotreelError
from blocks.money import usd
from flows.approval import Asker, Question, ask, cost_of, is_named, lower, wrong_with
from flows.deliver import lay_out_stills
from flows.film_list import FilmList
from flows.generate.generation import Generation
from flows.generate.preflight import preflight
from flows.output.drawing import stills_sheet
from flows.output.folder import LaidOut
from flows.output.pictures import still_tiles
from flows.planning.film_budget import within_budgets
from flows.planning.plan import Line, Plan, make_plan
from flows.planning.reserving import reserve
from flows.report import artifacts
from flows.shots.choices import choices_of, choices_path, write_choices
from flows.shots.choosing import with_approval
from flows.shots.job import Job, approval_of
from flows.tasks.generate_clip import generating

Decided = tuple[FilmList, Plan, Decimal | None]


@dataclass(frozen=True)
class StillsFirst:
    """`how` are the options of `generating`."""

    run: Generation
    film: FilmList
    asker: Asker
    how: Mapping[str, Any]
    live: bool

    async def decided(self, plan: Plan, budget_usd: Decimal | None) -> Decided:
        """Film, plan and budget once a person has said which stills become clips.

        As they were where no clip waits for that, or nobody says it: the other clips are made, and
        those wait. Raises InputError where an account could not make the clips.
        """
        waiting = [line for line in plan.lines if line.need == "waits"]
        if not waiting or not self.asker.can_ask:
            return self.film, plan, budget_usd
        await preflight(self.run.providers, await self.offer(plan, waiting))
        here = await self.made(plan, budget_usd)
        waiting = [line for line in waiting if still_of(line).fingerprint in here]
        if not waiting:
            return self.film, plan, budget_usd
        tiles = still_tiles(map(still_of, waiting), here, self.film.place)
        if sheet := await asyncio.to_thread(stills_sheet, self.film.id.name, tiles):
            await artifacts.show_stills(sheet)
        try:
            return await self.asked(plan, waiting, budget_usd)
        except BudgetError as error:
            self.asker.progress.say(f"{error.message} Clips whose stills are not approved wait.")
            return self.film, plan, budget_usd

    async def made(self, plan: Plan, budget_usd: Decimal | None) -> Mapping[str, LaidOut]:
        """Make the stills alone; those that are here, laid out for people, by fingerprint."""
        run, film, stills = self.run, self.film, Plan((), plan.stills)
        intents = await reserve(run, stills, film.id.name, budget_usd, film.id)
        async with generating(run, stills, intents, self.asker.progress, **self.how) as clips:
            await asyncio.gather(*(clips.of(line.job.fingerprint) for line in stills.stills))
        return await lay_out_stills(run, stills, film.place)

    async def asked(
        self, plan: Plan, waiting: Sequence[Line], budget_usd: Decimal | None
    ) -> Decided:
        """Ask until the answer can be followed. Raises BudgetError where none is approved."""
        offer, note = await self.offer(plan, waiting), ""
        while True:
            answer = await ask(self.asker, self.question(offer, waiting, budget_usd, note))
            if answer.decision == "reject":
                raise BudgetError("The stills were rejected.")
            left = [x for x in waiting if not any(is_named(x, name) for name in answer.dropped)]
            note = wrong_with(Plan(tuple(waiting)), left, answer)
            if note:
                continue
            if answer.budget_usd is not None:
                budget_usd = lower(budget_usd, answer.budget_usd)
            names = {line.job.name for line in waiting} - {line.job.name for line in left}
            agreed_usd = cost_of(offer, [x for x in offer.lines if x.job.name not in names])
            wanted = await self.offer(plan, left)
            if wanted.most_usd > agreed_usd:
                offer, note = await self.offer(plan, waiting), "It costs more than a moment ago."
                continue
            note = await self.too_dear(wanted, budget_usd)
            if not note:
                return await self.approved(left), wanted, budget_usd

    def question(
        self, offer: Plan, waiting: Sequence[Line], budget_usd: Decimal | None, note: str
    ) -> Question:
        count = len({still_of(line).fingerprint for line in waiting})
        where = f"in {self.film.place.stills}"
        if not self.asker.here:
            where += " and among this run's artifacts"
        cost = f"Their clips would cost {usd(offer.most_usd)}."
        return Question(offer, f"Look at {count} stills, {where}. {cost}", budget_usd, note)

    async def offer(self, plan: Plan, approved: Sequence[Line]) -> Plan:
        """The plan as it is once the stills of these lines are approved."""
        names = {line.job.name for line in approved}
        jobs = [with_approved(x.job) if x.job.name in names else x.job for x in plan.lines]
        return await make_plan(self.run.ledger, self.run.providers, jobs, self.film.id.name)

    async def too_dear(self, plan: Plan, budget_usd: Decimal | None) -> str:
        """Why what is left of the budgets does not cover it; empty where it does."""
        run, film = self.run, self.film
        if budget_usd is not None:
            spent_usd = await run.ledger.book(run.ledger.run_spent_usd, run.run_id)
            budget_usd = max(Decimal(0), budget_usd - spent_usd)
        try:
            await within_budgets(run.ledger, plan, film.file, film.id, budget_usd, live=self.live)
        except BudgetError as error:
            return f"{error.message} Leave more out, or reject."
        return ""

    async def approved(self, lines: Sequence[Line]) -> FilmList:
        """The film with these stills approved, as its choices beside the list say from here on."""
        source, choices = self.film.source, self.film.choices
        try:
            path = choices_path(source)
            choices = choices_of(source) if path else choices
            for line in lines:
                choices = with_approval(choices, line.job.shot, live=self.live)
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_choices(path, choices)
        except (ShotreelError, OSError) as error:
            self.asker.progress.say(f"What was approved holds for this run alone: {error}")
        return replace(self.film, choices=choices)


def with_approved(job: Job) -> Job:
    return replace(job, shot=replace(job.shot, approved=approval_of(still_job(job))))


def still_of(line: Line) -> Job:
    return still_job(line.job)


def still_job(job: Job) -> Job:
    assert job.previous is not None
    return job.previous
