"""What is said: subtitles whose times are the cut's, and a text track in the film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from blocks.files import sha256_file
from blocks.media.use import Use
from flows.stitch import Begin, Clip, Finish
from flows.stitch.dialogue import Cue, cues_of, srt, vtt
from tests.stitch.making import stitch

from .conftest import assert_clock_is_right, ffmpeg, frames_of, shoot

SAID = ["Land ahead!", "", "A tower <i>or</i> two & more\n\nthere --> there"]


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    path = shoot(tmp_path / "clip.mp4", num_frames=48)
    sha256 = sha256_file(path)
    return [Clip(path, sha256, f"a/{n}", dialogue=said) for n, said in enumerate(SAID)]


def test_subtitles_are_timed_by_the_cut(tmp_path: Path, clips: list[Clip]) -> None:
    clips[1] = Clip(clips[1].path, clips[1].sha256, "a/1", use=Use(ends=30))
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache")
    assert film.rendered == 0 or film.copied == 3
    cues = cues_of(film.timeline)
    assert [(cue.start, cue.end) for cue in cues] == [(0, 2000), (3250, 5250)]
    assert srt(cues) == (
        "1\n00:00:00,000 --> 00:00:02,000\nLand ahead!\n\n"
        "2\n00:00:03,250 --> 00:00:05,250\nA tower ‹i>or‹/i> two & more\nthere → there\n"
    )
    assert vtt(cues) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nLand ahead!\n\n"
        "00:00:03.250 --> 00:00:05.250\n"
        "A tower &lt;i&gt;or&lt;/i&gt; two &amp; more\nthere --&gt; there\n"
    )


def test_the_film_has_them_as_a_text_track(tmp_path: Path, clips: list[Clip]) -> None:
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache")
    told = ffmpeg("-i", film.path, "-map", "0:s", "-f", "srt", "-").decode()
    assert "00:00:00,000 --> 00:00:02,000\nLand ahead!" in told
    assert "00:00:04,000 --> 00:00:06,000\nA tower" in told
    with av.open(str(film.path)) as container:
        assert [s.codec_context.name for s in container.streams.subtitles] == ["mov_text"]
    assert frames_of(film.path) == frames_of(clips[0].path) * 3
    assert_clock_is_right(film.path)


def test_where_nothing_is_said_there_is_no_track(tmp_path: Path, clips: list[Clip]) -> None:
    film = stitch([clips[1]], tmp_path / "film.mp4", cache=tmp_path / "cache")
    assert cues_of(film.timeline) == []
    assert b"tx3g" not in film.path.read_bytes()


def test_two_shots_that_share_frames_do_not_speak_at_once(
    tmp_path: Path, clips: list[Clip]
) -> None:
    begins = Begin("dissolve", Fraction(1, 2))
    late = Clip(clips[2].path, clips[2].sha256, "a/2", begins=begins, dialogue="Two")
    finish = Finish(loudness_lufs=None)
    film = stitch([clips[0], late], tmp_path / "film.mp4", cache=tmp_path / "cache", finish=finish)
    first, second = cues_of(film.timeline)
    assert (first.start, first.end, second.start, second.end) == (0, 1750, 1750, 3500)


def test_a_film_of_hours_has_its_hours() -> None:
    assert "01:02:03,004 --> 10:00:00,000" in srt([Cue(3_723_004, 36_000_000, "x")])
