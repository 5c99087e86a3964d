"""`shotreel plan`: what would be bought, what is there, what it would cost."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.costs.estimate import Line, Plan
from flows.costs.money import plain, usd
from flows.generate.accounts import open_workshop
from flows.generate.job import services_of
from flows.make_film import plan_list
from flows.report.artifacts import NEEDS
from flows.report.board import Board
from flows.shots import Shot, read_shots

MAX_LINES = 200


def plan(shots: str, *, live: bool, as_json: bool) -> int:
    """Raises ShotreelError. Nothing is reserved, nothing is spent."""
    made = asyncio.run(_plan(read_shots(shots), live=live))
    if as_json:
        click.echo(json.dumps(as_dict(made)))
    else:
        show(made)
    return 0


async def _plan(shots: list[Shot], *, live: bool) -> Plan:
    services = services_of(shots, live=live)
    async with open_workshop(services, Board(), run_id=uuid4().hex, spends=False) as shop:
        return await plan_list(shop, shots, live=live)


def as_dict(plan: Plan) -> dict[str, Any]:
    return {
        "currency": "USD",
        "shots": [
            {
                "sequence": line.job.shot.sequence,
                "shot": line.job.shot.shot,
                "take": line.job.take,
                "model": line.job.shot.model,
                "fingerprint": line.job.fingerprint,
                "need": line.need,
                "continues": line.job.previous.name if line.job.previous else None,
                "or_else": [job.shot.model for job in line.job.alternatives][1:],
                "units": plain(line.units),
                "cost_usd": plain(line.cost_usd),
            }
            for line in plan.lines
        ],
        "to_buy": plan.count("buy"),
        "stored": plan.count("stored"),
        "totals": {"units": plain(plan.units), "cost_usd": plain(plan.cost_usd)},
    }


def table_of(plan: Plan) -> Table:
    """The first lines, one a clip."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title, justify in (("shot", "left"), ("model", "left"), ("", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for title in ("units", "USD"):
        table.add_column(title, justify="right")
    for line in plan.lines[:MAX_LINES]:
        table.add_row(
            escape(line.job.name),
            line.job.shot.model,
            what_of(line),
            plain(line.units),
            plain(line.cost_usd),
        )
    return table


def show(plan: Plan) -> None:
    console = Console()
    console.print(table_of(plan))
    if len(plan.lines) > MAX_LINES:
        console.print(f"… and {len(plan.lines) - MAX_LINES} more", style="dim")
    console.print(
        f"\n{plan.count('buy')} to buy, {plan.count('stored')} in the store, of "
        f"{len(plan.lines)} clips: {plain(plan.units)} units, [bold]{usd(plan.cost_usd)}[/]"
        + (f" (up to {usd(plan.most_usd)})" if plan.most_usd > plan.cost_usd else "")
    )


def what_of(line: Line) -> str:
    """What has to be done for a clip, and what makes it new."""
    job = line.job
    if line.need == "buy" and job.previous:
        return escape(f"{NEEDS['buy']}, goes on from {job.previous.name}")
    return NEEDS[line.need]
