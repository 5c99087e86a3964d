"""An `.xlsx` workbook -> rows, as a person who looks at the sheet means them.

Formulas count by the values that were stored with them. Whatever the sheet may hold of a cell that
its words do not say for certain (a date, an error, a number of more digits than are kept) is a
problem with its row. Nothing in the file is believed about its size.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

from flows.shots.columns import column_named
from flows.shots.problem import Problems, shown
from flows.shots.table import MAX_COLUMNS, MAX_ROWS, Table, read_rows

WORKBOOK = "xl/workbook.xml"
MAX_UNPACKED_BYTES = 256 * 2**20
MAX_PARTS = 2_000
MAX_MERGED_RANGES = 10_000
MAX_EMPTY_ROWS = 1_000
"""Formatting alone can make a sheet a million rows long; what follows so many is no list."""

EXACT_BELOW = 10**15
"""Spreadsheets keep 15 digits of a number, and write zeros for the others."""

MERGED = re.compile(
    rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"'
)
DATES_STAY = ("notes",)


class Merged(NamedTuple):
    """Rows and columns from 1, the last included."""

    left: int
    top: int
    right: int
    bottom: int


def is_workbook(data: bytes) -> bool:
    if not data.startswith(b"PK"):
        return False
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            return WORKBOOK in archive.namelist()
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return False


def read_workbook(data: bytes, sheet: str, problems: Problems) -> tuple[str, Table]:
    """(name of the sheet, its rows): the one that is named, else the first.

    Adds what is wrong to the problems; raises ShotListError where nothing more can be read.
    """
    from openpyxl import load_workbook

    _check_size(data, problems)
    try:
        books = [
            load_workbook(
                io.BytesIO(data),
                read_only=True,
                data_only=stored,
                keep_links=False,
                rich_text=False,
            )
            for stored in (True, False)
        ]
        values = _sheet(books[0], sheet, problems)
        formulas = books[1][values.title]
        merged = _merged(data, values, problems)
        rows = list(_rows(values, formulas, merged, problems))
    except MemoryError:
        problems.stop("the workbook is too large to be read; save the list as CSV UTF-8")
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        SyntaxError,
        BadZipFile,
        NotImplementedError,
        OverflowError,
        IndexError,
        AssertionError,
        RecursionError,
    ) as error:  # openpyxl raises whatever it meets in a broken file
        problems.stop(
            f"the workbook cannot be read ({type(error).__name__}: {shown(str(error), 100)}); "
            "save it anew, or as CSV UTF-8"
        )
    top = next((index for index, row in enumerate(rows) if any(row)), None)
    if top is None:
        problems.raise_any()
        problems.stop(
            f'the sheet "{shown(values.title)}" is empty; name another as FILE.xlsx#SHEET'
        )
    return str(values.title), read_rows(rows[top:], top + 1, problems)


def _check_size(data: bytes, problems: Problems) -> None:
    """No part is ever unpacked beyond the size that the archive names."""
    with ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
            problems.stop(
                f"the workbook unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB or "
                f"{MAX_PARTS:,} parts; save the list alone, as CSV UTF-8"
            )
        if any(part.flag_bits & 1 for part in parts):
            problems.stop("the workbook is locked with a password; save it without")
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as stream:
                    # The format allows none, and entities can grow without end.
                    if b"<!DOCTYPE" in stream.read(4096):
                        problems.stop("the workbook holds a document type, which none has")


def _sheet(book: Any, name: str, problems: Problems) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not name:
        first = next((s for s in book.worksheets if s.sheet_state == "visible"), None)
        if first is None:
            problems.stop("the workbook has no sheet that is shown")
        return first
    folded = {title.casefold(): sheet for title, sheet in sheets.items()}
    found = sheets.get(name) or folded.get(name.strip().casefold())
    if found is None:
        known = ", ".join(f'"{shown(title)}"' for title in list(sheets)[:20])
        problems.stop(f'the workbook has no sheet "{shown(name)}"; it has {known}')
    return found


def _merged(data: bytes, sheet: Any, problems: Problems) -> list[Merged]:
    """The merged ranges, from the sheet's part: openpyxl reads them only where it builds every
    cell of theirs, and a range can have 17 billion."""
    with ZipFile(io.BytesIO(data)) as archive, archive.open(sheet._worksheet_path) as part:
        found = []
        rest = b""
        while chunk := part.read(2**20):
            rest += chunk
            last = 0
            for match in MERGED.finditer(rest):
                left, right = _column(match[1]), _column(match[3])
                found.append(Merged(left, int(match[2]), right, int(match[4])))
                last = match.end()
            rest = rest[max(last, len(rest) - 200) :]
            if len(found) > MAX_MERGED_RANGES:
                problems.stop(f"the sheet has more than {MAX_MERGED_RANGES:,} merged cells")
    return found


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _rows(
    values: Any, formulas: Any, merged: Sequence[Merged], problems: Problems
) -> Iterator[list[str]]:
    """Every row's cells as text, the first row first."""
    for sheet in (values, formulas):
        sheet.reset_dimensions()  # what the file says of its size may be anything
    names: list[str] = []
    held: dict[Merged, str] = {}
    empty = 0
    both = zip(values.iter_rows(), formulas.iter_rows(), strict=False)
    for row, (cells, written) in enumerate(both, 1):
        if row > MAX_ROWS + 1:
            problems.stop(f"the list has more than {MAX_ROWS:,} rows; split it")
        texts = []
        for at, cell in enumerate(cells):
            name = names[at] if at < len(names) else ""
            formula = written[at] if at < len(written) else None
            texts.append(_text(row, name, cell, formula, problems))
            if at >= MAX_COLUMNS and texts[-1]:
                problems.stop(f"has cells in more than {MAX_COLUMNS} columns", row=row)
        if not names and any(texts):
            names = [column_named(text) or "" for text in texts]
        elif any(texts):
            texts = _with_merged(row, texts, merged, held)
        empty = 0 if any(texts) else empty + 1
        if empty > MAX_EMPTY_ROWS:
            return
        yield texts


