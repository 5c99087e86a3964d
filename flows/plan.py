"""The flow that shows what a shot list would buy and what it would cost. It spends nothing."""

from __future__ import annotations

from uuid import uuid4

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import form
from flows.costs.money import usd
from flows.generate.accounts import open_workshop
from flows.generate.job import services_of
from flows.make_film import plan_list, run_name
from flows.report import artifacts
from flows.report.board import Board
from flows.shots import read_shots


@flow(name="plan", flow_run_name=run_name, persist_result=False)
async def plan(shots: form.ShotList, live: form.Live = False) -> State[None]:
    """Read the list, price it, look up what is there already; show it as an artifact.

    Args:
        shots: A path, an http(s) or fsspec URL, or the CSV text itself.
        live: Ask the real accounts for their prices. Off: the sandbox.
    """
    rows = read_shots(shots)
    services = services_of(rows, live=live)
    async with open_workshop(services, Board(), run_id=uuid4().hex, spends=False) as shop:
        made = await plan_list(shop, rows, live=live)
    await artifacts.show_plan(made)
    return Completed(
        message=f"{made.count('buy')} of {len(made.lines)} clips to buy, for {usd(made.most_usd)}."
    )
