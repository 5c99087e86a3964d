"""Workbooks as people make them, and as nobody should."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from flows.shots import list_name, read_list, read_shots

Problems = Callable[[str], list[str]]
Rows = Sequence[Sequence[Any]]


@pytest.fixture
def saved(folder: Path) -> Callable[..., str]:
    """Saves rows as a workbook; `change` may work on its sheet first."""

    def save(rows: Rows, change: Callable[[Any], None] = lambda sheet: None) -> str:
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.title = "Day"
        for row in rows:
            sheet.append(row)
        change(sheet)
        book.create_sheet("Night").append(["prompt"])
        book["Night"].append(["Moon"])
        book.save(folder / "film.xlsx")
        return str(folder / "film.xlsx")

    return save


def repacked(path: str, changes: dict[str, Callable[[bytes], bytes]]) -> None:
    """The workbook with some of its parts changed."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, changes.get(name, bytes)(data))


def test_a_workbook_is_read_as_it_is_shown(saved: Callable[..., str]) -> None:
    def padded(sheet: Any) -> None:
        sheet["B2"].number_format = "000"

    found = read_list(
        saved(
            [
                ["Scene", "Shot", "Description", "Seed", "Duration", "Takes", "Safety"][:6],
                ["Storm", 10, "Une tempête\r\nau nord", 5.0, 4.5, 2],
                [],
                ["Storm", 2.5, "海の灯台", 7, None, None],
            ],
            padded,
        )
    )
    first, second = found.shots
    assert (first.row, first.sequence, first.shot, first.seed) == (2, "Storm", "010", 5)
    assert (first.inputs["prompt"], first.inputs["num_frames"]) == ("Une tempête\nau nord", 108)
    assert first.takes == 2
    assert (second.row, second.shot, second.inputs["prompt"]) == (4, "2.5", "海の灯台")
    assert found.understood.as_dict()["format"] == "xlsx"
    assert found.understood.sheet == "Day"


def test_the_sheet_that_is_named_is_read(saved: Callable[..., str], problems_of: Problems) -> None:
    path = saved([["prompt"], ["Sun"]])
    assert [s.inputs["prompt"] for s in read_shots(path)] == ["Sun"]
    assert [s.inputs["prompt"] for s in read_shots(f"{path}#Night")] == ["Moon"]
    assert (list_name(path), list_name(f"{path}#Night")) == ("film", "film-Night")
    assert problems_of(f"{path}#Dusk") == [
        'the workbook has no sheet "Dusk"; it has "Day", "Night"'
    ]


def test_a_cell_merged_over_rows_says_the_same_of_all(saved: Callable[..., str]) -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_cells("A2:A4")

    rows = [["scene", "prompt"], ["Storm", "a"], [None, "b"], [None, "c"], [None, "d"]]
    assert [s.sequence for s in read_shots(saved(rows, merge))] == ["Storm"] * 3 + ["main"]


def test_formulas_are_their_stored_values(saved: Callable[..., str], problems_of: Problems) -> None:
    path = saved([["prompt", "seed"], ["Sea", "=2+3"]])
    assert problems_of(path) == [
        "row 2, seed: is a formula without a value; open the workbook, let it count, and save it"
    ]
    sheet = "xl/worksheets/sheet1.xml"
    repacked(
        path,
        {sheet: lambda xml: xml.replace(b"<v></v>", b"<v>5</v>").replace(b"<v />", b"<v>5</v>")},
    )
    assert [s.seed for s in read_shots(path)] == [5]


def test_an_aspect_ratio_that_became_a_time_is_one(saved: Callable[..., str]) -> None:
    [shot] = read_shots(saved([["prompt", "aspect ratio"], ["Sea", time(16, 9)]]))
    assert shot.inputs["aspect_ratio"] == "16:9"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("shot", date(2026, 1, 2), "is a date or a time to the spreadsheet"),
        ("duration_s", time(0, 4), "is a date or a time to the spreadsheet"),
        ("seed", 12345678901234567890, "has more digits than a spreadsheet keeps"),
        ("seed", "#REF!", "is an error of the spreadsheet"),
    ],
)
def test_what_a_cell_does_not_say_for_certain_is_named(
    column: str, value: Any, reason: str, saved: Callable[..., str], problems_of: Problems
) -> None:
    lines = problems_of(saved([["prompt", column], ["Sea", value]]))
    assert lines[0].startswith(f"row 2, {column}: ")
    assert reason in lines[0]


def test_a_merged_range_of_all_cells_is_read_at_once(saved: Callable[..., str]) -> None:
    path = saved([["prompt"], ["Sea"]], lambda sheet: sheet.merge_cells("C1:C2"))
    sheet = "xl/worksheets/sheet1.xml"
    repacked(path, {sheet: lambda xml: xml.replace(b'"C1:C2"', b'"C1:XFD1048576"')})
    assert len(read_shots(path)) == 1


def test_a_workbook_that_grows_is_not_unpacked(
    saved: Callable[..., str], problems_of: Problems
) -> None:
    path = saved([["prompt"], ["Sea"]])
    repacked(path, {"xl/styles.xml": lambda xml: xml + b" " * 300_000_000})
    assert "unpacks to more than 256 MiB" in problems_of(path)[0]


def test_entities_are_not_expanded(saved: Callable[..., str], problems_of: Problems) -> None:
    path = saved([["prompt"], ["Sea"]])
    doctype = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    repacked(path, {"xl/worksheets/sheet1.xml": lambda xml: doctype + xml})
    assert "holds a document type" in problems_of(path)[0]


@pytest.mark.parametrize("cut", [30, 500, 2_000, -10])
def test_half_a_workbook_is_said(
    cut: int, saved: Callable[..., str], problems_of: Problems
) -> None:
    path = Path(saved([["prompt"], ["Sea"]]))
    path.write_bytes(path.read_bytes()[:cut])
    assert "workbook" in problems_of(str(path))[0]


def test_another_archive_is_no_workbook(folder: Path, problems_of: Problems) -> None:
    data = io.BytesIO()
    with ZipFile(data, "w") as archive:
        archive.writestr("content.xml", "<a/>")
    (folder / "film.ods").write_bytes(data.getvalue())
    assert "or another zip file" in problems_of(str(folder / "film.ods"))[0]
