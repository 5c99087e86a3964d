"""A clip that differs is drawn anew: all of it, at the right moment, in the right colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from blocks.files import sha256_file
from blocks.media.probe import probe
from flows.stitch import Clip, Finish, Stitched
from flows.stitch.film import cut as decide
from flows.stitch.finish import AS_IT_IS
from flows.stitch.render import draw
from tests.stitch.making import stitch

from .conftest import (
    SIZE,
    X264,
    Cut,
    assert_clock_is_right,
    frames_of,
    pictures_of,
    remade,
    shoot,
)

FINE = {**X264, "crf": "8"}


def rendered(film: Stitched, start: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return pictures_of(film.path)[start:]


def test_film_of_a_chosen_rate_and_size_lasts_as_long_and_is_made_again_only_for_another(
    tmp_path: Path,
) -> None:
    path = shoot(tmp_path / "clip.mp4")
    clips = [Clip(path, sha256_file(path), "clip")]

    def made(**chosen: str) -> Stitched:
        finish = Finish.model_validate({"loudness_lufs": None, **chosen})
        return stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache", finish=finish)

    film = made(rate="30", size="320x180")
    told = probe(film.path)
    assert (told.rate, told.width, told.height, told.num_frames) == (
        Fraction(30),
        320,
        180,
        30,
    )
    assert not made(rate="30", size="320x180").made
    assert made().made and frames_of(film.path) == frames_of(path)


def test_copies_beside_a_render_stay_bit_identical(tmp_path: Path, cut: Cut) -> None:
    first = shoot(tmp_path / "first.mp4")
    other = shoot(tmp_path / "other.mp4", size=(320, 240), num_frames=12)
    # An encoder whose parameter sets have to be numbered anew, beside the render's own.
    last = shoot(tmp_path / "last.mp4", seed=2, options={"preset": "ultrafast", "g": "1000"})
    film = cut(first, other, last)
    shown = frames_of(film.path)
    assert (film.copied, film.rendered, film.num_frames) == (2, 1, 60)
    assert shown[:24] == frames_of(first)
    assert shown[36:] == frames_of(last)
    assert_clock_is_right(film.path)


@pytest.mark.parametrize(("rate", "num_frames"), [(30, 45), (16, 21), (48, 61)])
def test_another_rate_shows_each_moment_at_its_time(
    tmp_path: Path, cut: Cut, rate: int, num_frames: int
) -> None:
    lead = shoot(tmp_path / "lead.mp4", num_frames=72)
    step = 190 // num_frames
    other = shoot(
        tmp_path / "other.mp4",
        rate=rate,
        num_frames=num_frames,
        options=FINE,
        luma=lambda index: 30 + step * index,
    )
    film = cut(lead, other)
    expected_frames = round(num_frames / rate * 24)
    grey = pictures_of(film.path, "gray")[72:].mean(axis=(1, 2))
    assert len(grey) == expected_frames
    source = pictures_of(other, "gray").mean(axis=(1, 2))
    places = [min(int((2 * i + 1) * rate / 48), num_frames - 1) for i in range(expected_frames)]
    # One frame off would be a whole step.
    assert np.abs(grey - source[places]).max() <= 2 < step


def test_uneven_frames_are_shown_when_they_were(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "clip.mp4", options=FINE, luma=lambda index: 30 + 6 * index)
    # From frame 10 on everything is half a second later.
    arguments = ["-vf", "setpts='if(gt(N,9),PTS+0.5/TB,PTS)'", "-fps_mode", "vfr", "-crf", "8"]
    uneven = remade(clip, "uneven.mp4", *arguments)
    film = cut(shoot(tmp_path / "lead.mp4", num_frames=72), uneven)
    grey = pictures_of(film.path, "gray")[72:].mean(axis=(1, 2))
    source = pictures_of(clip, "gray").mean(axis=(1, 2))
    expected = np.concatenate([source[:10], source[[9] * 12], source[10:]])
    assert np.abs(grey - expected).max() < 3


def test_bars_keep_the_whole_picture(tmp_path: Path, cut: Cut) -> None:
    lead = shoot(tmp_path / "lead.mp4", size=(320, 180), num_frames=24)
    square = shoot(
        tmp_path / "square.mp4", size=(120, 120), num_frames=6, options=FINE, luma=lambda _: 200
    )
    picture = rendered(cut(lead, square), 24)[3].astype(int)
    assert picture[:, :66].max() < 12
    assert picture[:, -66:].max() < 12
    assert picture[4:-4, 76:-76].min() > 200


def test_a_turned_clip_is_upright(tmp_path: Path, cut: Cut) -> None:
    upright = shoot(tmp_path / "upright.mp4", size=(180, 320), options=FINE)
    sideways = remade(upright, "sideways.mp4", "-vf", "transpose=clock", "-crf", "4")
    turned = tmp_path / "turned.mp4"
    from .conftest import ffmpeg

    ffmpeg("-display_rotation", "90", "-i", sideways, "-c", "copy", turned)
    assert probe(turned).rotation == 90
    film = cut(shoot(tmp_path / "lead.mp4", size=(180, 320), num_frames=48), turned)
    difference = rendered(film, 48).astype(int) - pictures_of(upright)
    assert np.abs(difference).mean() < 8


@pytest.mark.parametrize(
    ("lead_colour", "other_colour"),
    [((1, 1, 1, 1), (1, 5, 6, 5)), ((1, 5, 6, 5), (1, 1, 1, 1)), (None, (1, 5, 6, 5))],
    ids=["601 in 709", "709 in 601", "601 in untagged"],
)
def test_colours_look_the_same(
    tmp_path: Path,
    cut: Cut,
    lead_colour: tuple[int, int, int, int] | None,
    other_colour: tuple[int, int, int, int],
) -> None:
    lead = shoot(tmp_path / "lead.mp4", colour=lead_colour, num_frames=24)
    other = shoot(tmp_path / "other.mp4", colour=other_colour, num_frames=6, options=FINE, seed=5)
    film = cut(lead, other)
    difference = rendered(film, 24).astype(int) - pictures_of(other)
    # The raw values differ by up to 30; ffmpeg reads each by its tag.
    assert np.abs(difference.mean(axis=(0, 1, 2))).max() < 1.5
    assert np.abs(difference).mean() < 6


def test_full_range_keeps_its_black_and_white(tmp_path: Path, cut: Cut) -> None:
    lead = shoot(tmp_path / "lead.mp4", colour=(1, 1, 1, 1), num_frames=24)
    full = remade(
        shoot(tmp_path / "narrow.mp4", num_frames=6, options=FINE, luma=lambda i: 16 + 43 * i),
        "full.mp4",
        *("-vf", "scale=out_range=full", "-pix_fmt", "yuvj420p", "-crf", "4"),
    )
    assert probe(full).colour[0] == 2
    grey = rendered(cut(lead, full), 24).mean(axis=(1, 2, 3))
    assert grey == pytest.approx([0, 50, 100, 150, 200, 250], abs=3)


def test_ten_bits_and_other_codecs_are_fitted(tmp_path: Path, cut: Cut) -> None:
    lead = shoot(tmp_path / "lead.mp4", num_frames=60)
    others = [
        shoot(tmp_path / "ten.mp4", pix_fmt="yuv420p10le", num_frames=9, options=FINE),
        shoot(tmp_path / "vp8.webm", codec="libvpx", num_frames=9, options={"crf": "4"}),
        shoot(
            tmp_path / "h265.mp4",
            codec="libx265",
            num_frames=9,
            options={"crf": "8", "x265-params": "log-level=0"},
        ),
    ]
    film = cut(lead, *others)
    assert (film.copied, film.rendered, film.num_frames) == (1, 3, 87)
    for n, other in enumerate(others):
        part = pictures_of(film.path)[60 + 9 * n : 69 + 9 * n].astype(int)
        assert np.abs(part - pictures_of(other)).mean() < 8
    assert_clock_is_right(film.path)


def drawn(cache: Path, *clips: Path) -> Path:
    """Draws the last of the clips as it is in a film of all of them."""
    items = [Clip(clip, sha256_file(clip), clip.stem) for clip in clips]
    *_, drawing = decide(items, AS_IT_IS, cache=cache, name="film.mp4").drawings
    return draw(drawing, cache)


def test_a_segment_is_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lead = shoot(tmp_path / "lead.mp4")
    other = shoot(tmp_path / "other.mp4", size=(96, 96), num_frames=4)
    first = drawn(tmp_path / "cache", lead, other)
    monkeypatch.setattr("flows.stitch.render._encode", None)
    assert drawn(tmp_path / "cache", lead, other) == first
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_damaged_segment_is_rendered_again(tmp_path: Path) -> None:
    lead = shoot(tmp_path / "lead.mp4")
    other = shoot(tmp_path / "other.mp4", size=(96, 96), num_frames=4)
    segment = drawn(tmp_path / "cache", lead, other)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:100])
    assert drawn(tmp_path / "cache", lead, other).read_bytes() == whole


def test_one_picture_is_open_at_a_time(tmp_path: Path) -> None:
    """A long clip needs no more memory than a short one."""
    import tracemalloc

    lead = shoot(tmp_path / "lead.mp4", num_frames=100)
    peaks = []
    for num_frames in (10, 80):
        clip = shoot(tmp_path / f"{num_frames}.mp4", size=(96, 96), num_frames=num_frames)
        tracemalloc.start()
        drawn(tmp_path / "cache", lead, clip)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    width, height = SIZE
    assert peaks[1] < peaks[0] + 2 * width * height * 3
