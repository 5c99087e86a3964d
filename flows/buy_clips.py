"""The flow that buys a part of a large list, for the run that makes the film of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from prefect.states import Completed, Failed

from blocks.errors import SetupError
from flows.generate.all_clips import Clips, delivered
from flows.generate.parts import only
from flows.make_film import plan_list, reserve
from flows.project import enter_project
from flows.report import artifacts
from flows.report.log import logged
from flows.report.progress import Progress
from flows.report.stopped import left_by_run
from flows.run.context import current
from flows.run.opening import open_run
from flows.run.prefect_record import end_left_tasks
from flows.served import served_flow
from flows.shots import list_name, read_shots
from flows.shots.job import models_of, services_of
from flows.tasks.generate_clip import as_task


@served_flow(name="buy-clips", persist_result=False, retries=0)
async def buy_clips(
    shots: str,
    sequences: list[str],
    clips: list[str],
    run_id: str,
    live: bool = False,
    budget_usd: Decimal | None = None,
) -> Any:
    """Buy some of a list's clips within the budget of the run that has planned them.

    Args:
        shots: As that run was given it; this worker reads it too.
        sequences: Where the clips are.
        clips: Their fingerprints.
        run_id: The run, as the ledger knows it.
        live: As that run.
        budget_usd: As that run.
    """
    enter_project()
    board = Progress(logged(None))
    rows = [shot for shot in read_shots(shots) if shot.sequence in set(sequences)]
    async with open_run(
        services_of(rows, live=live), board, run_id=run_id, models=models_of(rows)
    ) as shop:
        current.set(shop)
        if not await shop.book(shop.ledger.knows_run, run_id):
            raise SetupError(
                "This worker's ledger does not know the run that it would buy for.",
                remedy="Nothing was bought. Give every worker the same SHOTREEL_LEDGER_URL, or "
                "the same block.",
            )
        plan = only(await plan_list(shop, rows, live=live), set(clips))
        await reserve(shop, plan, list_name(shots), budget_usd)
        board.plan(plan)
        coming = Clips(as_task())
        try:
            await end_left_tasks()
            async with artifacts.progress_of(board, plan):
                coming.start(shop, plan)
                outcomes = await coming.all()
        except asyncio.CancelledError:
            await coming.stop()
            board.say(await left_by_run(shop))
            raise
        finally:
            await coming.stop()
    here = len(delivered(outcomes, list(outcomes)))
    missing = len(set(clips) - {line.job.fingerprint for line in plan.lines})
    summary = f"{here} of {len(clips)} clips are here."
    if missing:
        summary += f" {missing} are not in the list as this worker reads it."
    return (Completed if here == len(clips) else Failed)(message=summary)
