"""Records -> rows of named cells: the header, what it means, and every limit of size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from flows.shots.columns import (
    COLUMNS,
    OWN_PREFIX,
    SHARED,
    WORDS,
    column_named,
    is_for_people,
)
from flows.shots.csv_text import QuoteError, records
from flows.shots.problem import Problems, shown
from flows.shots.text import CONTROL, is_invisible

SEPARATORS = (",", ";", "\t")
MAX_ROWS = 200_000
MAX_COLUMNS = 64
MAX_CELL_CHARS = 100_000
MAX_LINE_CHARS = 1_000_000
# Excel's own first line, by which it tells itself the separator.
SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?[,;\t ]*(?:\n|\Z)', re.IGNORECASE)
WHOLE_NUMBER = re.compile(r"[0-9]{1,20}(?:\.0+)?")
NUMBERS = (
    "seed",
    "num_frames",
    "frames_per_second",
    "duration_s",
    "takes",
    "take",
    "num_inference_steps",
)


NO_PROMPT = (
    f"there is no column prompt; the columns are {', '.join(COLUMNS)}; "
    "they are separated by commas, semicolons or tabs"
)


class Cells(dict[str, str]):
    """The cells of one row by their columns, without spaces around them; empty where the list
    says nothing."""

    def __missing__(self, column: str) -> str:
        return ""

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Inputs by the provider's own names."""
        return tuple((k, v) for k, v in self.items() if k not in COLUMNS and k[:2] != OWN_PREFIX)

    @property
    def settings(self) -> tuple[object, ...]:
        """The cells that many rows have in common."""
        return (*map(self.get, SHARED), *self.inputs)


@dataclass(frozen=True)
class Header:
    """`names` are the columns that the headers mean; "" for one that is left aside."""

    row: int
    names: tuple[str, ...]
    meanings: dict[str, str] = field(default_factory=dict)
    """Headers that are called otherwise than their column."""
    others: tuple[str, ...] = ()
    """Headers that only a model of the list can know."""


@dataclass(frozen=True)
class Table:
    header: Header
    rows: list[tuple[int, Cells]]
    separator: str = ""


def is_header(line: str) -> bool:
    """Whether a line names columns of a shot list, `prompt` among them, and nothing else."""
    if len(line) > MAX_CELL_CHARS:
        return False
    names = [column_named(name) for name in _split_header(line)[1]]
    return "prompt" in names and None not in names


def read_csv(text: str, problems: Problems) -> Table:
    """The rows that are not empty.

    Unknown columns, rows with too many cells and quotes that cannot be read are added to
    `problems`. Raises ShotListError where nothing more can be said: no header, no shots, a limit
    exceeded.
    """
    _check_lines(text, problems)
    hint = SEPARATOR_LINE.match(text)
    # No spreadsheet shows it: the rows are counted behind it.
    top = hint.end() if hint else 0
    first = re.compile(r"[^\n,;\t ]").search(text, top)
    if first is None:
        problems.stop("the list is empty; its first line names the columns, at least prompt")
    start = max(text.rfind("\n", 0, first.start()) + 1, top)
    header_row = text.count("\n", top, start) + 1
    head = text[start : start + MAX_CELL_CHARS]
    if len(head) == MAX_CELL_CHARS and "\n" not in head:
        problems.stop(f"has more than {MAX_CELL_CHARS:,} characters", row=header_row)
    separator = hint[1] if hint else _split_header(head)[0]
    found = _readable(text, separator, start, header_row, problems)
    return read_rows(found, header_row, problems, separator)


def read_rows(
    found: Iterable[Sequence[str]], header_row: int, problems: Problems, separator: str = ""
) -> Table:
    """The rows of records, the first of which is the header, in row `header_row`."""
    rows: list[tuple[int, Cells]] = []
    header: Header | None = None
    before = problems.count
    for row, record in enumerate(found, header_row):
        if row - header_row > MAX_ROWS:
            problems.stop(f"the list has more than {MAX_ROWS:,} rows; split it")
        cells = [cell.strip() for cell in record]
        if header is None:
            header = read_header(cells, row, problems)
            before = problems.count
        elif any(cells):
            known = _row(row, cells, header, problems, separator)
            if known is not None:
                rows.append((row, known))
    if header is None:
        problems.raise_any()
        problems.stop("the list is empty; its first line names the columns, at least prompt")
    if not rows and problems.count == before:
        problems.stop("the list has a header and no shots", row=header_row)
    return Table(header, rows, separator)


def read_header(cells: Sequence[str], row: int, problems: Problems) -> Header:
    """Adds what is wrong to the problems; stops where no shot could be read below it."""
    named = [cell for cell in cells if cell]
    if len(cells) > MAX_COLUMNS and len(named) > MAX_COLUMNS:
        problems.stop(f"names {len(cells):,} columns; at most {MAX_COLUMNS} are read", row=row)
    names: list[str] = []
    said: dict[str, list[str]] = {}
    for cell in cells:
        name = column_named(cell)
        name = cell if name is None else name
        if name:
            said.setdefault(name, []).append(cell)
        names.append(name)
    others = tuple(name for name in said if column_named(name) is None)
    twice = {name: headers for name, headers in said.items() if len(headers) > 1}
    for name, headers in twice.items():
        problems.add(row, name, "", _ambiguous(name, headers))
    if all(name in others or name.startswith(OWN_PREFIX) for name in said):
        for name in others:
            if not is_for_people(name):
                problems.add(row, "", name, unknown_column(name, tuple(COLUMNS)))
        problems.stop(NO_PROMPT, row=row)
    if twice:
        problems.raise_any()
    meanings = {
        header: name
        for name, headers in said.items()
        for header in headers
        if name in COLUMNS and header.lower() != name
    }
    return Header(row, tuple(names), meanings, others)


