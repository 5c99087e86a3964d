"""The flow: a shot list becomes a film and a bill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from prefect import flow
from prefect.context import FlowRunContext
from prefect.runtime import flow_run as runtime
from prefect.states import Failed
from pydantic import Field

from blocks.errors import InputError
from blocks.models import MODELS
from flows.costs.account import account_costs
from flows.costs.estimate import Draw, Plan, check_budget, intents_of, make_plan
from flows.generate.accounts import open_workshop
from flows.generate.all_clips import Clips
from flows.generate.job import jobs_of, service_of
from flows.generate.pictures import gather_pictures
from flows.generate.workshop import Workshop, current
from flows.report import artifacts
from flows.report.board import Board, view
from flows.report.made import last_made, report
from flows.report.place import Place
from flows.shots import Shot, list_name, read_shots
from flows.stitch.tasks import stitch_film, stitch_sequences
from flows.unvisited import unvisited


def run_name() -> str:
    """What the UI calls the run: the list's name, also where the list was pasted."""
    return list_name(str(runtime.parameters["shots"]))


@flow(name="make-film", flow_run_name=run_name, persist_result=False)
async def make_film(
    shots: Annotated[
        str,
        Field(
            title="Shot list",
            description="A path, an http(s) or fsspec URL, or the CSV text itself.",
        ),
    ],
    out: Annotated[
        str | None,
        Field(title="Output folder", description="Default: out/<name of the shot list>."),
    ] = None,
    live: Annotated[
        bool,
        Field(title="Live", description="Buy from the real accounts. Off: the sandbox, for free."),
    ] = False,
    budget_usd: Annotated[
        Decimal | None,
        Field(title="Budget (USD)", ge=0, description="Needed when live. Nothing above it."),
    ] = None,
) -> Any:
    """Read the list, plan, buy what is missing, stitch, account, report."""
    board = Board(view.get())
    place = Place(Path(out) if out else Path("out") / list_name(shots))
    rows = read_shots(shots)
    if live and budget_usd is None:
        raise InputError(
            "A live run needs a budget.",
            remedy="Add --budget USD, or set SHOTREEL_BUDGET_USD. Nothing was bought.",
        )
    async with open_workshop(
        {service_of(MODELS[shot.model], live=live) for shot in rows}, board, run_id=run_id()
    ) as shop:
        current.set(shop)
        board.enter("planning")
        plan = await plan_list(shop, rows, live=live)
        check_budget(plan, budget_usd)
        place.check_writable()
        await reserve(shop, plan, list_name(shots), budget_usd)
        board.plan(plan)
        clips = Clips()
        try:
            async with artifacts.progress_of(board, plan):
                clips.start(shop, plan)
                sequences = await stitch_sequences(plan, clips, place)
                outcomes = await clips.all()
                board.enter("stitching")
                film, items = await asyncio.gather(
                    stitch_film(plan, outcomes, place),
                    account_costs(unvisited(plan), unvisited(place)),
                )
        finally:
            await clips.stop()
        films = {**sequences, "the film": film}
        made = await report(plan, outcomes, films, items, place)
    board.enter("done")
    listener = last_made.get()
    if listener is not None:
        listener.append(made)
    if made.exit_code:
        return Failed(message=made.summary)
    return None


async def plan_list(shop: Workshop, shots: Sequence[Shot], *, live: bool) -> Plan:
    """Fingerprint, price, and what the ledger and the store already have."""
    named = (shot.image for shot in shots if shot.image and shot.image != "@previous")
    pictures = await gather_pictures(shop.client, named)
    return await make_plan(shop, jobs_of(shots, pictures, live=live))


async def reserve(shop: Workshop, plan: Plan, name: str, budget_usd: Decimal | None) -> None:
    """Write every intent down and set its cost aside, all in one transaction, or none."""
    await shop.book(shop.ledger.start_run, shop.run_id, name, budget_usd)
    shop.intents = intents_of(shop, plan, Draw())
    shop.jobs = {line.job.fingerprint: line.job for line in reversed(plan.lines)}
    wanted = {line.job.fingerprint for line in plan.lines if line.need == "buy"}
    await shop.book(shop.ledger.reserve, [shop.intents[key] for key in wanted], shop.run_id)


def run_id() -> str:
    """The flow run's id, so that a run that Prefect starts again keeps its budget."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else uuid4().hex
