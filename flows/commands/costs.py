"""`shotreel costs`: what was paid, from the ledger."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocks.errors import InputError, SetupError
from blocks.ledger import Ledger
from blocks.ledger.film_runs import charged_in, known_films
from blocks.ledger.price_history import note_top_up, paid_in
from blocks.ledger.spending import Which, anything_live, spending
from blocks.money import column, plain, units_text
from blocks.providers.services import service_name
from blocks.storage.places import ledger_place
from flows.costs.bill import By, Total, charges_frame, totals_by
from flows.costs.customer_bill import CustomerBill, lines_of, write_bill
from flows.costs.focus import write_focus
from flows.costs.focus_columns import Version
from flows.planning.prices import SOLD_BY
from flows.run.opening import DEFAULT_ACCOUNT
from flows.shots import film_of
from flows.shots.problem import shown
from flows.shots.table import nearest

NO_MARKUP = Decimal(0)
MAX_LINES = 200
"""A table that anybody reads on a terminal."""


def costs(
    by: By,
    focus: Path | None,
    *,
    version: Version,
    top_up: tuple[str, Decimal] | None,
    reason: str,
    live: bool | None,
    as_json: bool,
    film: str | None = None,
    since: date | None = None,
    until: date | None = None,
    invoice: Path | None = None,
    markup: Decimal = NO_MARKUP,
) -> int:
    """Raises ShotreelError. Sandbox and live never add up to one sum."""
    if since and until and until < since:
        raise InputError("--until is before --since.", remedy="Both are days that are included.")
    if invoice and not film:
        raise InputError("--invoice is of one film.", remedy="Name it with --film.")
    if markup and not invoice:
        raise InputError("--markup is of an invoice.", remedy="Name its file with --invoice.")
    with closing(Ledger(asyncio.run(ledger_place()))) as ledger:
        if top_up is not None:
            note(ledger, *top_up, reason, live=live is not False)
        if live is None:
            live = anything_live(ledger) or bool(paid_in(ledger, live=True))
        which = Which(live, film_known(ledger, film) if film else None, since, until)
        if focus is not None:
            try:
                # What is paid into an account is no film's.
                payments = [] if film else filter(which.has_day, paid_in(ledger, live=live))
                write_focus(focus, spending(ledger, which), payments, version)
            except OSError as error:
                raise not_written(focus, error) from None
        if invoice is not None and which.film:
            try:
                write_bill(customer_bill(ledger, which, markup), invoice)
            except OSError as error:
                raise not_written(invoice, error) from None
        totals = totals_by(charges_frame(ledger, which), by)
    if as_json:
        click.echo(json.dumps(as_dict(totals, live=live)))
    else:
        show(totals, by, live=live)
    return 0


def customer_bill(ledger: Ledger, which: Which, markup: Decimal) -> CustomerBill:
    """A film that is known by its list's place is called as the list is: customers have others."""
    assert which.film is not None
    charged = charged_in(
        ledger, which.film, live=which.live, since=which.begins_at, before=which.ends_before
    )
    names = dict(known_films(ledger))
    called = names.get(which.film, which.film) if "/" in which.film else which.film
    lines = lines_of(charged)
    return CustomerBill(called, which.live, which.since, which.until, lines, markup)


def not_written(path: Path, error: OSError) -> SetupError:
    return SetupError(
        f"{path} cannot be written: {error.strerror or error}.",
        remedy="Name a file in a folder that you can write to.",
    )


def film_known(ledger: Ledger, said: str) -> str:
    """The film that is meant: by its name, by its list, or by the list's name where it is the only
    one of that name. Raises InputError."""
    films = known_films(ledger)
    keys = list(dict.fromkeys(key for key, _ in films))
    meant = film_of(said)
    if found := next((key for key in (said, meant.key, meant.place) if key in keys), None):
        return found
    alike = list(dict.fromkeys(key for key, name in films if name == meant.name))
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise InputError(
            f"--film: {len(alike)} films are called {shown(said)}.",
            remedy=f"Name one of {', '.join(alike)}.",
        )
    near = nearest(said, keys)
    raise InputError(
        f"--film: the ledger knows no film {shown(said)}{near}.",
        remedy="`shotreel costs --by film` names them all.",
    )


def note(ledger: Ledger, name: str, amount_usd: Decimal, reason: str, *, live: bool) -> None:
    """Write a payment into a prepaid account down. Raises InputError for one that is not known."""
    service, _, account = name.partition("/")
    if service not in SOLD_BY:
        raise InputError(
            f"--top-up: {name!r} is no prepaid account.",
            remedy=f"Name one of {', '.join(SOLD_BY)}.",
        )
    service = service_name(service, live=live)
    note_top_up(ledger, service, account or DEFAULT_ACCOUNT, amount_usd, reason)


def as_dict(totals: Sequence[Total], *, live: bool) -> dict[str, object]:
    units, cost_usd = sum_of(totals)
    return {
        "currency": "USD",
        "live": live,
        "units": plain(units),
        "cost_usd": plain(cost_usd),
        "rows": [
            {
                "key": total.key,
                "units": plain(total.units),
                "cost_usd": plain(total.cost_usd),
                "attempts": total.attempts,
            }
            for total in totals
        ],
    }


def show(totals: Sequence[Total], by: By, *, live: bool) -> None:
    _, cost_usd = sum_of(totals)
    units: Counter[str] = Counter()
    for total in totals:
        units.update(total.units_of)
    *amounts, sum_usd = column([*(total.cost_usd for total in totals[:MAX_LINES]), cost_usd])
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_footer=True)
    table.add_column(by, footer="total", overflow="fold")
    table.add_column("attempts", justify="right", footer=str(sum(t.attempts for t in totals)))
    table.add_column("units", justify="right", footer=units_text(units))  # type: ignore[arg-type]
    table.add_column("USD", justify="right", footer=sum_usd)
    for total, amount in zip(totals, amounts, strict=False):
        table.add_row(escape(total.key), str(total.attempts), units_text(total.units_of), amount)
    console = Console()
    console.print(table)
    if len(totals) > MAX_LINES:
        more = f"… and {len(totals) - MAX_LINES} more, which --json names"
        console.print(more, style="dim")
    if not live and totals:
        console.print("Sandbox: no money was spent.", style="dim")


def sum_of(totals: Sequence[Total]) -> tuple[Decimal, Decimal]:
    return (
        sum((total.units for total in totals), Decimal(0)),
        sum((total.cost_usd for total in totals), Decimal(0)),
    )
