"""Sound stays with its picture to the sample."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from flows.stitch import Begin, Clip, Finish
from tests.stitch.making import stitch

from .clicks import CLICK_FRAMES, clicks, heard_clicks
from .conftest import Cut, Sound, assert_clock_is_right, frames_of, remade, shoot, sound_of
from .tones import level_of, tone

RATE = 48_000


def noise(seed: int, duration_s: float, channels: int = 2, rate: int = RATE) -> Sound:
    """Noise below 2 kHz: AAC keeps it, and it is like itself at one shift only."""
    rough = np.random.default_rng(seed).standard_normal((channels, round(duration_s * rate)))
    kernel = np.hanning(32) / np.hanning(32).sum()
    smooth = [np.convolve(channel, kernel, "same") for channel in rough]
    return np.asarray(smooth, np.float32) * np.float32(0.8)


def lag(heard: Sound, given: Sound) -> int:
    """By how many samples `heard` is late."""
    reach = 2048
    middle = given[0, reach:-reach]
    scores = np.correlate(heard[0], middle, "valid")
    return int(scores.argmax()) - reach


def loudness(sound: Sound) -> float:
    return float(np.sqrt((sound**2).mean()))


def test_every_clip_sounds_at_its_own_frame(tmp_path: Path, cut: Cut) -> None:
    given = [noise(seed, 25 / 24) for seed in range(4)]
    clips = [
        shoot(tmp_path / f"{n}.mp4", num_frames=25, seed=n, sound=sound)
        for n, sound in enumerate(given)
    ]
    film = cut(*clips)
    heard = sound_of(film.path)
    for n, sound in enumerate(given):
        start = round(n * Fraction(25, 24) * RATE)
        part = heard[:, start : start + sound.shape[1]]
        assert lag(part, sound) == 0
        assert loudness(part - sound) < 0.1 * loudness(sound)
    assert_clock_is_right(film.path)


def test_silent_clips_are_silent_and_shift_nothing(tmp_path: Path, cut: Cut) -> None:
    sound = noise(1, 1)
    loud = shoot(tmp_path / "loud.mp4", sound=sound)
    mute = shoot(tmp_path / "mute.mp4", seed=1)
    film = cut(mute, loud, mute)
    heard = sound_of(film.path)
    assert lag(heard[:, RATE : 2 * RATE], sound) == 0
    assert loudness(heard[:, : RATE - 2000]) < 1e-3
    assert loudness(heard[:, 2 * RATE + 2000 :]) < 1e-3
    assert frames_of(film.path) == frames_of(mute) + frames_of(loud) + frames_of(mute)


@pytest.mark.parametrize(("channels", "rate"), [(1, 48_000), (2, 44_100), (1, 22_050)])
def test_other_sound_formats_keep_time_and_level(
    tmp_path: Path, cut: Cut, channels: int, rate: int
) -> None:
    sound = noise(2, 1, channels, rate)
    clip = shoot(tmp_path / "clip.mp4", sound=sound, sound_rate=rate)
    heard = sound_of(cut(clip, clip).path)
    times = np.arange(RATE) / RATE
    expected = np.stack([np.interp(times, np.arange(rate) / rate, part) for part in sound])
    second = heard[:, RATE : 2 * RATE]
    assert lag(second, expected.astype(np.float32)) == 0
    assert loudness(second) == pytest.approx(loudness(expected.astype(np.float32)), rel=0.05)


def test_sound_longer_than_its_picture_is_cut(tmp_path: Path, cut: Cut) -> None:
    first = shoot(tmp_path / "first.mp4", sound=noise(3, 1.6))
    sound = noise(4, 1)
    second = shoot(tmp_path / "second.mp4", seed=1, sound=sound)
    film = cut(first, second)
    assert lag(sound_of(film.path)[:, RATE : 2 * RATE], sound) == 0
    assert abs(sound_of(film.path).shape[1] - 2 * RATE) <= 1024


def test_sound_that_begins_late_stays_late(tmp_path: Path, cut: Cut) -> None:
    sound = noise(5, 0.5)
    tone = shoot(tmp_path / "tone.mp4", sound=sound)
    arguments = ["-itsoffset", "0.25", "-i", str(tone), "-map", "0:v", "-map", "1:a", "-c", "copy"]
    late = remade(tone, "late.mp4", *arguments)
    heard = sound_of(cut(late, late).path)
    start = RATE + RATE // 4
    assert abs(lag(heard[:, start : start + RATE // 2], sound)) <= 1


def test_fitted_clips_keep_their_sound(tmp_path: Path, cut: Cut) -> None:
    sound = noise(6, 1)
    plain = shoot(tmp_path / "plain.mp4", num_frames=48)
    other = shoot(tmp_path / "other.mp4", num_frames=30, rate=30, sound=sound)
    film = cut(plain, other)
    assert film.rendered == 1
    assert lag(sound_of(film.path)[:, 2 * RATE : 3 * RATE], sound) == 0


def test_a_silent_film_has_no_sound_track(tmp_path: Path, cut: Cut) -> None:
    film = cut(shoot(tmp_path / "clip.mp4"))
    assert b"soun" not in film.path.read_bytes()


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(30_000, 1001)], ids=str)
def test_clicks_are_decoded_at_the_samples_of_their_frames(
    tmp_path: Path, cut: Cut, rate: Fraction
) -> None:
    clip = shoot(tmp_path / "click.mp4", rate=rate, sound=clicks(rate))
    film = cut(*[clip] * 20)
    starts = [round(24 * n * RATE / rate) for n in range(20)]
    expected = [start + round(frame * RATE / rate) for start in starts for frame in CLICK_FRAMES]
    assert heard_clicks(sound_of(film.path)) == expected
    assert_clock_is_right(film.path, rate)


def test_the_encoders_priming_is_hidden(tmp_path: Path, cut: Cut) -> None:
    clip = shoot(tmp_path / "click.mp4", sound=clicks(Fraction(24)))
    film = cut(clip)
    with av.open(str(film.path)) as container:
        first = next(container.decode(audio=0))
        assert first.pts == 0
    heard = sound_of(film.path)
    assert heard_clicks(heard)[0] == 0
    assert RATE <= heard.shape[1] < RATE + 1024


def test_sound_crosses_over_with_the_picture(tmp_path: Path) -> None:
    """Two tones across a dissolve of a second, in the film as it is decoded."""
    low = shoot(tmp_path / "low.mp4", num_frames=48, sound=tone(440, 2))
    high = shoot(tmp_path / "high.mp4", num_frames=48, seed=1, sound=tone(1000, 2))
    clips = [
        Clip(low, "low", "a/1"),
        Clip(high, "high", "a/2", begins=Begin("dissolve", Fraction(1))),
    ]
    finish = Finish(loudness_lufs=None)
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache", finish=finish)
    assert film.num_frames == 72
    heard = sound_of(film.path)
    assert level_of(heard[:, : RATE - 480], 440) == pytest.approx(0.25, rel=0.02)
    assert level_of(heard[:, 2 * RATE + 480 :], 1000) == pytest.approx(0.25, rel=0.02)
    for done in (0.25, 0.5, 0.75):
        at = round((1 + done) * RATE)
        around = heard[:, at - 2400 : at + 2400]
        going, coming = level_of(around, 440) / 0.25, level_of(around, 1000) / 0.25
        assert going == pytest.approx(np.cos(done * np.pi / 2), abs=0.02)
        assert coming == pytest.approx(np.sin(done * np.pi / 2), abs=0.02)
