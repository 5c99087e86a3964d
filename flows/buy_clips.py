"""The flow that buys a part of a large list, for the run that makes the film of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from prefect.states import Completed, Failed

from blocks.errors import SetupError
from flows.generate.all_clips import delivered
from flows.generate.generation import open_generation
from flows.generate.parts import only
from flows.planning.reserving import plan_list, reserve
from flows.report.log import logged
from flows.report.progress import Progress
from flows.served import served_flow
from flows.shots import list_name, read_list
from flows.tasks.generate_clip import generating


@served_flow(name="buy-clips", persist_result=False, retries=0)
async def buy_clips(
    shots: str,
    sequences: list[str],
    clips: list[str],
    run_id: str,
    live: bool = False,
    budget_usd: Decimal | None = None,
    max_usd: Decimal | None = None,
) -> Any:
    """Buy some of a list's clips within the budget of the run that has planned them.

    Args:
        shots: As that run was given it; this worker reads it too.
        sequences: Where the clips are.
        clips: Their fingerprints.
        run_id: The run, as the ledger knows it.
        live: As that run.
        budget_usd: As that run.
        max_usd: As that run.
    """
    progress = Progress(logged(None))
    rows = [s for s in read_list(shots, max_usd).shots if s.sequence in set(sequences)]
    async with open_generation(rows, progress, live=live, run_id=run_id) as run:
        if not await run.ledger.book(run.ledger.knows_run, run_id):
            raise SetupError(
                "This worker's ledger does not know the run that it would buy for.",
                remedy="Nothing was bought. Give every worker the same SHOTREEL_LEDGER_URL, or "
                "the same block.",
            )
        plan = only(await plan_list(run, rows, live=live), set(clips))
        intents = await reserve(run, plan, list_name(shots), budget_usd)
        async with generating(run, plan, intents, progress) as coming:
            outcomes = await coming.all()
    here = len(delivered(outcomes, list(outcomes)))
    missing = len(set(clips) - {line.job.fingerprint for line in plan.lines})
    summary = f"{here} of {len(clips)} clips are here."
    if missing:
        summary += f" {missing} are not in the list as this worker reads it."
    return (Completed if here == len(clips) else Failed)(message=summary)
