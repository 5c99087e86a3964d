"""The flow: a shot list becomes a film and a bill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from blocks.errors import InputError
from blocks.ledger.film_runs import adopt_runs, charged_in
from flows import parameters
from flows.approval import approved
from flows.deliver import last_made, report
from flows.generate.all_clips import Clips
from flows.generate.preflight import preflight
from flows.generate.sub_runs import SubRun, elsewhere
from flows.output.credentials import credentials
from flows.output.folder import Place
from flows.planning.film_budget import check_clips, check_film
from flows.planning.input_files import gather_files
from flows.planning.plan import (
    Draw,
    Plan,
    check_budget,
    intents_of,
    make_plan,
    stills_alone,
)
from flows.project import enter_project
from flows.report import artifacts
from flows.report.ending import ends_in_words
from flows.report.events import signalled
from flows.report.log import logged
from flows.report.notification import notified
from flows.report.progress import Progress, view
from flows.report.stopped import left_by_run
from flows.run.context import RunContext, current
from flows.run.opening import open_run
from flows.run.prefect_record import end_left_tasks
from flows.run_name import film_name, run_name
from flows.served import film_flow
from flows.shots import FilmId, Shot, film_of, read_list
from flows.shots.film_file import FilmFile
from flows.shots.job import files_named, jobs_of, models_of, services_of
from flows.shots.source import refuse_key
from flows.stitch.finish import AS_IT_IS, Finish
from flows.stitch.sound import check_music
from flows.tasks.account_costs import account_costs
from flows.tasks.arguments import unvisited
from flows.tasks.generate_clip import as_task
from flows.tasks.hand_over import stills_beside
from flows.tasks.seams import ends_beside
from flows.tasks.stitch import stitch_film, stitch_sequences


# A run that says Failed has done what it could: Prefect's default for retries would buy what has
# failed once more.
@film_flow(name="make-film", flow_run_name=run_name, persist_result=False, retries=0)
@ends_in_words
async def make_film(
    shots: parameters.ShotList,
    out: parameters.OutputFolder = None,
    live: parameters.Live = False,
    budget_usd: parameters.Budget = None,
    approve_above_usd: parameters.ApproveAbove = None,
    notify: parameters.Notify = None,
    split: parameters.Split = None,
    finish: parameters.Finishing = AS_IT_IS,
    stills: parameters.StillsAlone = False,
) -> Any:  # a State to Prefect, and Made to whoever calls it
    """Read the list, plan, buy what is missing, stitch, account, report.

    Args:
        shots: A path, an http(s) or fsspec URL, or the CSV text itself.
        out: The output folder. Default: out/ and the shot list's name.
        live: Spend money: buy from the real accounts. Off: from the sandbox, for free.
        budget_usd: Nothing is bought above it. A live run needs one.
        approve_above_usd: A plan that costs more waits until a person has approved it.
        notify: The Prefect notification block to tell, such as slack-webhook/team.
        split: Clips that a sub-run buys, on another worker; 0: none. Default: by the list's length.
        finish: What can be chosen about the film at any time, for nothing.
        stills: Buy no clip: only the pictures that clips are to begin with.
    """
    enter_project()
    board = Progress(signalled(logged(view.get())))
    refuse_key(shots)
    film_id = film_of(shots, film_name(shots))
    place = Place(Path(out) if out else Path("out") / film_id.name)
    found = read_list(shots)
    finish = await finished(finish, found.film)
    if live and budget_usd is None:
        raise InputError(
            "A live run needs a budget.",
            remedy="Add --budget USD, or set SHOTREEL_BUDGET_USD. Nothing was bought.",
        )
    listener = last_made.get()
    async with AsyncExitStack() as stack:
        notice = await stack.enter_async_context(notified(film_id.name, notify))
        shop = await stack.enter_async_context(
            open_run(
                services_of(found.shots, live=live),
                board,
                run_id=run_id(),
                models=models_of(found.shots),
            )
        )
        current.set(shop)
        board.enter("planning")
        plan = await plan_list(shop, found.shots, live=live, name=film_id.name, stills=stills)
        budget_usd = await within_budgets(shop, plan, found.film, film_id, budget_usd, live=live)
        seal = credentials()
        place.check_writable()
        await preflight(shop, plan)
        plan, budget_usd = await approved(shop, plan, budget_usd, approve_above_usd)
        plan = stills_alone(plan) if stills else plan  # an approval plans anew
        await reserve(shop, plan, film_id.name, budget_usd, film_id)
        board.plan(plan, stitches=True)
        clips = Clips(as_task())
        try:
            await end_left_tasks()
            async with (
                artifacts.progress_of(board, plan),
                elsewhere(shop, plan, SubRun(shots, live, budget_usd), split) as parts,
                stills_beside(plan, clips),
                ends_beside(plan, clips),
            ):
                clips.start(shop, plan, parts.ended)
                sequences = await stitch_sequences(plan, clips, place, finish)
                outcomes = await clips.all()
                plan = clips.as_made(plan)
                board.enter("stitching")
                film, accounts = await asyncio.gather(
                    stitch_film(plan, outcomes, place, finish, seal),
                    account_costs(unvisited(plan), unvisited(place), film_id.key),
                )
        except asyncio.CancelledError:
            await clips.stop()
            if listener is None:  # a command says it itself, and what to do at its terminal
                board.say(await left_by_run(shop))
            raise
        finally:
            await clips.stop()
        films = {**sequences, "the film": film}
        made = await report(film_id, plan, outcomes, films, accounts, place, finish)
        notice.subject = "is not whole" if made.exit_code else "is ready"
        notice.body = f"{made.summary} {place.film}"
    board.enter("done")
    if listener is not None:
        listener.append(made)
    return (Completed if made.is_well(stills=stills) else Failed)(message=made.summary, data=made)


async def plan_list(
    shop: RunContext, shots: Sequence[Shot], *, live: bool, name: str = "", stills: bool = False
) -> Plan:
    """Fingerprint, price, and what the ledger and the store already have."""
    files = await gather_files(shop.client, files_named(shots))
    plan = await make_plan(shop, jobs_of(shots, files, live=live), name)
    return stills_alone(plan) if stills else plan


async def finished(finish: Finish, film: FilmFile) -> Finish:
    """What was chosen, over what the film's file says. Raises InputError."""
    both = finish.over(film.finish)
    if both.music:
        await asyncio.to_thread(check_music, Path(both.music))
    return both


