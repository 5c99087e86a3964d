"""Text -> rows of named cells: separators, quotes, the header, and every limit of size."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import repeat
from typing import NamedTuple

import pandas as pd

from blocks.providers.cards.roles import ROLES
from flows.shots.problem import Problems, shown

SEPARATORS = (",", ";", "\t")
MAX_ROWS = 200_000
MAX_COLUMNS = 64
MAX_CELL_CHARS = 100_000
MAX_LINE_CHARS = 1_000_000
OWN_PREFIX = "x_"
INPUT_PREFIX = "in."
"""`in.model` is the input `model` of a model, where a column of that name means something else."""


class Cells(NamedTuple):
    """The cells of one row, without spaces around them; empty where the list says nothing."""

    sequence: str
    shot: str
    prompt: str
    image: str
    video: str
    seed: str
    notes: str
    caption: str
    sequence_title: str
    model: str
    num_frames: str
    duration_s: str
    frames_per_second: str
    resolution: str
    aspect_ratio: str
    num_inference_steps: str
    enable_safety_checker: str
    start_frame: str
    takes: str
    transition: str
    transition_s: str
    inputs: tuple[tuple[str, str], ...] = ()
    """Other roles and inputs by the provider's own names, where they are not empty."""

    @property
    def settings(self) -> tuple[object, ...]:
        """The cells from `model` on, which many rows have in common."""
        return self[9:]

    def of(self, column: str) -> str:
        if column in CORE:
            cell: str = getattr(self, column)
            return cell
        return dict(self.inputs).get(column, "")


COLUMNS = Cells._fields[:-1]
CORE = frozenset(COLUMNS)
KNOWN = (*COLUMNS, *(role for role in ROLES if role not in COLUMNS))
COLUMNS_ARE = (
    f"; the columns are {', '.join(KNOWN)}; they are separated by commas, semicolons or tabs"
)


class Rows(NamedTuple):
    """`others` are the columns that only a model of the list can know."""

    rows: list[tuple[int, Cells]]
    header_row: int
    names: tuple[str, ...]
    others: tuple[str, ...]


def is_header(line: str) -> bool:
    """Whether a line names columns of a shot list, `prompt` among them, and nothing else."""
    if len(line) > MAX_CELL_CHARS:
        return False
    names = _split_header(line)[1]
    return "prompt" in names and all(map(_is_column, names))


def read_table(text: str, problems: Problems) -> Rows:
    """(row, cells) of every row that is not empty.

    Rows with too many cells are added to `problems`. Raises ShotListError
    where nothing more can be said: no header, no shots, broken quotes, a limit exceeded.
    """
    _check_lines(text, problems)
    first = re.search(r"[^\n,;\t ]", text)
    if first is None:
        problems.stop("the list is empty; its first line names the columns, such as prompt")
    start = text.rfind("\n", 0, first.start()) + 1
    header_row = text.count("\n", 0, start) + 1
    head = text[start : start + MAX_CELL_CHARS]
    if len(head) == MAX_CELL_CHARS and "\n" not in head:
        problems.stop(f"has more than {MAX_CELL_CHARS:,} characters", row=header_row)
    separator, names = _split_header(head)
    _check_header(names, header_row, problems)

    body = text[start:] if start else text
    frame, overfull = _parse(body, separator, len(names), header_row, problems)
    if len(frame) > MAX_ROWS + 1:
        problems.stop(f"the list has more than {MAX_ROWS:,} rows; split it")
    columns = [[cell.strip() for cell in frame[i].tolist()] for i in range(len(names))]
    del frame
    _check_lengths(names, columns, header_row, problems)

    unnamed = [column for name, column in zip(names, columns, strict=True) if not name]
    for column in unnamed:
        for index, cell in enumerate(column[1:], 1):
            if cell:
                problems.add(header_row + index, "", cell, "stands in a column without a name")
    by_name = dict(zip(names, columns, strict=True))
    cells = [by_name.get(name, repeat("")) for name in COLUMNS]
    others = tuple(name for name in by_name if name and not _is_own(name) and name not in COLUMNS)
    inputs = _inputs_of(others, [by_name[name] for name in others])
    rows = [
        (header_row + index, Cells._make((*known, given)))
        for index, (everything, known, given) in enumerate(
            zip(zip(*columns, strict=True), zip(*cells, strict=False), inputs, strict=False)
        )
        if index and any(everything) and header_row + index not in overfull
    ]
    if not rows and not overfull:
        problems.stop("the list has a header and no shots", row=header_row)
    unknown = tuple(name for name in others if name not in KNOWN)
    return Rows(rows, header_row, tuple(names), unknown)


def _inputs_of(
    names: Sequence[str], columns: Sequence[Sequence[str]]
) -> Iterator[tuple[tuple[str, str], ...]]:
    """(column, cell) of those that say something, row by row."""
    if not names:
        yield from repeat(())
    for row in zip(*columns, strict=True):
        yield tuple((name, cell) for name, cell in zip(names, row, strict=True) if cell)


