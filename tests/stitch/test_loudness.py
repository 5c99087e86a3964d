"""The film's loudness, as ffmpeg measures it on what a player decodes."""

from __future__ import annotations

import re
import subprocess
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

import flows.stitch.sound.finished
from blocks.files import sha256_file
from flows.stitch import Clip, Stitched
from flows.stitch.finish import Finish
from flows.stitch.sound.duck import AFTER, BEFORE, DOWN_DB, STEP, gains_of
from flows.stitch.sound.limiter import Limiter
from tests.stitch.making import stitch

from .conftest import Sound, frames_of, remade, shoot, sound_of
from .tones import RATE, level_of, tone

# The meter prints one decimal, and the encoder has been listened to with the same meter.
TRUE_PEAK_TOLERANCE_DB = 0.05


def film_of(folder: Path, *clips: Path, **finish: object) -> Stitched:
    known = [Clip(clip, sha256_file(clip), clip.stem) for clip in clips]
    finished = Finish.model_validate(finish)
    return stitch(known, folder / "film.mp4", cache=folder / "cache", finish=finished)


def measured(path: Path) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostats", "-i", str(path)]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, check=True).stderr.decode()
    summary = said[said.rindex("Summary:") :]
    loud = re.search(r"I:\s+(\S+) LUFS", summary)
    peak = re.search(r"Peak:\s+(\S+) dBFS", summary)
    assert loud
    assert peak
    return float(loud[1]), float(peak[1])


def white_noise(duration_s: float) -> Sound:
    rough = np.random.default_rng(7).standard_normal((2, round(duration_s * RATE)))
    return (rough * 0.05).astype(np.float32)


def words(duration_s: float) -> Sound:
    """Bursts of noise: what is heard is far below its peaks, which need the limiter at -14 LUFS."""
    at = np.arange(round(duration_s * RATE)) / RATE
    burst = np.exp(-((at * 3) % 1) * 4)
    hiss = np.convolve(
        np.random.default_rng(3).standard_normal(len(at)), np.hanning(16) / 8, "same"
    )
    return np.stack([hiss * burst * 0.25] * 2).astype(np.float32)


def beats(duration_s: float) -> Sound:
    """A crest that no gain brings to -14 LUFS."""
    at = np.arange(round(duration_s * RATE)) / RATE
    beat = np.exp(-((at * 2) % 1) * 40) * np.sin(2 * np.pi * 80 * at)
    return np.stack([beat * 0.5] * 2).astype(np.float32)


@pytest.mark.parametrize("target", ["-14", "-23"])
@pytest.mark.parametrize("make", [tone, white_noise, words], ids=["tone", "noise", "words"])
def test_the_film_is_as_loud_as_wanted(tmp_path: Path, make: object, target: str) -> None:
    sound = tone(997, 4, 0.02) if make is tone else make(4)  # type: ignore[operator]
    clip = shoot(tmp_path / "clip.mp4", num_frames=96, sound=sound)
    film = film_of(tmp_path, clip, clip, loudness_lufs=target)
    lufs, peak_dbtp = measured(film.path)
    assert lufs == pytest.approx(float(target), abs=0.5)
    assert film.notes == ()
    assert peak_dbtp <= -1 + TRUE_PEAK_TOLERANCE_DB


def test_peaks_come_before_loudness(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=96, sound=beats(4))
    film = film_of(tmp_path, clip)
    lufs, peak_dbtp = measured(film.path)
    assert peak_dbtp <= -1 + TRUE_PEAK_TOLERANCE_DB
    assert -23 < lufs < -14
    (note,) = film.notes
    assert f"{lufs:.1f} LUFS instead of -14" in note


def test_loud_and_soft_stay_as_far_apart(tmp_path: Path) -> None:
    """One gain for the whole film: no riding of levels."""
    soft = shoot(tmp_path / "soft.mp4", num_frames=48, sound=tone(440, 2, 0.01))
    loud = shoot(tmp_path / "loud.mp4", num_frames=48, sound=tone(440, 2, 0.04))
    heard = sound_of(film_of(tmp_path, soft, loud, soft).path)
    levels = [level_of(heard[:, n * RATE + 4800 : (n + 2) * RATE - 4800], 440) for n in (0, 2, 4)]
    assert levels[1] / levels[0] == pytest.approx(4, rel=0.02)
    assert levels[2] == pytest.approx(levels[0], rel=0.02)


