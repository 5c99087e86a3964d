"""The cost-accounting task: the bill from the ledger, while the film is being stitched."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.costs.bill import Item, bill_of, to_csv
from flows.costs.estimate import Plan
from flows.generate.workshop import current
from flows.report import artifacts
from flows.report.place import Place, write_atomically


@task(name="account-costs", task_run_name="account-costs", cache_policy=NO_CACHE)
async def account_costs(plan: Plan, place: Place) -> list[Item]:
    """A line for every take, in list order; also as `costs.csv` and as a table in Prefect."""
    shop = current.get()
    shop.task_runs += 1
    items = await shop.book(bill_of, shop.ledger, plan.lines)
    await asyncio.to_thread(write_atomically, place.costs, to_csv(items))
    await artifacts.show_bill(items)
    return items
