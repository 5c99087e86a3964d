"""CSV as spreadsheets and people write it, and files that only look like it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.shots import read_shots

Problems = Callable[[str], list[str]]

LIST = "Shot ,PROMPT,seed\r\n010,Une tempête,1\r\n020,海の灯台,2\r\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(LIST.encode(), id="utf-8"),
        pytest.param(LIST.encode("utf-8-sig"), id="utf-8-with-bom"),
        pytest.param(LIST.encode("utf-16"), id="utf-16-little"),
        pytest.param(b"\xfe\xff" + LIST.encode("utf-16-be"), id="utf-16-big"),
        pytest.param(LIST.replace(",", "\t").encode("utf-16"), id="excel-unicode-text"),
        pytest.param(LIST.replace(",", ";").encode(), id="semicolons"),
        pytest.param(LIST.replace(",", "\t").encode(), id="tabs"),
        pytest.param(LIST.replace("\r\n", "\n").encode(), id="lf"),
        pytest.param(LIST.replace("\r\n", "\r").encode(), id="cr"),
        pytest.param(LIST.replace(",", " , ").encode(), id="spaces"),
        pytest.param(LIST.rstrip().encode(), id="no-line-end-at-the-end"),
        pytest.param(LIST.replace("\r\n", ",,\r\n").encode(), id="empty-columns-at-the-right"),
        pytest.param(LIST.replace("2\r\n", "2,,,\r\n").encode(), id="longer-by-empty-cells"),
    ],
)
def test_spreadsheets_are_understood(data: bytes, folder: Path) -> None:
    path = folder / "list.csv"
    path.write_bytes(data)
    shots = read_shots(str(path))
    assert [(s.row, s.shot, s.inputs["prompt"], s.seed) for s in shots] == [
        (2, "010", "Une tempête", 1),
        (3, "020", "海の灯台", 2),
    ]


def test_quotes_keep_separators_lines_and_quotes() -> None:
    [shot, other] = read_shots('prompt,notes\n "A ""wave"",\r\nthen; none" , "x"\nA gull,y"z"\n')
    assert shot.inputs["prompt"] == 'A "wave",\nthen; none'
    assert (shot.notes, other.notes) == ("x", 'y"z"')


def test_the_separator_is_that_of_the_header() -> None:
    [shot] = read_shots("prompt;notes\nA wave, a gull, a boat;a,b,c,d\n")
    assert (shot.inputs["prompt"], shot.notes) == ("A wave, a gull, a boat", "a,b,c,d")
    [shot] = read_shots('"notes","prompt","x_a;b;c"\n1,2,3\n')
    assert (shot.inputs["prompt"], shot.notes) == ("2", "1")


def test_words_that_pandas_takes_for_nothing_are_kept() -> None:
    shots = read_shots("prompt,shot\nNA,null\nNaN,None\n001,-inf\n")
    assert [(s.inputs["prompt"], s.shot) for s in shots] == [
        ("NA", "null"),
        ("NaN", "None"),
        ("001", "-inf"),
    ]


def test_rows_are_those_that_a_spreadsheet_shows(problems_of: Problems) -> None:
    text = '\n,,\nprompt,seed\n\n"two\nlines",x\n , \nA gull,y\n'
    assert [line.split(",")[0] for line in problems_of(text)] == ["row 5", "row 7"]


def test_every_row_with_too_many_cells_is_named(problems_of: Problems) -> None:
    # Left alone, pandas makes an index of the first cells and shifts the others.
    lines = problems_of("prompt,seed\nA wave, high,1\nA gull,x\nSea,1,,\nOh, a, boat,1\n")
    assert lines == [
        'row 2: has 3 cells, the header 2; put quotes (") around text that holds ","',
        'row 3, seed: "x" is not a whole number from 0 to 9223372036854775807',
        'row 5: has 4 cells, the header 2; put quotes (") around text that holds ","',
    ]


def test_an_open_quote_is_found_where_it_begins(problems_of: Problems) -> None:
    [line] = problems_of('prompt,seed\n"A\nwave",1\n\nA gull,2\n"A boat,3\nA rock,4\nA lamp,5\n')
    assert line.startswith('row 5: opens a quote (") that never ends')


def test_an_open_quote_is_found_in_a_long_list(problems_of: Problems) -> None:
    text = "prompt,seed\n" + "A wave,1\n" * 60_000 + '"A gull,2\n' + "A boat,3\n" * 1_000
    assert problems_of(text)[0].startswith("row 60002: opens a quote")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("\n", "the list is empty", id="empty"),
        pytest.param("\n;;\n ,\t\n", "the list is empty", id="only-separators"),
        pytest.param("prompt,seed\n", "row 1: the list has a header and no shots", id="no-shots"),
        pytest.param("shot,seed\na,1\n", "row 1: there is no column prompt", id="no-prompt"),
        pytest.param(
            "pormpt\nA wave\n",
            'row 1: "pormpt" is no column of a shot list; did you mean prompt?',
            id="nearly-prompt",
        ),
        pytest.param(
            "prompt,seeed\nA wave,1\n",
            'row 1: "seeed" is no column of a shot list; did you mean seed?',
            id="unknown-column",
        ),
        pytest.param(
            "prompt,seed,Seed\nA wave,1,2\n",
            "row 1, seed: is there more than once",
            id="same-column-twice",
        ),
        pytest.param(
            "prompt,,\nA wave,,lost\n",
            'row 2: "lost" stands in a column without a name',
            id="cell-under-no-name",
        ),
        pytest.param("a" * 200_000 + "\n", "row 1: has more than 100,000", id="endless-header"),
        pytest.param(
            "prompt" + ",x_a" * 500 + "\n", "row 1: names 501 columns", id="too-many-columns"
        ),
        pytest.param(
            "prompt\n" + "," * 60_000_000, "line 2 has more than 1,000,000", id="millions-of-cells"
        ),
        pytest.param(
            'prompt\n"' + "x" * 50_000_000 + '"\n',
            "line 2 has more than 1,000,000",
            id="fifty-megabytes-in-a-cell",
        ),
        pytest.param(
            'prompt\n"' + "x\n" * 60_000 + '"\n',
            'row 2, prompt: "x\\nx\\n',
            id="thousands-of-lines-in-a-cell",
        ),
        pytest.param(
            "prompt,seed\na,b,c\n" + "x" * 150_000,
            "row 2: has 3 cells",
            id="long-cell-behind-a-long-row",
        ),
        pytest.param("prompt\n" + "\n" * 300_000, "the list has more than 200,000", id="too-long"),
        pytest.param("prompt\nA\0wave\n", "line 2 holds a NUL byte", id="nul"),
    ],
)
def test_what_is_not_a_list_is_said(text: str, problem: str, problems_of: Problems) -> None:
    assert problems_of(text)[0].startswith(problem)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "the list is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf", "the list is empty", id="only-a-bom"),
        pytest.param(b"PK\x03\x04\x14\0", "this is an .xlsx workbook", id="xlsx"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1", "this is an .xls workbook", id="xls"),
        pytest.param(gzip.compress(b"prompt\nA wave\n"), "this is a gzip file", id="gzip"),
        pytest.param(b"<!DOCTYPE html><p>Log in</p>", "this is a web page", id="html"),
        pytest.param(b"\x7fELF\0\0\0", "line 1 holds a NUL byte", id="binary"),
        pytest.param(
            "prompt\nA wave\nTempête\n".encode("cp1252"),
            "byte 18, in line 3, is not UTF-8; save the list as CSV UTF-8",
            id="windows-1252",
        ),
        pytest.param(
            "\ufeffprompt\rTempête\r".encode()[:-4] + b"\xff",
            "byte 14, in line 2, is not UTF-8",
            id="broken-behind-a-bom",
        ),
        pytest.param(
            "\ufeffprompt\nsea".encode("utf-16-le")[:-1],
            "byte 20, in line 2, is not UTF-16",
            id="half-a-character",
        ),
    ],
)
def test_bytes_that_are_no_text_are_said(
    data: bytes, problem: str, folder: Path, problems_of: Problems
) -> None:
    path = folder / "list.csv"
    path.write_bytes(data)
    assert problems_of(str(path))[0].startswith(problem)
