"""Straight cuts: what is copied is every frame of every clip, bit for bit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from blocks.media.probe import probe

from .conftest import X264, Cut, assert_clock_is_right, frames_of, pictures_of, remade, shoot

NO_B = {"preset": "ultrafast", "g": "1000", "crf": "28"}
SLICED = {**X264, "g": "8", "x264-params": "slices=4:ref=5"}
CAVLC_OPEN_GOP = {**X264, "x264-params": "cabac=0:open-gop=1:keyint=8:repeat-headers=1"}
MAIN = {**X264, "profile": "main", "crf": "35"}


def test_copied_frames_are_bit_identical(tmp_path: Path, cut: Cut) -> None:
    clips = [shoot(tmp_path / f"{n}.mp4", num_frames=20 + n, seed=n) for n in range(4)]
    film = cut(*clips)
    assert frames_of(film.path) == [frame for clip in clips for frame in frames_of(clip)]
    assert assert_clock_is_right(film.path) == film.num_frames == 86
    assert film.duration_s == Fraction(86, 24)
    assert (film.copied, film.rendered) == (4, 0)


@pytest.mark.parametrize("first", [X264, NO_B], ids=["b-frames-first", "no-b-frames-first"])
def test_clips_of_different_encoders_are_copied_into_one_track(
    tmp_path: Path, cut: Cut, first: dict[str, str]
) -> None:
    kinds = [first, NO_B, SLICED, CAVLC_OPEN_GOP, MAIN, X264, SLICED, first]
    clips = [
        shoot(tmp_path / f"{n}.mp4", num_frames=17, seed=n, options=kind)
        for n, kind in enumerate(kinds)
    ]
    # Each numbers its parameter sets 0: the same number for other content.
    assert len({probe(clip).extradata for clip in clips}) >= 5
    film = cut(*clips)
    assert film.rendered == 0
    assert frames_of(film.path) == [frame for clip in clips for frame in frames_of(clip)]
    assert_clock_is_right(film.path)


def test_long_headers_of_a_slice_survive_renaming(tmp_path: Path, cut: Cut) -> None:
    """Many slices have large macroblock numbers, tiny ones have units shorter than the head."""
    many = {**X264, "x264-params": "slices=60:ref=4:weightp=2"}
    first = shoot(tmp_path / "first.mp4", options=NO_B, size=(640, 960), num_frames=5)
    second = shoot(tmp_path / "second.mp4", options=many, size=(640, 960), num_frames=9)
    still = shoot(
        tmp_path / "still.mp4", options=many, size=(640, 960), num_frames=9, luma=lambda _: 90
    )
    film = cut(first, second, still)
    assert film.rendered == 0
    assert frames_of(film.path) == frames_of(first) + frames_of(second) + frames_of(still)


def test_a_film_of_h265_clips_is_h264(tmp_path: Path, cut: Cut) -> None:
    """Many browsers and players show no H.265."""
    options = {"preset": "ultrafast", "x265-params": "log-level=0"}
    clips = [
        shoot(tmp_path / f"{n}.mp4", codec="libx265", options=options, seed=n) for n in range(2)
    ]
    film = cut(*clips)
    assert (film.copied, film.rendered) == (0, 2)
    with av.open(str(film.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "avc1"
    shown = pictures_of(film.path).astype(int)
    given = np.concatenate([pictures_of(clip) for clip in clips])
    assert np.abs(shown - given).mean() < 6


def test_one_clip_is_a_film(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "only.mp4", num_frames=1)
    assert frames_of(cut(clip).path) == frames_of(clip)


def test_other_containers_are_copied_too(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    matroska = remade(clip, "clip.mkv", "-c", "copy")
    fragmented = remade(clip, "f.mp4", "-c", "copy", "-movflags", "frag_keyframe+empty_moov")
    late = remade(clip, "late.mp4", "-c", "copy", "-output_ts_offset", "0.7")
    film = cut(matroska, fragmented, late)
    assert (film.copied, film.num_frames) == (3, 72)
    assert frames_of(film.path) == 3 * frames_of(clip)
    assert_clock_is_right(film.path)


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(16), Fraction(60)], ids=str)
def test_every_rate_keeps_an_even_interval(tmp_path: Path, cut: Cut, rate: Fraction) -> None:
    clip = shoot(tmp_path / "clip.mp4", rate=rate)
    film = cut(clip, clip)
    assert assert_clock_is_right(film.path, rate) == 48
    assert film.duration_s == 48 / rate


def test_the_index_comes_before_the_pictures(tmp_path: Path, cut: Cut) -> None:
    content = cut(shoot(tmp_path / "clip.mp4")).path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_clips_make_the_same_bytes(tmp_path: Path, cut: Cut) -> None:
    clips = [shoot(tmp_path / f"{n}.mp4", seed=n) for n in range(2)]
    first, second = (cut(*clips, out=tmp_path / f"film-{n}.mp4") for n in range(2))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256
