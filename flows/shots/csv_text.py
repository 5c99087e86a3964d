"""CSV text -> records of cells, or the place from which it cannot be read for certain.

Quoting is RFC 4180's and the spreadsheets': a cell that begins with a quote ends at the next quote
that is not doubled, and nothing but spaces may stand behind it. Readers differ in what they make
of anything else, and every one of them loses rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SPACES = " \t"
ESCAPE = 'write "" for a quote inside a cell that stands in quotes'


class QuoteError(ValueError):
    """What is wrong with the quotes of record `index` (from 0); `resumes_at` is where the next
    record begins, None where that is not known."""

    def __init__(self, index: int, reason: str, resumes_at: int | None = None) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason
        self.resumes_at = resumes_at


def records(text: str, separator: str, start: int = 0, index: int = 0) -> Iterator[list[str]]:
    """The records from `start` on, where lines end with `\\n`. Raises QuoteError."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if '"' not in line:
            yield line.split(separator)
        else:
            record, end = _quoted(text, separator, start, index)
            yield record
        start, index = end + 1, index + 1


def _quoted(text: str, separator: str, start: int, index: int) -> tuple[list[str], int]:
    """A record with quotes in it, and where it ends."""
    spaces = SPACES.replace(separator, "")
    ending = re.compile(f"[{re.escape(separator)}\n]")
    opening = re.compile(f'[{spaces}]*"')
    closed = re.compile(f'((?:[^"]|"")*+)"[{spaces}]*')
    cells: list[str] = []
    at = start
    while True:
        if begins := opening.match(text, at):
            body = closed.match(text, begins.end())
            if body is None:
                raise QuoteError(index, f'opens a quote (") that never ends; close it, or {ESCAPE}')
            cells.append(body[1].replace('""', '"'))
            at = body.end()
            if at < len(text) and text[at] not in (separator, "\n"):
                behind = ending.split(text[at : at + 80], maxsplit=1)[0]
                line_end = text.find("\n", start)
                same_line = line_end < 0 or at <= line_end
                raise QuoteError(
                    index,
                    f'has text behind a closing quote: "{behind.strip()}"; {ESCAPE}, '
                    "and put quotes around the whole cell",
                    (len(text) if line_end < 0 else line_end + 1) if same_line else None,
                )
        else:
            ends = ending.search(text, at)
            stop = ends.start() if ends else len(text)
            cells.append(text[at:stop])
            at = stop
        if at >= len(text) or text[at] == "\n":
            return cells, at
        at += 1
