"""Poster and contact sheet: what is on them, and that they stay of a size that can be opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.output.contact_sheet import SHOTS_A_PAGE, Tile, columns_for, pages, sheet
from flows.output.folder import Place
from flows.output.pictures import pictures_of
from flows.output.poster import most_varied
from flows.output.stills import WIDTH_PX, still
from flows.stitch import Clip, Stitched
from tests.output.test_otio import row
from tests.stitch.conftest import pictures_of as frames_of
from tests.stitch.making import stitch

GROUND = (16, 18, 22)


def tile(number: int, path: Path | None, name: str = "010") -> Tile:
    return Tile(number, "storm", name, "fal-ai/magi", "$0.32", "4.0 s", "no clip: refused", path)


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("still") / "red.jpg"
    Image.new("RGB", (480, 270), (200, 20, 20)).save(path)
    return path


@pytest.mark.parametrize("count", [1, 3, 9, 61, 160])
@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16, 1.0])
def test_a_sheet_stays_of_a_size_that_can_be_opened(red: Path, count: int, aspect: float) -> None:
    found = sheet("film", "facts", [tile(i, red) for i in range(count)], aspect)
    assert found.width <= 1920
    assert found.height <= 7000
    pixels = np.asarray(found, int)
    shown = (np.abs(pixels - (200, 20, 20)).sum(2) < 40).sum()
    columns = columns_for(count)
    width = min(480, (1920 - 112 - (columns - 1) * 20) // columns)
    assert shown > count * width * min(width / aspect, width * aspect, width) * 0.5


def test_many_shots_make_pages_that_are_about_as_full(red: Path) -> None:
    tiles = [tile(i, red) for i in range(SHOTS_A_PAGE * 2 + 1)]
    made = pages(tiles)
    assert [shot for page in made for shot in page] == tiles
    assert {len(page) for page in made} == {107}
    assert pages([]) == []


def test_few_shots_leave_no_hole(red: Path) -> None:
    assert [columns_for(n) for n in (1, 2, 3, 4, 8, 9, 10, 12, 25)] == [1, 2, 3, 2, 4, 3, 5, 4, 5]


def test_hostile_and_foreign_names_are_drawn(red: Path) -> None:
    names = ["<b>", "x" * 100, "二", "\N{CLAPPER BOARD}", "ä-öffnung", "-", "."]
    found = sheet("二" * 50, "f" * 400, [tile(i, red, name) for i, name in enumerate(names)], 1.78)
    assert found.width <= 1920


def test_the_poster_is_the_frame_that_says_most(tmp_path: Path) -> None:
    noise = np.random.default_rng(1)
    colourful = noise.integers(0, 255, (27, 48, 3), dtype=np.uint8)
    pictures = {
        "black": np.zeros((270, 480, 3), np.uint8),
        "white": np.full((270, 480, 3), 255, np.uint8),
        "dim": np.kron(colourful // 8, np.ones((10, 10, 1), np.uint8)),
        "rich": np.kron(colourful, np.ones((10, 10, 1), np.uint8)),
        "flat": np.full((270, 480, 3), 120, np.uint8),
    }
    paths: list[Path | None] = [None]
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.jpg")
        paths.append(tmp_path / f"{name}.jpg")
    assert most_varied(paths) == 4
    assert most_varied([None]) is None
    assert most_varied([]) is None


@pytest.fixture
def film(tmp_path: Path, clips: list[Clip]) -> Stitched:
    return stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache")


def test_the_poster_is_a_frame_of_the_film(
    tmp_path: Path, clips: list[Clip], film: Stitched
) -> None:
    stills = tmp_path / "stills"
    for clip in clips:
        still(clip.path, clip.sha256, stills, WIDTH_PX)
    rows = [row("storm", c.path.stem, 12, sha256=c.sha256) for c in clips]
    rows.append(row("storm", "gone", sha256=None, num_frames=None, path=None))
    manifest = {
        "film": {"duration_s": 1.5, "num_frames": 36},
        "shots": rows,
        "totals": {"cost_usd": "1.28"},
    }
    provenance = {"shots": [{"provider": "sandbox/fal"}]}
    place = Place(tmp_path)
    for number in (2, 3):
        place.contact_sheet(number).write_bytes(b"of a longer list")
    (tmp_path / "contact-sheet-mine.jpg").write_bytes(b"the user's own")
    drawn = pictures_of(place, "lighthouse", manifest, provenance, film.timeline, stills)
    small = drawn.draw()
    assert small is not None and len(small) < 400_000
    assert [path.name for path in drawn.files] == ["poster.jpg", "contact-sheet.jpg"]
    assert {path.name for path in tmp_path.glob("*.jpg")} == {
        "poster.jpg",
        "contact-sheet.jpg",
        "contact-sheet-mine.jpg",
    }
    with Image.open(place.poster) as poster:
        assert poster.size == (192, 112)
        shown = np.asarray(poster.convert("RGB"), int)
    away = np.abs(frames_of(film.path).astype(int) - shown).mean((1, 2, 3))
    nearest, next_one = np.sort(away)[:2]
    assert nearest < 6 < 2 * nearest < next_one  # JPEG changes it a little, another frame is far
    assert drawn.facts == "4 shots · 1.5 s · 192×112, 24 fps · $1.28 · sandbox, no money was spent"
