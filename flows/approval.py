"""Asking a person before anything is bought: in the Prefect UI, or on the terminal."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal
from uuid import uuid4

from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL
from pydantic import Field, ValidationError

from blocks import settings
from blocks.errors import BudgetError
from blocks.fields import EmptyField
from blocks.money import MAX_AMOUNT, plain, usd
from flows.planning.plan import Line, Plan, check_budget, make_plan, stills_alone
from flows.report import artifacts
from flows.report.markdown import table
from flows.report.notification import Notification
from flows.report.progress import Progress
from flows.run.context import RunContext
from flows.shots.job import Job

PATIENCE_S = 24 * 3600.0
LOOK_EVERY_S = 2
GRACE_S = 300.0
"""Prefect's own timeout comes later: it would end the run without a word about the money."""

MAX_LINES = 20


class Approval(RunInput):
    """What a person answers: the form that the Prefect UI shows on Resume."""

    decision: Annotated[
        Literal["approve", "reject"],
        Field(title="Decision", description="reject ends the run; nothing is bought."),
    ]
    budget_usd: Annotated[
        Annotated[Decimal, Field(ge=0)] | None,
        EmptyField("number", maximum=MAX_AMOUNT),
        Field(title="Lower the budget to (USD)", description="Empty: it stays as it is."),
    ] = None
    drop: Annotated[
        str,
        Field(
            title="Leave out",
            description="Shots as the plan names them, or whole sequences, separated by commas or "
            "lines. What goes on from a shot that is left out is left out too.",
        ),
    ] = ""

    @property
    def dropped(self) -> list[str]:
        return [name.strip() for name in self.drop.replace(",", "\n").splitlines() if name.strip()]


@dataclass(frozen=True)
class Question:
    """What is asked. `note` says why it is asked again."""

    plan: Plan
    headline: str
    budget_usd: Decimal | None
    note: str = ""


Ask = Callable[[Question], Approval]
"""May block."""


@dataclass(frozen=True)
class Asker:
    """Who is asked: `here`, where a program has somebody; else in the Prefect UI, where `board`
    and `notification` say that it waits."""

    here: Ask | None
    progress: Progress
    notification: Notification

    @property
    def can_ask(self) -> bool:
        return self.here is not None or bool(PREFECT_API_URL.value())


async def approved(
    run: RunContext,
    plan: Plan,
    budget_usd: Decimal | None,
    above_usd: Decimal | None,
    asker: Asker,
) -> tuple[Plan, Decimal | None]:
    """The plan and the budget that a person has approved, where it costs more than `above_usd`.

    Nothing is reserved while it is asked. The plan is made anew after each answer: what other runs
    have bought meanwhile is no longer in it. Raises BudgetError for no approval.
    """
    note = ""
    while above_usd is not None and plan.most_usd > above_usd:
        cost = f"{plan.to_buy} would cost {usd(plan.most_usd)}"
        question = Question(plan, f"{cost}, which is above {usd(above_usd)}.", budget_usd, note)
        answer = await ask(asker, question)
        if answer.decision == "reject":
            raise BudgetError(
                f"The plan ({usd(plan.most_usd)}) was rejected.", remedy="Nothing was bought."
            )
        left = without(plan, answer.dropped)
        note = wrong_with(plan, left, answer)
        if note:
            continue
        if answer.budget_usd is not None:
            budget_usd = lower(budget_usd, answer.budget_usd)
        agreed_usd = cost_of(plan, left)
        anew = await make_plan(run.ledger, run.providers, [line.job for line in left])
        plan = stills_alone(anew) if plan.buys_no_clip else anew
        if plan.most_usd > agreed_usd:
            note = "It costs more than a moment ago."
        elif budget_usd is not None and plan.most_usd > budget_usd:
            note = f"{usd(budget_usd)} does not cover it: leave more out, or reject."
        else:
            break
    check_budget(plan, budget_usd)
    return plan, budget_usd


def wrong_with(plan: Plan, left: Sequence[Line], answer: Approval) -> str:
    unknown = [n for n in answer.dropped if not any(is_named(line, n) for line in plan.lines)]
    if unknown:
        return f"The plan has no shot or sequence {', '.join(unknown)}."
    return "" if left else "Nothing would be left. Reject the plan instead."


