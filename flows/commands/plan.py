"""`shotreel plan`: what would be bought, what is there, what it would cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocks.money import column, plain, short, units_text, usd
from blocks.providers.base import PriceSource
from blocks.providers.cards.settling import may_need_a_person
from flows.commands.stopping import run_stoppable
from flows.outlook import outlook_of
from flows.planning.film_order import film_order, title_of
from flows.planning.forecast import Outlook, Share
from flows.planning.plan import Line, Plan
from flows.planning.stills_price import share_of_stills, stills_usd, stills_words
from flows.report import forecast as words
from flows.report.forecast import MAX_LINES, NEEDS
from flows.shots import ShotList, film_of
from flows.shots.film_file import FilmFile
from flows.shots.understood import Understood

RESTS_ON: dict[PriceSource, str] = {
    "price_rule": "counted by the rule of its page, at the price book's price",
    "account": "by the account's answer of today",
    "counted": "what the account was charged for requests like it",
    "ceiling": "nobody can promise it; max_usd is set aside whole, and one clip goes first",
    "no_price": "",
}


def plan(shots: str, found: ShotList, *, live: bool, as_json: bool) -> int:
    """Raises ShotreelError. Nothing is reserved, nothing is spent."""
    made = run_stoppable(outlook_of(found.shots, film_of(shots), live=live))
    if as_json:
        understood = {"list": found.understood.as_dict(), "film": found.film.as_dict()}
        click.echo(json.dumps({**understood, **as_dict(made.plan), **ahead(made)}))
    else:
        show_understood(found.understood, found.film)
        show(made.plan)
        show_ahead(made)
    return 0


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
                "price": line.quote.source,
                "units": plain(line.units),
                "cost_usd": plain(line.cost_usd),
            }
            for line in plan.lines
        ],
        **({"stills": stills_of(plan)} if plan.stills else {}),
        "titles": titles_of(plan),
        "may_need_a_person": settled_by_people(plan),
        "to_buy": plan.count("buy"),
        "stored": plan.count("stored"),
        "totals": {"units": plain(plan.units), "cost_usd": plain(plan.cost_usd)},
    }


def stills_of(plan: Plan) -> dict[str, Any]:
    """What the pictures come to, and the clips that wait for them."""
    share = share_of_stills(plan)
    return {
        "to_buy": sum(line.need == "buy" for line in plan.stills),
        "cost_usd": plain(stills_usd(plan)),
        "clips_waiting": plan.count("waits"),
        "clips_waiting_usd": plain(plan.waits_usd),
        "share_before_approval": None if share is None else plain(round(share, 4)),
    }


def table_of(plan: Plan) -> Table:
    """The first lines, one a clip."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title, justify in (("shot", "left"), ("model", "left"), ("", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for title in ("units", "USD"):
        table.add_column(title, justify="right")
    lines = plan.every[:MAX_LINES]
    for line, cost in zip(lines, column(line.cost_usd for line in lines), strict=True):
        to_pay = (short(line.units), cost) if line.need == "buy" else ("", "")
        table.add_row(escape(line.job.name), line.job.shot.model, what_of(line), *to_pay)
    return table


def show(plan: Plan) -> None:
    console = Console()
    console.print(table_of(plan))
    if len(plan.every) > MAX_LINES:
        console.print(f"… and {len(plan.every) - MAX_LINES} more", style="dim")
    console.print(
        f"\n{plan.to_buy if plan.stills else plan.count('buy')} to buy, "
        f"{plan.count('stored')} in the store, of "
        f"{len(plan.lines)} clips: {units_text(plan.units_of)} units, [bold]{usd(plan.cost_usd)}[/]"
        + (f" (up to {usd(plan.most_usd)})" if plan.most_usd > plan.cost_usd else "")
    )
    if waiting := plan.count("waits"):
        console.print(
            f"{waiting} clips wait for the approval of their stills: {usd(plan.waits_usd)} more",
            markup=False,
        )
    if told := stills_words(plan):
        console.print(told, markup=False)
    for said in price_notes(plan):
        console.print(said, style="dim", markup=False)
    for name, title in titles_of(plan).items():
        console.print(f"A card before {name}: {title}", style="dim", markup=False)


def show_understood(understood: Understood, film: FilmFile) -> None:
    """How the list's file and the film's were read, before what it comes to."""
    console = Console()
    for said in (*understood.sentences(), *film.sentences()):
        console.print(said, style="dim", markup=False, highlight=False)
    console.print()


def price_notes(plan: Plan) -> list[str]:
    """What the prices of what is to be bought rest on, and whose outcomes could need a person."""
    buys = [line for line in plan.every if line.need == "buy"]
    found: dict[str, list[str]] = {}
    for line in buys:
        models = found.setdefault(RESTS_ON[line.quote.source], [])
        if line.job.shot.model not in models:
            models.append(line.job.shot.model)
    notes = [f"Price of {', '.join(models)}: {words}." for words, models in found.items() if words]
    if people := settled_by_people(plan):
        notes.append(
            f"If an answer is lost, {', '.join(people)} may need a person to say which request "
            "it was."
        )
    seedless = {line.job.shot.model for line in buys if not line.job.model.takes_seed}
    notes += [f"{name} takes no seed: takes differ by chance" for name in sorted(seedless)]
    return notes


def settled_by_people(plan: Plan) -> list[str]:
    models = {line.job.shot.model: line.job.model for line in plan.lines if line.need == "buy"}
    return sorted(name for name, model in models.items() if may_need_a_person(model))


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
            "renamed": [{"shot": now, "was": was} for now, was in changes.renamed],
            "transitions": [
                {"shot": cut.name, "was": cut.before, "is": cut.now} for cut in changes.recut
            ],
            "unchanged": changes.unchanged,
        },
        "shared": [vars(each) for each in outlook.shared],
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
    return {
        **vars(share),
        "units": plain(share.units),
        "units_of": {provider: plain(units) for provider, units in share.units_of.items()},
        "cost_usd": plain(share.cost_usd),
    }


def show_ahead(outlook: Outlook) -> None:
    console = Console()
    for title, shares in words.parts(outlook):
        console.print()
        console.print(grid((title, *words.SHARES), words.share_rows(shares[:MAX_LINES])))
    first, *named = words.change_lines(outlook.changes) or [""]
    if first:
        console.print(f"\n{first}")
    for told in named:
        console.print(f"  {told}", style="dim", markup=False)
    for told in words.shared_lines(outlook):
        console.print(told, style="dim", markup=False)
    console.print()
    console.print(grid(words.OFFERS, words.offer_rows(outlook.offers)))
    first, *doubts = words.time_lines(outlook) or [""]
    if first:
        console.print(f"\n{first}")
    for told in doubts:
        console.print(told, style="dim")


def grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A title that begins with a space is of a column of numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        right = title.startswith(" ")
        table.add_column(title.strip(), justify="right" if right else "left", no_wrap=bool(title))
    for row in rows:
        table.add_row(*map(escape, row))
    return table
