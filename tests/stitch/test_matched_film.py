"""A film whose seams are matched, as it is decoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from blocks.files import sha256_file
from flows.stitch import Begin, Clip, Finish, Stitched
from flows.stitch.seams import ends_of, seams_of
from tests.stitch.making import stitch

from .conftest import frames_of, pictures_of
from .scenes import film_clip, scene

LUMA = np.array([0.2126, 0.7152, 0.0722])
STEP = 10
# The encoder keeps flat areas as they are until the difference is worth its bits.
MOST_STEP = 2


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Clip]:
    """A shot that pans, and one that goes on from it, brighter and bluer."""
    folder = tmp_path_factory.mktemp("shots")
    first = film_clip(folder / "1.mp4", lambda i: scene(2 * i), num_frames=24)
    second = film_clip(folder / "2.mp4", lambda i: scene(2 * (24 + i), STEP, 4), num_frames=60)
    one, two = (Clip(clip, sha256_file(clip), f"a/{clip.stem}") for clip in (first, second))
    return one, replace(two, continues=True)


def film_of(folder: Path, *clips: Clip, match_seams: bool = True) -> Stitched:
    finish = Finish(match_seams=match_seams)
    return stitch(clips, folder / "film.mp4", cache=folder / "cache", finish=finish)


def light_of(film: Stitched) -> NDArray[np.float64]:
    """The mean luma of each frame."""
    return np.asarray((pictures_of(film.path) @ LUMA).mean(axis=(1, 2)))


def test_a_shot_that_goes_on_has_the_light_of_the_one_before(
    tmp_path: Path, shots: tuple[Clip, Clip]
) -> None:
    raw = light_of(film_of(tmp_path, *shots, match_seams=False))
    assert raw[24] - raw[23] == pytest.approx(STEP, abs=1)
    film = film_of(tmp_path, *shots)
    light = light_of(film)
    assert abs(light[24] - light[23]) < 1
    # It becomes itself again, and no frame on the way is a step that is seen.
    assert light[-1] == pytest.approx(raw[-1], abs=0.5)
    assert abs(np.diff(light[23:])).max() < MOST_STEP
    assert (film.copied, film.rendered) == (1, 1)
    assert frames_of(film.path)[:24] == frames_of(shots[0].path)


def test_the_report_says_what_was_matched(tmp_path: Path, shots: tuple[Clip, Clip]) -> None:
    film = film_of(tmp_path, *shots)
    cache = tmp_path / "cache"
    ends = {clip.sha256: ends_of(clip.path, clip.sha256, cache) for clip in shots}
    (seam,) = seams_of(film.timeline, ends, matched=True)
    assert seam.continues
    assert seam.match
    assert seam.match.offset[0] == pytest.approx(-STEP - 110 * (seam.match.gain[0] - 1), abs=2)
    (seam,) = seams_of(film.timeline, ends)
    assert seam.is_notable
    assert seam.match is None


def test_a_hard_cut_keeps_every_frame(tmp_path: Path, shots: tuple[Clip, Clip]) -> None:
    one, two = shots
    film = film_of(tmp_path, one, replace(two, continues=False))
    assert film.rendered == 0
    assert frames_of(film.path) == frames_of(one.path) + frames_of(two.path)


def test_a_dissolve_is_matched(tmp_path: Path, shots: tuple[Clip, Clip]) -> None:
    one, two = shots
    two = replace(two, continues=False, begins=Begin("dissolve", Fraction(1, 2)))
    raw = light_of(film_of(tmp_path, one, two, match_seams=False))
    light = light_of(film_of(tmp_path, one, two))
    assert raw[24] - raw[11] == pytest.approx(STEP, abs=1)
    assert light[24] - light[11] < STEP * 0.75
    assert light[-1] == pytest.approx(raw[-1], abs=0.5)
    assert abs(np.diff(light)).max() < MOST_STEP


def test_matching_makes_another_film_once(tmp_path: Path, shots: tuple[Clip, Clip]) -> None:
    assert film_of(tmp_path, *shots, match_seams=False).made
    assert film_of(tmp_path, *shots).made
    assert not film_of(tmp_path, *shots).made
    assert film_of(tmp_path, *shots, match_seams=False).made
