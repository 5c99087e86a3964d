"""`shotreel prices`: what a unit of each model costs, by the price book and by the accounts."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocks.money import plain, usd
from flows.commands.stopping import run_stoppable
from flows.planning.prices import Price, refresh_prices


def prices(*, live: bool, as_json: bool) -> int:
    """Raises ShotreelError. Spends nothing; what the accounts name is kept in the ledger."""
    found = run_stoppable(refresh_prices(live=live))
    if as_json:
        click.echo(json.dumps({"currency": "USD", "live": live, "prices": list(map(row, found))}))
    else:
        show(found, live=live)
    return 0


def row(price: Price) -> dict[str, Any]:
    rule, answer, difference = price.rule, price.answer, price.difference_usd
    return {
        "model": price.model,
        "verdict": price.verdict,
        "expired": price.expired or None,
        "book": rule
        and {
            "unit": rule.unit,
            "unit_price_usd": plain(rule.unit_price_usd),
            "source": rule.source,
            "as_of": rule.as_of.isoformat(),
            "valid_until": rule.valid_until.isoformat() if rule.valid_until else None,
        },
        "account": answer
        and {
            "unit": answer.unit,
            "unit_price": plain(answer.unit_price),
            "currency": answer.currency,
        },
        "difference_usd": None if difference is None else plain(difference),
        "history": [
            {
                "as_of": r.as_of.isoformat(),
                "unit": r.unit,
                "unit_price_usd": plain(r.unit_price_usd),
            }
            for r in price.history
        ],
    }


def show(found: list[Price], *, live: bool) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("model", "price book", "as of", "the account", ""):
        table.add_column(title)
    for price in found:
        rule, answer = price.rule, price.answer
        named = f"{plain(answer.unit_price)} {answer.currency} a {answer.unit}" if answer else ""
        table.add_row(
            price.model,
            f"{usd(rule.unit_price_usd)} a {rule.unit}" if rule else "none",
            rule.as_of.isoformat() if rule else "",
            escape(named),
            price.verdict + (f"; expired: {price.expired}" if price.expired else ""),
        )
    console = Console()
    console.print(table)
    if not live:
        console.print("The sandbox's prices. With --live the real accounts are asked.", style="dim")
