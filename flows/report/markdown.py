"""Tables for the Prefect UI. What a shot list says is words there, never markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines. A title that begins with a space is of a column of numbers."""
    sides = ["--:" if title.startswith(" ") else "---" for title in titles]
    return [_row([t.strip() for t in titles]), f"|{'|'.join(sides)}|", *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape(cell).replace("|", "&#124;") for cell in cells) + " |"
