"""A shot whose clip is footage of one's own: nobody is asked for it, and nothing is paid."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from blocks.errors import InputError
from flows.shots import read_shots
from tests.generate.studio import Studio, write
from tests.stitch.conftest import shoot

HEAD = "shot,prompt,clip,image,out_s"


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    return shoot(tmp_path / "harbour.mp4", num_frames=30, rate=25)


def test_it_costs_nothing_and_the_bill_says_so(
    studio: Studio, tmp_path: Path, harbour: Path
) -> None:
    shots = write(tmp_path / "list.csv", HEAD, "a,,harbour.mp4,,", "b,the gull,,,")
    assert [line.need for line in studio.plan(shots).lines] == ["own", "buy"]
    made = studio.make(shots)
    assert made.clip("a").path.read_bytes() == harbour.read_bytes()
    assert (made.bill["a"].cost_usd, made.bill["a"].source) == (Decimal(0), "no_price")
    assert (made.bill["a"].in_film, made.bill["a"].seconds) == ("yes", Decimal("1.2"))
    assert len(studio.told("requests")["requests"]) == 1
    assert studio.make(shots).plan.units == 0


def test_shot_goes_on_from_it(studio: Studio, tmp_path: Path, harbour: Path) -> None:
    model = "fal-ai/magi-distilled/image-to-video"
    rows = ("a,,harbour.mp4,,,", f"b,the gull,,@previous,,{model}")
    made = studio.make(write(tmp_path / "list.csv", f"{HEAD},model", *rows))
    assert made.clip("b")
    [request] = studio.told("requests")["requests"]
    assert request["inputs"]["image_url"]


def test_clip_that_left_the_store_is_taken_from_its_file_again(
    studio: Studio, tmp_path: Path, harbour: Path
) -> None:
    shots = write(tmp_path / "list.csv", HEAD, "a,,harbour.mp4,,")
    kept = studio.make(shots).clip("a")
    kept.path.unlink()
    assert studio.make(shots).clip("a").path.is_file()
    shoot(harbour, num_frames=40, rate=25)
    assert studio.make(shots).clip("a").num_frames == 40


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,,gone.mp4,,", 'row 2, clip: "gone.mp4" does not exist'),
        ("a,,list.csv,,", "is not a whole video"),
        ("a,,../../etc/passwd,,", "escapes from the list's folder"),
        ("a,,file:///etc/passwd,,", "is not an http(s) URL"),
        ("a,,@previous,,", "is no file"),
        ("a,,harbour.mp4,harbour.png,", "own footage takes no image"),
        ("a,,harbour.mp4,,2", "row 2, out_s: .* is beyond the clip"),
    ],
)
def test_what_is_no_footage_is_refused_with_row_and_column(
    row: str, told: str, tmp_path: Path, harbour: Path
) -> None:
    with pytest.raises(InputError) as refused:
        read_shots(write(tmp_path / "list.csv", HEAD, row))
    first, *rest = told.split(" .* ")
    assert first in refused.value.message and all(part in refused.value.message for part in rest)