def _with_merged(
    row: int, texts: list[str], merged: Sequence[Merged], held: dict[Merged, str]
) -> list[str]:
    """A cell that is merged over rows says the same of all of them: one scene, many shots."""
    for area in merged:
        if area.bottom == area.top or not area.top <= row <= area.bottom:
            continue
        at = area.left - 1
        if row == area.top:
            held[area] = texts[at] if at < len(texts) else ""
        elif area in held:
            texts = texts + [""] * (at + 1 - len(texts))
            texts[at] = held[area]
    return texts


def _text(row: int, column: str, cell: Any, formula: Any, problems: Problems) -> str:
    value = cell.value
    wrong = ""
    if value is None:
        if formula is not None and formula.data_type == "f":
            wrong = "is a formula without a value; open the workbook, let it count, and save it"
    elif cell.data_type == "e":
        wrong = "is an error of the spreadsheet"
    elif isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").replace("_x000D_", "")
    elif isinstance(value, bool):
        return str(value).lower()
    elif isinstance(value, int | float):
        if abs(value) < EXACT_BELOW:
            return _number_text(value, str(cell.number_format))
        wrong = "has more digits than a spreadsheet keeps of a number; format the cell as text"
    elif isinstance(value, time) and column == "aspect_ratio" and not value.second:
        return f"{value.hour}:{value.minute}"  # 16:9 is a time to a spreadsheet
    elif isinstance(value, datetime | date) and column in DATES_STAY:
        return value.isoformat().removesuffix("T00:00:00")
    elif isinstance(value, datetime | date | time | timedelta):
        wrong = "is a date or a time to the spreadsheet; format the cell as text, and write it anew"
    else:
        wrong = "is nothing that a list can say"
    if wrong:
        problems.add(row, column, "" if value is None else str(value), wrong)
    return ""


def _number_text(value: float, shown_as: str) -> str:
    """As the sheet shows it: 5 for 5.0, 0.3 for what is stored as 0.30000000000000004, 010 where
    the format asks for three digits."""
    if float(value).is_integer():
        width = len(shown_as) if re.fullmatch("0+", shown_as) else 0
        return f"{int(value):0{width}d}"
    return f"{value:.15f}".rstrip("0") if abs(value) < 1e-4 else f"{value:.15g}"
