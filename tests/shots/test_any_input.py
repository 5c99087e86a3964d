"""Whatever comes in, shots or a ShotreelError come out."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import ShotreelError
from blocks.providers.catalogue import MODELS
from flows.shots import list_name, read_shots
from flows.shots.columns import COLUMNS

HARD = settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

names = st.sampled_from([*COLUMNS, "x_own", "", "pormpt"]) | st.text(max_size=8)
cells = (
    st.sampled_from(
        [
            "",
            *MODELS,
            "@previous",
            "96",
            "96.0",
            "4.5",
            "-1",
            "1e9",
            "true",
            "16:9",
            "720p",
            "cut",
            "fade",
            "a.t2",
            "A",
            "a",
            "../a",
            "http://[",
            "https://example.com/a.png",
            "C:\\a.png",
            "~",
            "²",
            "９６",
            "1_00",
        ]
    )
    | st.integers().map(str)
    | st.text(max_size=20)
)


@st.composite
def lists(draw: st.DrawFn) -> str:
    header = ["prompt", *draw(st.lists(names, max_size=8))]
    rows = draw(st.lists(st.lists(cells, max_size=len(header) + 1), max_size=6))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=draw(st.sampled_from(",;\t")))
    writer.writerows([header, *rows])
    return text.getvalue()


def survives(source: str) -> None:
    name = list_name(source)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert len(name.encode()) <= 100
    try:
        shots = read_shots(source)
    except ShotreelError as error:
        assert error.exit_code == 2
        str(error).encode()
    else:
        assert shots
        assert len({(shot.sequence, shot.shot) for shot in shots}) == len(shots)
        for shot in shots:
            assert shot.inputs["prompt"]
            assert 1 <= shot.takes <= 20
            assert shot.inputs.keys() <= MODELS[shot.model].inputs.keys()


@HARD
@given(st.text(st.characters(), max_size=200))
def test_any_text_is_answered(folder: Path, text: str) -> None:
    survives(text)
    survives(f"prompt\n{text}")


@HARD
@given(st.binary(max_size=200))
def test_any_file_is_answered(folder: Path, data: bytes) -> None:
    path = folder / "list.csv"
    for beginning in (b"", b"prompt,seed\n", b"\xff\xfe"):
        path.write_bytes(beginning + data)
        survives(str(path))


@HARD
@given(lists())
def test_any_list_is_answered(folder: Path, text: str) -> None:
    survives(text)
    (folder / "list.csv").write_text(text, encoding="utf-8", errors="ignore", newline="")
    survives(str(folder / "list.csv"))
