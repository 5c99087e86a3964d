"""A film's costs as a bill for a customer: a line a shot, and a mark-up where one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from pathlib import Path

import pandas as pd

from blocks.errors import InputError
from blocks.ledger.film_runs import Charged
from blocks.money import column, from_nano, nano, usd
from flows.costs.bill import safe_cell, seconds_of

CENT = Decimal("0.01")
KINDS = (".html", ".xlsx")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
  color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8884; }
td { white-space: pre; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; white-space: normal; }
dl { display: grid; grid-template-columns: 1fr auto; gap: .3rem 1rem; margin: 1.5rem 0 0 auto;
  width: fit-content; font-variant-numeric: tabular-nums; }
dd { margin: 0; text-align: right; } dt:last-of-type, dd:last-of-type { font-weight: bold; }
"""


@dataclass(frozen=True)
class CustomerBill:
    """`lines` has a row a shot: sequence, shot, clips, seconds, cost_usd. `markup` is in percent.

    With a mark-up the total is rounded to the cent, and the mark-up is what that leaves.
    """

    film: str
    live: bool
    since: date | None
    until: date | None
    lines: pd.DataFrame
    markup: Decimal

    @property
    def cost_usd(self) -> Decimal:
        return sum(self.lines["cost_usd"], Decimal(0))

    @property
    def total_usd(self) -> Decimal:
        if not self.markup:
            return self.cost_usd
        return (self.cost_usd * (1 + self.markup / 100)).quantize(CENT, ROUND_HALF_UP)

    @property
    def sums(self) -> list[tuple[str, Decimal]]:
        found = [("Total", self.total_usd)]
        if self.markup:
            mark = (f"Mark-up {self.markup.normalize():f} %", self.total_usd - self.cost_usd)
            found = [("Costs", self.cost_usd), mark, *found]
        return found

    @property
    def period(self) -> str:
        days = (("from", self.since), ("to", self.until))
        return " ".join(f"{word} {day}" for word, day in days if day)


def lines_of(charged: Sequence[Charged]) -> pd.DataFrame:
    """Every charge, those of clips that are not in the film too, by shot, in order of its first."""
    rows = [
        {
            "sequence": each.attempt.sequence,
            "shot": each.attempt.shot,
            "clips": int(each.attempt.num_frames is not None),
            "milliseconds": int(1000 * (seconds_of(each.attempt) or 0)),
            "cost_usd": nano(each.cost.cost_usd),
        }
        for each in charged
    ]
    names = ["sequence", "shot", "clips", "milliseconds", "cost_usd"]
    lines = pd.DataFrame.from_records(rows, columns=names)
    lines = lines.groupby(["sequence", "shot"], sort=False, as_index=False).sum()
    lines["seconds"] = lines.pop("milliseconds").map(lambda each: Decimal(int(each)) / 1000)
    lines["cost_usd"] = lines["cost_usd"].map(lambda each: from_nano(int(each)))
    return lines[["sequence", "shot", "clips", "seconds", "cost_usd"]]


def write_bill(bill: CustomerBill, path: Path) -> None:
    """HTML, or XLSX where the name ends so. Raises OSError, InputError."""
    if path.suffix.lower() not in KINDS:
        raise InputError(
            f"--invoice: {path.name} ends neither in .html nor in .xlsx.",
            remedy="Name a file that does.",
        )
    if path.suffix.lower() == ".html":
        path.write_text(as_html(bill), encoding="utf-8")
        return
    lines = bill.lines.assign(
        sequence=bill.lines["sequence"].map(safe_cell), shot=bill.lines["shot"].map(safe_cell)
    )
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        lines.to_excel(writer, sheet_name="Bill", index=False)
        sums = pd.DataFrame(bill.sums, columns=["what", "usd"])
        sums.to_excel(writer, sheet_name="Total", index=False)


def as_html(bill: CustomerBill) -> str:
    lines = bill.lines.assign(cost_usd=column(bill.lines["cost_usd"]))
    lines.columns = pd.Index(["Sequence", "Shot", "Clips", "Seconds", "USD"])
    with pd.option_context("display.max_colwidth", None):  # else long names are cut
        table = lines.to_html(index=False, border=0, escape=True, justify="unset")
    sums = "".join(f"<dt>{escape(what)}</dt><dd>{usd(amount)}</dd>" for what, amount in bill.sums)
    said = [bill.period, "" if bill.live else "Sandbox: no money was spent."]
    said = [each for each in said if each]
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(bill.film)}</title><style>{STYLE}</style></head><body>
<h1>{escape(bill.film)}</h1>
<p>{escape(" · ".join([f"{datetime.now(UTC):%Y-%m-%d}", *said]))}</p>
{table}
<dl>{sums}</dl>
</body></html>
"""
