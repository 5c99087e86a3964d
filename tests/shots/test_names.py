"""Names become folders and files, on every disk."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest

from flows.shots import read_shots

Problems = Callable[[str], list[str]]

NFD = unicodedata.normalize("NFD", "Tempête")


def test_shots_without_a_name_are_counted_in_their_sequence() -> None:
    shots = read_shots("prompt,sequence,shot\nA,dawn,\nB,storm,\nC,dawn,wave\nD,dawn,\nE,,\n")
    assert [(s.sequence, s.shot) for s in shots] == [
        ("dawn", "001"),
        ("storm", "001"),
        ("dawn", "wave"),
        ("dawn", "003"),
        ("main", "001"),
    ]


@pytest.mark.parametrize("column", ["sequence", "shot"])
@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/b",
        "a\\b",
        "..",
        ".",
        ".hidden",
        "end.",
        "a\x07b",
        '"a\nb"',
        "a\u2028b",
        "é" * 51,
        "x" * 101,
    ],
    ids=ascii,
)
def test_names_cannot_leave_their_folder(column: str, name: str, problems_of: Problems) -> None:
    [line] = problems_of(f"prompt,{column}\nA,{name}\n")
    assert line.startswith(f'row 2, {column}: "')
    assert "is not a name for a file" in line


@pytest.mark.parametrize(
    "name", ["Überfahrt 1", "第一場", "a.b", "x" * 100, "CUT-010_b", "\N{WOMAN}\u200d\N{ROCKET}"]
)
def test_names_are_in_any_language(name: str) -> None:
    [shot] = read_shots(f"prompt,shot\nA,{name}\n")
    assert shot.shot == name


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        pytest.param(
            "A,,010,\nB,,020,\nC,,010,",
            'row 4, shot: "010" is the name of row 2 too; rename one of them',
            id="same",
        ),
        pytest.param(
            "A,,Wave,\nB,,wAVE,",
            'row 3, shot: "wAVE" is the name of row 2 too ("Wave"); rename one of them',
            id="case",
        ),
        pytest.param(
            f"A,,Tempête,\nB,,{NFD},",
            f'row 3, shot: "{NFD}" is the name of row 2 too ("Tempête"); rename one of them',
            id="accent-in-two-characters",
        ),
        pytest.param(
            "A,,002,\nB,,,",
            'row 3, shot: "002" is the name of row 2 too; rename one of them',
            id="given-and-counted",
        ),
        pytest.param(
            "A,,a.T2,\nB,,A,2",
            'row 2, shot: "a.T2" is the file of take 2 of "A" in row 3; rename one of them',
            id="file-of-a-take",
        ),
        pytest.param(
            "A,Dawn,,\nB,dawn,,\nC,dawn,,",
            'row 3, sequence: "dawn" and "Dawn" in row 2 are one folder on some disks; '
            "spell them alike, or name them differently",
            id="sequences-by-case",
        ),
    ],
)
def test_two_clips_never_share_a_file(rows: str, problem: str, problems_of: Problems) -> None:
    assert problems_of(f"prompt,sequence,shot,takes\n{rows}\n")[0] == problem


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param("A,storm,1,\nB,dawn,1,", id="other-sequence"),
        pytest.param("A,,a,2\nB,,a.t3,", id="no-such-take"),
        pytest.param("A,,a,2\nB,,a.t02,", id="take-with-a-zero"),
        pytest.param("A,,a,2\nB,,a.t2,2", id="takes-of-both"),
        pytest.param("A,,a,\nB,,a.t1,", id="one-take-has-no-number"),
    ],
)
def test_names_that_are_different_files_are_accepted(rows: str) -> None:
    assert len(read_shots(f"prompt,sequence,shot,takes\n{rows}\n")) == 2
