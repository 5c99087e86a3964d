"""`shotreel plan`: what would be bought, what is there, what it would cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.costs.estimate import Line, Plan
from flows.costs.money import plain, usd
from flows.costs.outlook import Outlook, Share, look_ahead, sold_services
from flows.generate.accounts import open_workshop
from flows.generate.job import services_of
from flows.make_film import plan_list
from flows.report.artifacts import NEEDS
from flows.report.board import Board
from flows.shots import Shot, list_name, read_shots
from flows.stitch.reel import film_order, title_of

MAX_LINES = 200
MAX_NAMED = 10


def plan(shots: str, *, live: bool, as_json: bool) -> int:
    """Raises ShotreelError. Nothing is reserved, nothing is spent."""
    made = asyncio.run(_plan(read_shots(shots), list_name(shots), live=live))
    if as_json:
        click.echo(json.dumps({**as_dict(made.plan), **ahead(made)}))
    else:
        show(made.plan)
        show_ahead(made)
    return 0


async def _plan(shots: list[Shot], film: str, *, live: bool) -> Outlook:
    services = services_of(shots, live=live) | await sold_services(live=live)
    async with open_workshop(services, Board(), run_id=uuid4().hex, spends=False) as shop:
        plan = await plan_list(shop, shots, live=live)
        return await look_ahead(shop, plan, film, live=live)


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
        "titles": titles_of(plan),
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
    for name, title in titles_of(plan).items():
        console.print(f"A card before {name}: {title}", style="dim", markup=False)


def titles_of(plan: Plan) -> dict[str, str]:
    """By sequence: the cards that the film will have, for nothing."""
    titles = ((name, title_of(lines)) for name, lines in film_order(plan).items())
    return {name: title for name, title in titles if title}


def what_of(line: Line) -> str:
    """What has to be done for a clip, and what makes it new."""
    job = line.job
    if line.need == "buy" and job.previous:
        return escape(f"{NEEDS['buy']}, goes on from {job.previous.name}")
    return NEEDS[line.need]


def ahead(outlook: Outlook) -> dict[str, Any]:
    """The breakdown, the changes, the comparison and the time, as JSON."""
    changes = outlook.changes
    return {
        "sequences": list(map(share_dict, outlook.sequences)),
        "models": list(map(share_dict, outlook.models)),
        "changes": {
            "since": changes.since.isoformat() if changes.since else None,
            "new": list(changes.new),
            "changed": [{"shot": c.name, "what": list(c.what)} for c in changes.changed],
            "removed": list(changes.removed),
            "unchanged": changes.unchanged,
        },
        "compare": [
            {
                "model": offer.model,
                "clips": offer.clips,
                "units": plain(offer.units),
                "cost_usd": None if offer.cost_usd is None else plain(offer.cost_usd),
                "refused": offer.refused,
                "refusals": [vars(refusal) for refusal in offer.refusals],
            }
            for offer in outlook.offers
        ],
        "time": {
            "wait_s": round(outlook.wait_s, 1),
            "accounts": [
                {
                    "service": wait.service,
                    "clips": wait.clips,
                    "in_flight": wait.limits.in_flight,
                    "per_minute": wait.limits.per_minute,
                    "typical_s": round(wait.typical_s, 1),
                    "from_history": wait.known,
                    "wait_s": round(wait.wait_s, 1),
                }
                for wait in outlook.waits
            ],
        },
    }


def share_dict(share: Share) -> dict[str, Any]:
    return {**vars(share), "units": plain(share.units), "cost_usd": plain(share.cost_usd)}


def show_ahead(outlook: Outlook) -> None:
    console = Console()
    for title, shares in (("sequence", outlook.sequences), ("model", outlook.models)):
        if len(shares) > 1:
            console.print()
            console.print(share_table(title, shares))
    changes = outlook.changes
    if changes.since:
        console.print(
            f"\nSince the run of {changes.since:%Y-%m-%d %H:%M} UTC: {len(changes.new)} new, "
            f"{len(changes.changed)} changed, {len(changes.removed)} removed, "
            f"{changes.unchanged} as they were."
        )
        for change in changes.changed[:MAX_NAMED]:
            console.print(f"  {change.name}: {', '.join(change.what)}", style="dim", markup=False)
    console.print()
    console.print(offer_table(outlook))
    if outlook.waits:
        console.print(f"\nAbout {duration(outlook.wait_s)} until the last clip is there.")
        if not all(wait.known for wait in outlook.waits):
            console.print("This ledger has no history of some of it: a guess.", style="dim")


def share_table(title: str, shares: Sequence[Share]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(title)
    for name in ("clips", "to buy", "units", "USD"):
        table.add_column(name, justify="right")
    for share in shares[:MAX_LINES]:
        cells = (str(share.clips), str(share.to_buy), plain(share.units), plain(share.cost_usd))
        table.add_row(escape(share.key), *cells)
    return table


def offer_table(outlook: Outlook) -> Table:
    """What the whole list would cost on each model, were nothing of it here."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("the whole list on", "clips", "USD", ""):
        right = name in ("clips", "USD")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "")
    for offer in outlook.offers:
        why = ""
        if offer.refusals:
            first = offer.refusals[0]
            why = f"not {offer.refused}: row {first.row}, {first.why}"
        cost = "unknown" if offer.cost_usd is None else usd(offer.cost_usd).removeprefix("$")
        table.add_row(offer.model, str(offer.clips), cost if offer.clips else "", escape(why))
    return table


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