def lower(budget_usd: Decimal | None, to_usd: Decimal) -> Decimal:
    return to_usd if budget_usd is None else min(budget_usd, to_usd)


async def ask(asker: Asker, question: Question) -> Approval:
    """Raises BudgetError where nobody can be asked, or nobody answers."""
    if asker.here:
        return await asyncio.to_thread(asker.here, question)
    if not asker.can_ask:
        raise BudgetError(
            f"{question.headline} Nobody can be asked here.",
            remedy="Nothing was bought. Run it at a terminal, or from the UI (shotreel up); or "
            "raise --approve-above.",
        )
    patience_s = settings.seconds("SHOTREEL_APPROVAL_S", PATIENCE_S) or PATIENCE_S
    await artifacts.show_plan(question.plan)
    text = f"{question.headline} It waits for approval: Resume, in the menu of this page."
    asker.progress.say(text)
    await APILogHandler.aflush()  # the page asks for no more lines once the run is paused
    await asker.notification.send("needs your approval", text)
    form = Approval.with_initial_data(description=described(question, patience_s))
    # A key of its own: each question has its own answer, also where the run is taken up again.
    key = uuid4().hex
    try:
        async with asyncio.timeout(patience_s):
            return await apause_flow_run(
                wait_for_input=form,
                timeout=math.ceil(patience_s + GRACE_S),
                poll_interval=LOOK_EVERY_S,
                key=key,
            )
    except (TimeoutError, FlowPauseTimeout):
        why = f"Nobody approved the plan within {words_of(patience_s)}."
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        why = f"The answer cannot be read: {wrong}."
    raise BudgetError(why, remedy="Nothing was bought. Run it again.")


def described(question: Question, patience_s: float) -> str:
    """What stands above the form, in Markdown."""
    plan = question.plan
    lines = [f"**{question.note}**", ""] if question.note else []
    lines += [question.headline]
    if question.budget_usd is not None:
        lines[-1] += f" The budget is {usd(question.budget_usd)}."
    lines[-1] += f" Without an answer it is rejected after {words_of(patience_s)}."
    buys = [line for line in plan.lines if line.need == "buy"]
    by_sequence = len(buys) > MAX_LINES
    sums: dict[tuple[str, str], list[Line]] = {}
    for line in buys:
        name = line.job.shot.sequence if by_sequence else line.job.name
        sums.setdefault((name, line.job.shot.model), []).append(line)
    titles = ("sequence" if by_sequence else "shot", " USD", " units", " clips", "model")
    rows = (cells_of(*key, same) for key, same in list(sums.items())[:MAX_LINES])
    lines += ["", *table(titles, rows)]
    if len(sums) > MAX_LINES or by_sequence:
        lines += ["", "Every shot is in the artifact `plan`."]
    return "\n".join(lines)


def cells_of(name: str, model: str, lines: Sequence[Line]) -> tuple[str, ...]:
    units = sum((line.units for line in lines), Decimal(0))
    cost_usd = sum((line.most_usd for line in lines), Decimal(0))
    return name, plain(cost_usd), plain(units), str(len(lines)), model


def words_of(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} seconds"


def is_named(line: Line, name: str) -> bool:
    """`storm`, `storm/020-wave` and `storm/020-wave.t2` all name the second take of that shot."""
    shot = line.job.shot
    return name in (shot.sequence, shot.name, line.job.name)


def without(plan: Plan, names: Sequence[str]) -> list[Line]:
    """The lines that are left, without those named and those that go on from one of them."""
    gone: set[tuple[str, str, int]] = set()
    left: list[Line] = []
    for line in plan.lines:
        previous = line.job.previous
        if any(is_named(line, name) for name in names) or (previous and key_of(previous) in gone):
            gone.add(key_of(line.job))
        else:
            left.append(line)
    return left


def key_of(job: Job) -> tuple[str, str, int]:
    """The same for all alternatives."""
    return job.shot.sequence, job.shot.shot, job.take


def cost_of(plan: Plan, left: Sequence[Line]) -> Decimal:
    """What is agreed to: a clip that another shot shares is still bought, for that one."""
    keys = {line.job.fingerprint for line in left}
    return sum((x.most_usd for x in plan.lines if x.job.fingerprint in keys), Decimal(0))
