"""From the list to what is set aside in the ledger for it: the plan, and its intents."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from blocks.ledger import Intent
from blocks.ledger.film_runs import adopt_runs
from flows.planning.input_files import gather_files
from flows.planning.plan import Draw, Plan, intents_of, make_plan, stills_alone
from flows.run.context import RunContext
from flows.shots import FilmId, Shot
from flows.shots.job import files_named, jobs_of


async def plan_list(
    run: RunContext, shots: Sequence[Shot], *, live: bool, name: str = "", stills: bool = False
) -> Plan:
    """Fingerprint, price, and what the ledger and the store already have."""
    files = await gather_files(run.client, files_named(shots))
    plan = await make_plan(run.ledger, run.providers, jobs_of(shots, files, live=live), name)
    return stills_alone(plan) if stills else plan


async def reserve(
    run: RunContext, plan: Plan, name: str, budget_usd: Decimal | None, film: FilmId | None = None
) -> dict[str, Intent]:
    """Write every intent down and set its cost aside, all in one transaction, or none.

    The intents by fingerprint, also of clips that are there: what is lost is bought by them.
    """
    ledger, key = run.ledger, film.key if film else ""
    await ledger.book(ledger.start_run, run.run_id, name, budget_usd, key)
    intents = intents_of(run.providers, plan, Draw())
    if film:
        await ledger.book(adopt_runs, ledger, film.key, film.name, film.place, list(plan.jobs))
    wanted = {line.job.fingerprint for line in plan.every if line.need == "buy"}
    await ledger.book(ledger.reserve, [intents[key] for key in wanted], run.run_id)
    return intents