def test_levels_stay_where_loudness_is_off(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=48, sound=tone(440, 2, 0.01))
    heard = sound_of(film_of(tmp_path, clip, loudness_lufs=None).path)
    assert level_of(heard[:, 4800:-4800], 440) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("duration_s", [0.25, 2])
def test_silence_and_moments_are_left_alone(tmp_path: Path, duration_s: float) -> None:
    level = 0.1 if duration_s < 1 else 1e-4
    num_frames = round(duration_s * 24)
    clip = shoot(tmp_path / "c.mp4", num_frames=num_frames, sound=tone(440, duration_s, level))
    heard = sound_of(film_of(tmp_path, clip).path)
    assert level_of(heard[:, 2400:-2400], 440) == pytest.approx(level, rel=0.1)


def test_another_loudness_makes_another_film(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=24, sound=tone(440, 1))
    assert film_of(tmp_path, clip).made
    assert not film_of(tmp_path, clip).made
    film = film_of(tmp_path, clip, loudness_lufs=-20)
    assert film.made
    assert measured(film.path)[0] == pytest.approx(-20, abs=0.5)


def test_the_same_sound_is_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=24, sound=tone(440, 1))
    film = film_of(tmp_path, clip)
    before = film.path.read_bytes()
    film.path.unlink()
    monkeypatch.setattr(flows.stitch.sound.finished, "_encoded", None)
    assert film_of(tmp_path, clip).path.read_bytes() == before


def test_a_damaged_rendering_is_made_again(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=24, sound=tone(440, 1))
    before = film_of(tmp_path, clip).path.read_bytes()
    for path in (tmp_path / "cache" / "sound").glob("*.m4a"):
        path.write_bytes(path.read_bytes()[:-1000])
    (tmp_path / "film.mp4").unlink()
    assert film_of(tmp_path, clip).path.read_bytes() == before


