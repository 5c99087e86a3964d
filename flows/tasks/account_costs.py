"""The cost-accounting task: the film's accounts from the ledger, while it is being stitched."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.costs.bill import bill_of, to_csv
from flows.costs.statement import Statement, film_of, paid_for, state_accounts
from flows.output.folder import Place, write_atomically
from flows.planning.plan import Plan
from flows.report import artifacts
from flows.run.context import RunContext, current


@task(name="account-costs", task_run_name="account-costs", cache_policy=NO_CACHE)
async def account_costs(plan: Plan, place: Place) -> Statement:
    """A line for every take, in list order, and what they come to; also as `costs.csv`."""
    shop = current.get()
    shop.task_runs += 1
    statement = await shop.book(account, shop, plan)
    await asyncio.to_thread(write_atomically, place.costs, to_csv(statement.items))
    await artifacts.show_bill(statement.items)
    await artifacts.show_accounts(statement)
    return statement


def account(shop: RunContext, plan: Plan) -> Statement:
    film = film_of(shop.ledger, shop.run_id)
    items = bill_of(shop.ledger, plan.lines, film)
    paid = paid_for(shop.ledger, film, shop.providers)
    return state_accounts(film, plan.lines, items, paid)