def nearest(word: str, words: Sequence[str]) -> str:
    """ "; did you mean ...?" or nothing."""
    # difflib compares every pair of characters; no name that anybody means is longer than this.
    found = get_close_matches(word[:100].lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _split_header(head: str) -> tuple[str, list[str]]:
    """(separator, names): the separator by which most names are columns that we know."""
    readings = []
    for separator in SEPARATORS:
        record = next(_records(head, separator), [])
        readings.append((separator, list(map(_column_name, record))))
    return max(readings, key=lambda reading: (sum(map(_is_column, reading[1])), len(reading[1])))


def _column_name(cell: str) -> str:
    """Columns of ours in any capitals; an input of a model exactly as its provider spells it."""
    name = cell.strip()
    return name.lower() if _is_column(name.lower()) else name


def _is_column(name: str) -> bool:
    return name in KNOWN or _is_own(name) or name.startswith(INPUT_PREFIX)


def _is_own(name: str) -> bool:
    return name.startswith(OWN_PREFIX)


def _check_lines(text: str, problems: Problems) -> None:
    """Stop at a line that could become millions of cells, before anything splits it."""
    start = 0
    while len(text) - start > MAX_LINE_CHARS:
        end = text.rfind("\n", start, start + MAX_LINE_CHARS + 1)
        if end < 0:
            line = text.count("\n", 0, start) + 1
            problems.stop(f"line {line:,} has more than {MAX_LINE_CHARS:,} characters")
        start = end + 1


def _check_header(names: list[str], row: int, problems: Problems) -> None:
    if len(names) > MAX_COLUMNS:
        problems.stop(f"names {len(names):,} columns; at most {MAX_COLUMNS} are read", row=row)
    twice = [name for name in dict.fromkeys(filter(None, names)) if names.count(name) > 1]
    for name in twice:
        problems.add(row, name, "", "is there more than once; keep one of these columns")
    if not any(map(_is_column, names)):
        for name in dict.fromkeys(filter(None, names)):
            reason = "is no column of a shot list" + nearest(name, KNOWN)
            problems.add(row, "", name, reason)
        problems.stop(
            f"there is no column prompt{COLUMNS_ARE}",
            row=row,
        )
    if twice:
        problems.raise_any()


def _parse(
    text: str, separator: str, width: int, header_row: int, problems: Problems
) -> tuple[pd.DataFrame, set[int]]:
    """The cells, and the rows that have more of them than the header."""
    try:
        return _read_csv(text, separator, width, cut=False), set()
    except pd.errors.ParserError:
        # pandas stops at the first row that is too long; people want to hear of all of them.
        overfull = _overfull(text, separator, width, header_row, problems)
    try:
        return _read_csv(text, separator, width, cut=True), overfull
    except pd.errors.ParserError as error:
        quote = re.search(r"EOF inside string starting at row (\d+)", str(error))
        if quote is None:
            problems.stop(f"the list is not CSV: {shown(str(error), 200)}")
        problems.stop(
            'opens a quote (") that never ends; close it, or write "" for a quote inside a cell',
            row=header_row + int(quote.group(1)),
        )


def _read_csv(text: str, separator: str, width: int, *, cut: bool) -> pd.DataFrame:
    return pd.read_csv(
        io.StringIO(text),
        sep=separator,
        engine="c",
        header=None,
        names=range(width),
        # Without it, rows longer than the header would shift every cell into another column.
        index_col=False,
        # With it, pandas drops the cells beyond the header instead of refusing them.
        usecols=range(width) if cut else None,
        dtype=str,
        keep_default_na=False,
        na_filter=False,
        skip_blank_lines=False,
        skipinitialspace=True,
        nrows=MAX_ROWS + 2,
    )


def _overfull(
    text: str, separator: str, width: int, header_row: int, problems: Problems
) -> set[int]:
    rows = set()
    for row, record in enumerate(_records(text, separator), header_row):
        if any(map(str.strip, record[width:])):
            rows.add(row)
            reason = f"has {len(record):,} cells, the header {width}"
            problems.add(
                row, "", "", f'{reason}; put quotes (") around text that holds "{separator}"'
            )
        if row - header_row > MAX_ROWS:
            break
    return rows


def _records(text: str, separator: str) -> Iterator[list[str]]:
    """Python's own reading, record by record; it ends where a cell is absurdly long."""
    try:
        yield from csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    except csv.Error:
        return


def _check_lengths(
    names: list[str], columns: list[list[str]], header_row: int, problems: Problems
) -> None:
    for name, column in zip(names, columns, strict=True):
        for index, cell in enumerate(column):
            if len(cell) > MAX_CELL_CHARS:
                problems.add(
                    header_row + index,
                    name,
                    cell,
                    f"has {len(cell):,} characters, more than {MAX_CELL_CHARS:,}; "
                    'perhaps a quote (") is missing',
                )
                problems.raise_any()
