"""What cannot be read for certain is not read; what a spreadsheet writes for certain is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.output.folder import Place
from flows.shots import read_list, read_shots
from flows.shots.names import file_name

Problems = Callable[[str], list[str]]
LISTS = Path(__file__).parent / "lists"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("quote-unclosed-3.csv", "row 2: has text behind a closing quote"),
        ("backslash-quote.csv", "row 2: has text behind a closing quote"),
        ("dialog-open-quote.csv", "row 2: has text behind a closing quote"),
        ("ctrl-z.csv", 'row 3, prompt: "\\x1a" holds the control character \\x1a'),
    ],
)
def test_a_file_that_could_be_read_in_two_ways_is_wrong(
    name: str, place: str, problems_of: Problems
) -> None:
    [line] = problems_of(str(LISTS / name))
    assert line.startswith(place)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        pytest.param(
            '"A storm,5\nA calm,6\nThe end",7', "row 2, prompt: ", id="rows-in-a-closed-quote"
        ),
        pytest.param('"A storm,5\nThe end",7', "row 2, prompt: ", id="one-row-in-a-quote"),
        pytest.param('A calm,6\n"A ""storm"" x" y,5', "row 3: ", id="after-doubled-quotes"),
        pytest.param('Fog,"5" 6', "row 2: ", id="in-another-column"),
        pytest.param('"She says \\"go, now\\"",5', "row 2: ", id="backslash-and-separator"),
        pytest.param('"Never closed,5\nA calm,6', "row 2: opens a quote", id="never-closed"),
        pytest.param('"\u200b\u2060\ufeff",5', "row 2, prompt: ", id="zero-width-only"),
        pytest.param("\u3164,5", "row 2, prompt: ", id="filler-only"),
        pytest.param("A\x08wave,5", "row 2, prompt: ", id="backspace"),
        pytest.param("Temp\ufffdte,5", "row 2, prompt: ", id="a-letter-that-was-lost"),
    ],
)
def test_what_is_not_certain_is_named_by_its_row(
    rows: str, place: str, problems_of: Problems
) -> None:
    assert problems_of(f"prompt,seed\n{rows}\n")[0].startswith(place)


def test_what_stands_behind_a_broken_quote_is_checked_too(problems_of: Problems) -> None:
    lines = problems_of('prompt,seed\n"Hello" she says,5\nA calm,x\n"Bye" he says,6\nSea,y\n')
    assert [line[:5] for line in lines] == ["row 2", "row 3", "row 4", "row 5"]


def test_a_prompt_of_several_lines_is_one_prompt() -> None:
    [shot] = read_shots('prompt,seed\n"A storm, heavy\nA calm, grey\nThe end",7\n')
    assert shot.inputs["prompt"] == "A storm, heavy\nA calm, grey\nThe end"


def test_the_line_by_which_excel_knows_its_separator_is_no_header() -> None:
    found = read_list(str(LISTS / "sep-hint.csv"))
    [shot] = found.shots
    assert (shot.row, shot.sequence, shot.shot) == (2, "a", "1")
    assert found.understood.separator == ";"
    [shot] = read_shots("sep=|\nprompt|notes\nFog|x;y,z\n")
    assert (shot.inputs["prompt"], shot.notes) == ("Fog", "x;y,z")


def test_headers_of_the_trade_are_understood_and_said() -> None:
    found = read_list(str(LISTS / "real-scene.csv"))
    [shot] = found.shots
    assert (shot.sequence, shot.shot, shot.inputs["prompt"]) == ("1", "1", "Fog")
    assert found.understood.columns == {
        "Scene": "sequence",
        "Description": "prompt",
    }
    assert found.understood.left_aside == ("Camera Angle",)
    [shot] = read_shots("Scene #;Shot No.;Action;Duration (s);FPS\n3;2A;Fog;4 s;\n")
    assert (shot.sequence, shot.shot, shot.inputs["num_frames"]) == ("3", "2A", 96)


def test_two_headers_for_one_column_are_both_named(problems_of: Problems) -> None:
    [line] = problems_of("Description,Action\nFog,Walks\n")
    assert line.startswith('row 1, prompt: is what "Description" and "Action" mean; keep one')
    [line] = problems_of("prompt,Description\nFog,Walks\n")
    assert '"prompt" and "Description"' in line


@pytest.mark.parametrize(
    "words",
    [
        "A fisherman’s boat — dawn",
        "“Go,” she says…",
        "Schöne Überfahrt, weiß",
        "Blåbær og rødgrød",
        "Tempête à l’île, été",
        "The café’s light at 20 °C",
    ],
)
def test_windows_1252_is_read_where_it_can_be_nothing_else(words: str, folder: Path) -> None:
    path = folder / "list.csv"
    path.write_bytes(f'prompt\r\n"{words}"\r\n'.encode("cp1252"))
    found = read_list(str(path))
    assert [shot.inputs["prompt"] for shot in found.shots] == [words]
    assert found.understood.encoding == "Windows-1252"


def test_the_file_that_excel_writes_by_default_is_read() -> None:
    [shot] = read_shots(str(LISTS / "cp1252.csv"))
    assert shot.inputs["prompt"] == "A fisherman’s boat — dawn"


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("Туман над рекой", "cp1251"),
        ("Mlha nad řekou", "cp1250"),
        ("żółw na plaży", "cp1250"),
        ("Çılgın deniz ağacı", "cp1254"),
        ("Ζωή στη θάλασσα", "cp1253"),
        ("海の灯台", "shift_jis"),
        ("海的灯塔", "gbk"),
        ("una montaña, canción", "mac_roman"),
        ("ein schöner Tag", "cp850"),
    ],
)
def test_words_of_another_code_page_are_not_guessed(
    words: str, encoding: str, folder: Path, problems_of: Problems
) -> None:
    path = folder / "list.csv"
    path.write_bytes(f"prompt\nA wave\n{words}\n".encode(encoding))
    [line] = problems_of(str(path))
    assert "in line 3, is not UTF-8; save the list as CSV UTF-8" in line


def test_files_have_names_that_every_disk_takes_and_it_is_said() -> None:
    found = read_list(str(LISTS / "windows-names.csv"))
    assert [shot.shot for shot in found.shots[:4]] == ["#1 100%", "CON", 'a"b<c>', "a|b*"]
    place = Place(Path("out"))
    for shot in found.shots:
        assert not set('<>:"|?*') & set(place.sequence(shot.sequence).name)
    assert found.understood.files == {
        "Act 1: dawn?": "Act 1_ dawn_",
        "CON": "CON_",
        'a"b<c>': "a_b_c_",
        "a|b*": "a_b_",
    }


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("nul", "nul_"),
        ("Com1.wide", "Com1_.wide"),
        ("LPT³", "LPT³_"),
        ("COM10", "COM10"),
        ("console", "console"),
        ("Dawn", "Dawn"),
    ],
)
def test_names_of_devices_become_names_of_files(name: str, file: str) -> None:
    assert file_name(name) == file


def test_two_names_that_become_one_file_are_wrong(problems_of: Problems) -> None:
    [line] = problems_of("prompt,shot\nA,a?\nB,a*\n")
    assert line.startswith('row 3, shot: "a*" is the name of row 2 too')


@pytest.mark.parametrize("column", ["sequence", "shot"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("a\u200bb", "U+200B ZERO WIDTH SPACE"),
        ("a\u200db", "U+200D ZERO WIDTH JOINER"),
        ("a\u2066b", "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ("\ufeffab", "U+FEFF"),
        ("ab\u2060", "U+2060 WORD JOINER"),
        ("\u200b", "U+200B ZERO WIDTH SPACE"),
    ],
    ids=ascii,
)
def test_names_hold_nothing_that_nobody_sees(
    name: str, said: str, column: str, problems_of: Problems
) -> None:
    [line] = problems_of(f'x_,prompt,{column}\n1,A,"{name}"\n')
    assert line.startswith(f"row 2, {column}: ")
    assert said in line


def test_everything_that_is_wrong_is_said_at_once(problems_of: Problems) -> None:
    assert [
        line.split(":")[0]
        for line in problems_of(
            "shot,prompt,model,seed,num_frames,transition,transition_s\n"
            "a,,fal-ai/magic,x,many,dissolve,2\n"
            "b,Sea,,y,,dissolve,9\n"
            "c,Sky,,,,dissolve,1\n"
            "d,Sun,,z,500,dissolve,3.5\n"
        )
    ] == [
        "row 2, model",
        "row 2, num_frames",
        "row 2, prompt",
        "row 2, seed",
        "row 3, seed",
        "row 3, transition_s",
        "row 4, transition_s",
        "row 5, num_frames",
        "row 5, seed",
        "row 5, transition_s",
    ]