def test_the_limiter_touches_nothing_but_peaks() -> None:
    """A loud moment in soft sound: 40 ms before and half a second after, all is as it was."""
    sound = tone(440, 4, 0.1)
    sound[:, 2 * RATE : 2 * RATE + 480] *= 9
    padded = np.pad(sound, ((0, 0), (3 * RATE, 3 * RATE)))

    def source(start: int, stop: int) -> Sound:
        return padded[:, start + 3 * RATE : stop + 3 * RATE]

    limiter = Limiter(source, 1, 0.5)
    out = np.concatenate([limiter.samples(n * RATE, (n + 1) * RATE) for n in range(4)], axis=1)
    assert np.array_equal(out[:, : 2 * RATE - 1920], sound[:, : 2 * RATE - 1920])
    assert np.array_equal(out[:, RATE * 5 // 2 :], sound[:, RATE * 5 // 2 :])
    assert 0.45 < abs(out).max() <= 0.5
    fresh = Limiter(source, 1, 0.5)
    assert np.allclose(fresh.samples(95_123, 98_765), out[:, 95_123:98_765], atol=1e-6)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.5 s of 1 kHz as WAV."""
    folder = tmp_path_factory.mktemp("music")
    clip = shoot(folder / "music.mp4", num_frames=36, sound=tone(1000, 1.5))
    return remade(clip, "music.wav", "-vn")


def test_music_is_looped_to_the_films_length_and_faded(tmp_path: Path, music: Path) -> None:
    clip = shoot(tmp_path / "mute.mp4", num_frames=120)
    film = film_of(tmp_path, clip, clip, music=str(music), loudness_lufs=None)
    heard = sound_of(film.path)
    assert heard.shape[1] >= 10 * RATE
    for second in (1.0, 3.2, 5.1, 6.3):
        at = round(second * RATE)
        assert level_of(heard[:, at : at + 9600], 1000) == pytest.approx(0.25, rel=0.03)
    assert abs(heard[:, :480]).max() < 0.02
    assert abs(heard[:, 10 * RATE - 480 : 10 * RATE]).max() < 0.02
    half_out = level_of(heard[:, round(8.45 * RATE) : round(8.55 * RATE)], 1000)
    assert half_out == pytest.approx(0.25 * np.sqrt(0.5), rel=0.05)
    assert frames_of(film.path) == 2 * frames_of(clip)


def test_music_steps_back_under_a_clip(tmp_path: Path, music: Path) -> None:
    mute = shoot(tmp_path / "mute.mp4", num_frames=72)
    loud = shoot(tmp_path / "loud.mp4", num_frames=72, sound=tone(300, 3))
    film = film_of(tmp_path, mute, loud, mute, music=str(music))
    heard = sound_of(film.path)

    def music_at(second: float) -> float:
        at = round(second * RATE)
        return level_of(heard[:, at - 2400 : at + 2400], 1000)

    alone, under = music_at(2), music_at(4.5)
    assert 20 * np.log10(alone / under) == pytest.approx(DOWN_DB, abs=0.3)
    # Down when the clip begins, up again well after it has ended, without a step on the way.
    assert music_at(3) == pytest.approx(under, rel=0.1)
    assert music_at(6.2) == pytest.approx(under, rel=0.1)
    # Its own fade out begins at 6 s.
    assert music_at(7.4) > 2 * under
    steps = [music_at(2 + n / 50) for n in range(150)]
    assert max(abs(20 * np.log10(a / b)) for a, b in pairwise(steps)) < 1.5
    clip_level = level_of(heard[:, 4 * RATE : 5 * RATE], 300)
    assert 20 * np.log10(clip_level / under) == pytest.approx(15, abs=2)
    lufs, peak_dbtp = measured(film.path)
    assert lufs == pytest.approx(-14, abs=0.5)
    assert peak_dbtp <= -1 + TRUE_PEAK_TOLERANCE_DB


def test_silent_sound_tracks_do_not_duck(tmp_path: Path, music: Path) -> None:
    silent = shoot(tmp_path / "silent.mp4", num_frames=96, sound=tone(440, 4, 0))
    heard = sound_of(film_of(tmp_path, silent, music=str(music), loudness_lufs=None).path)
    assert level_of(heard[:, 2 * RATE : 2 * RATE + 9600], 1000) == pytest.approx(0.25, rel=0.03)


def test_ducking_bridges_the_pauses_between_words() -> None:
    levels = np.full(BEFORE + 400 + AFTER, -90.0)
    for word in (100, 140, 180):
        levels[BEFORE + word : BEFORE + word + 20] = -20
    down_db = -20 * np.log10(gains_of(levels, -40))
    assert len(down_db) == 400 * STEP
    assert down_db[100 * STEP : 240 * STEP].min() == pytest.approx(DOWN_DB, abs=0.01)
    assert down_db[: 45 * STEP].max() == 0
    assert down_db[310 * STEP :].max() == pytest.approx(0, abs=1e-4)


def test_other_music_makes_another_film(tmp_path: Path, music: Path) -> None:
    clip = shoot(tmp_path / "mute.mp4")
    own = tmp_path / "own.wav"
    own.write_bytes(music.read_bytes())
    assert film_of(tmp_path, clip, music=str(own)).made
    assert not film_of(tmp_path, clip, music=str(own)).made
    own.write_bytes(remade(music, "other.wav", "-af", "volume=0.5").read_bytes())
    assert film_of(tmp_path, clip, music=str(own)).made
    film = film_of(tmp_path, clip)
    assert film.made
    assert b"soun" not in film.path.read_bytes()


def test_loudness_of_a_list_is_a_decimal() -> None:
    assert Finish().loudness_lufs == Decimal(-14)


@pytest.mark.parametrize("words", ["off", "-14", "-20.5"])
def test_loudness_in_a_form_is_words(words: str) -> None:
    chosen = Finish.model_validate({"loudness_lufs": words})
    assert chosen.loudness_lufs == (None if words == "off" else Decimal(words))
    assert chosen.model_dump(mode="json")["loudness_lufs"] == words
