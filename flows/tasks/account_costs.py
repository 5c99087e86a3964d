"""The cost-accounting task: the film's accounts from the ledger, while it is being stitched."""

from __future__ import annotations

import asyncio
from importlib import import_module

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.ledger import Ledger
from flows.costs.bill import bill_of, to_csv
from flows.costs.statement import Statement, state_accounts
from flows.film_list import FilmList
from flows.generate.all_clips import Clips
from flows.output.folder import Place
from flows.output.writing import write_atomically
from flows.planning.plan import Plan
from flows.report import artifacts
from flows.tasks.arguments import unvisited


@task(name="account-costs", task_run_name="account-costs", cache_policy=NO_CACHE)
async def account_costs(plan: Plan, place: Place, film: str, ledger: Ledger) -> Statement:
    """A line for every take, in list order, and for every other charge; also as `costs.csv`."""
    statement = await ledger.book(state, ledger, plan, film)
    await asyncio.to_thread(write_atomically, place.costs, to_csv(statement.items))
    await artifacts.show_bill(statement)
    await artifacts.show_accounts(statement)
    return statement


async def account(film: FilmList, plan: Plan, clips: Clips, ledger: Ledger) -> Statement:
    """The film's accounts as soon as all its clips have come, or will not."""
    # Half a second, in which clips are still being made.
    await asyncio.to_thread(import_module, "pandas")
    await clips.all()
    made = clips.as_made(plan)
    return await account_costs(
        unvisited(made), unvisited(film.place), film.id.key, unvisited(ledger)
    )


def state(ledger: Ledger, plan: Plan, film: str) -> Statement:
    return state_accounts(film, plan.lines, bill_of(ledger, plan.lines, film))