def _ambiguous(name: str, headers: Sequence[str]) -> str:
    if len({header.lower() for header in headers}) == 1:
        return "is there more than once; keep one of these columns"
    both = " and ".join(f'"{shown(header)}"' for header in headers)
    return (
        f"is what {both} mean; keep one of them, and begin the other's name with {OWN_PREFIX} "
        "to leave it aside"
    )


def _row(
    row: int, cells: list[str], header: Header, problems: Problems, separator: str
) -> Cells | None:
    """The row's cells; None where there is a problem with them."""
    before = problems.count
    width = len(header.names)
    if len(cells) > width and any(cells[width:]):
        reason = f"has {len(cells):,} cells, the header {width}"
        remedy = f'; put quotes (") around text that holds "{separator}"' if separator else ""
        problems.add(row, "", "", reason + remedy)
        return None
    if separator and (swallowed := _swallowed(cells, header, separator)):
        reason = (
            'opens a quote (") that takes in what looks like rows of their own; close it where the '
            "cell ends, or write the cell on one line"
        )
        problems.add(row, header.names[cells.index(swallowed)], swallowed, reason)
        return None
    known = Cells()
    for name, cell in zip(header.names, cells, strict=False):
        if not cell:
            continue
        if len(cell) > MAX_CELL_CHARS:
            problems.stop(
                f'"{shown(cell)}" has {len(cell):,} characters, more than {MAX_CELL_CHARS:,}; '
                'perhaps a quote (") is missing',
                row=row,
                column=name,
            )
        if not name:
            problems.add(row, "", cell, "stands in a column without a name")
        if name in WORDS and not (cell.isascii() and cell.isprintable()):
            if control := CONTROL.search(cell):
                reason = f"holds the control character {ascii(control[0])[1:-1]}; remove it"
                problems.add(row, name, cell, reason)
            elif is_invisible(cell):
                problems.add(row, name, cell, "holds invisible characters only; remove them")
        known[name] = cell
    return known if problems.count == before else None


def unknown_column(name: str, known: Sequence[str]) -> str:
    own = f" (columns of your own start with {OWN_PREFIX})"
    return "is no column of a shot list" + nearest(name, known) + own


def nearest(word: str, words: Sequence[str]) -> str:
    """ "; did you mean ...?" or nothing."""
    # difflib compares every pair of characters; no name that anybody means is longer than this.
    found = get_close_matches(word[:100].lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _readable(
    text: str, separator: str, start: int, first_row: int, problems: Problems
) -> Iterator[Sequence[str]]:
    """The records of a text. Those whose quotes cannot be read are problems and come empty; goes on
    behind them where it is certain that the next one begins."""
    at: int | None = start
    index = 0
    while at is not None:
        try:
            for record in records(text, separator, at, index):
                yield record
                index += 1
            return
        except QuoteError as error:
            problems.add(first_row + error.index, "", "", error.reason)
            if error.index == 0:
                return
            yield ()
            index, at = error.index + 1, error.resumes_at


def _swallowed(cells: Sequence[str], header: Header, separator: str) -> str:
    """A cell in quotes that holds what looks like rows of the list: as many cells as the header,
    with a number where numbers stand. "" where there is none."""
    for at, cell in enumerate(cells[: len(header.names)]):
        if "\n" not in cell or separator not in cell:
            continue
        lines = cell.split("\n")
        rows = [[*cells[:at], *lines[0].split(separator)]]
        rows += [line.split(separator) for line in lines[1:-1]]
        if any(_is_row(row, header) for row in rows):
            return cell
    return ""


def _is_row(cells: Sequence[str], header: Header) -> bool:
    return len(cells) == len(header.names) and any(
        name in NUMBERS and WHOLE_NUMBER.fullmatch(cell.strip())
        for name, cell in zip(header.names, cells, strict=True)
    )


def _split_header(head: str) -> tuple[str, list[str]]:
    """(separator, names): the separator by which most names are columns that we know."""
    readings = []
    for separator in SEPARATORS:
        try:
            record = next(records(head, separator), [])
        except QuoteError:
            record = []
        readings.append((separator, [name.strip() for name in record]))
    return max(
        readings,
        key=lambda reading: (
            sum(bool(column_named(name)) or is_for_people(name) for name in reading[1]),
            len(reading[1]),
        ),
    )


def _check_lines(text: str, problems: Problems) -> None:
    """Stop at a line that could become millions of cells, before anything splits it."""
    start = 0
    while len(text) - start > MAX_LINE_CHARS:
        end = text.rfind("\n", start, start + MAX_LINE_CHARS + 1)
        if end < 0:
            line = text.count("\n", 0, start) + 1
            problems.stop(f"line {line:,} has more than {MAX_LINE_CHARS:,} characters")
        start = end + 1