async def within_budgets(
    shop: RunContext,
    plan: Plan,
    film: FilmFile,
    film_id: FilmId,
    budget_usd: Decimal | None,
    *,
    live: bool,
) -> Decimal | None:
    """The run's budget, and no more than is left of the film's. Raises BudgetError."""
    check_budget(plan, budget_usd)
    check_clips(plan)
    if film.budget_usd is None and not film.sequence_budgets_usd:
        return budget_usd
    charged = await shop.book(charged_in, shop.ledger, film_id.key, live=live)
    spent_usd: dict[str, Decimal] = {}
    for each in charged:
        name = each.attempt.sequence
        spent_usd[name] = spent_usd.get(name, Decimal(0)) + each.cost.cost_usd
    left_usd = check_film(plan, film, spent_usd)
    return min((usd for usd in (budget_usd, left_usd) if usd is not None), default=None)


async def reserve(
    shop: RunContext, plan: Plan, name: str, budget_usd: Decimal | None, film: FilmId | None = None
) -> None:
    """Write every intent down and set its cost aside, all in one transaction, or none."""
    key = film.key if film else ""
    await shop.book(shop.ledger.start_run, shop.run_id, name, budget_usd, key)
    shop.intents = intents_of(shop, plan, Draw())
    shop.jobs = {
        job.fingerprint: job for line in reversed(plan.every) for job in line.job.alternatives
    }
    if film:
        keys = list(shop.jobs)
        await shop.book(adopt_runs, shop.ledger, film.key, film.name, film.place, keys)
    wanted = {line.job.fingerprint for line in plan.every if line.need == "buy"}
    await shop.book(shop.ledger.reserve, [shop.intents[key] for key in wanted], shop.run_id)


def run_id() -> str:
    """The flow run's id, so that a run that Prefect starts again keeps its budget."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else uuid4().hex
