"""A voice beside a shot: where it begins, how loud it is, and what steps back for it."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from blocks.files import sha256_file
from blocks.media.sound import duration_of_sound
from blocks.media.use import Voice
from flows.stitch import Card, Clip, Finish, Stitched
from tests.stitch.making import stitch

from .clicks import heard_clicks
from .conftest import Sound, shoot, sound_of
from .tones import RATE, level_of, tone


def wav(path: Path, sound: Sound, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound.T * 32767).astype("<i2").tobytes())
    return path


def voice_of(path: Path, gain_db: float = 0.0, at_s: Fraction = Fraction(0)) -> Voice:
    return Voice(path, sha256_file(path), duration_of_sound(path), gain_db, at_s)


def film_of(folder: Path, *voices: Voice | None, **finish: object) -> Stitched:
    """Silent clips of two seconds, each with its voice."""
    clip = folder / "clip.mp4"
    if not clip.exists():
        shoot(clip, num_frames=48)
    clips = [
        Clip(clip, sha256_file(clip), f"a/{number}", voice=voice)
        for number, voice in enumerate(voices, 1)
    ]
    chosen = Finish.model_validate({"loudness_lufs": "off", **finish})
    return stitch(clips, folder / "film.mp4", cache=folder / "cache", finish=chosen)


@pytest.mark.parametrize("at_s", [Fraction(0), Fraction(1, 3), Fraction(3, 2)])
def test_a_voice_begins_at_its_sample(tmp_path: Path, at_s: Fraction) -> None:
    click = np.zeros((2, RATE // 2), np.float32)
    click[:, 4800] = 0.9
    voice = voice_of(wav(tmp_path / "click.wav", click), at_s=at_s)
    film = film_of(tmp_path, None, voice)
    assert heard_clicks(sound_of(film.path)) == [2 * RATE + round(at_s * RATE) + 4800]
    assert film.copied == 2
    assert film.notes == ()


def test_a_voice_has_its_gain(tmp_path: Path) -> None:
    voice = voice_of(wav(tmp_path / "tone.wav", tone(440, 1)), gain_db=-12)
    heard = sound_of(film_of(tmp_path, voice).path)
    assert level_of(heard[:, 4800:43_200], 440) == pytest.approx(0.25 / 10**0.6, rel=0.03)


def test_a_voice_that_is_longer_than_its_shot_runs_on_and_is_said(tmp_path: Path) -> None:
    voice = voice_of(wav(tmp_path / "tone.wav", tone(440, 3)))
    film = film_of(tmp_path, voice, None)
    heard = sound_of(film.path)
    assert level_of(heard[:, 2 * RATE : 3 * RATE - 4800], 440) == pytest.approx(0.25, rel=0.03)
    assert abs(heard[:, 3 * RATE + 2048 :]).max() < 0.01
    said = "a/1: its audio is 1.0 s longer than the shot; it runs on under the next."
    assert film.notes == (said,)


def test_a_voice_that_the_film_ends_before_is_said(tmp_path: Path) -> None:
    film = film_of(tmp_path, voice_of(wav(tmp_path / "tone.wav", tone(440, 3))))
    assert len(film.notes) == 1
    assert "the last 1.0 s of it are after the film's end" in film.notes[0]


def test_voices_of_two_shots_are_heard_together(tmp_path: Path) -> None:
    low = voice_of(wav(tmp_path / "low.wav", tone(440, 3)))
    high = voice_of(wav(tmp_path / "high.wav", tone(1000, 1, 0.2)))
    heard = sound_of(film_of(tmp_path, low, high).path)
    both = heard[:, 2 * RATE + 4800 : 3 * RATE - 4800]
    assert level_of(both, 440) == pytest.approx(0.25, rel=0.03)
    assert level_of(both, 1000) == pytest.approx(0.2, rel=0.03)


def test_music_steps_back_for_a_voice(tmp_path: Path) -> None:
    music = wav(tmp_path / "music.wav", tone(3000, 12))
    voice = voice_of(wav(tmp_path / "voice.wav", tone(440, 2)), at_s=Fraction(1, 2))
    film = film_of(tmp_path, None, voice, None, None, None, music=str(music))
    heard = sound_of(film.path)
    alone = level_of(heard[:, 7 * RATE : 8 * RATE], 3000)
    under = level_of(heard[:, 3 * RATE : 4 * RATE], 3000)
    assert 20 * np.log10(alone / under) == pytest.approx(12, abs=1)


def test_the_voice_of_a_missing_shot_is_heard(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=48)
    voice = voice_of(wav(tmp_path / "tone.wav", tone(440, 1)))
    slate = Card("slate", "a/1", Fraction(2), heading="a/1", voice=voice)
    items: list[Clip | Card] = [slate, Clip(clip, sha256_file(clip), "a/2")]
    finish = Finish(loudness_lufs=None)
    film = stitch(items, tmp_path / "film.mp4", cache=tmp_path / "cache", finish=finish)
    assert level_of(sound_of(film.path)[:, 4800:43_200], 440) == pytest.approx(0.25, rel=0.03)


def test_another_voice_makes_the_film_anew(tmp_path: Path) -> None:
    voice = voice_of(wav(tmp_path / "tone.wav", tone(440, 1)))
    first = film_of(tmp_path, voice)
    assert not film_of(tmp_path, voice).made
    other = film_of(tmp_path, voice_of(wav(tmp_path / "other.wav", tone(1000, 1))))
    assert other.made
    assert other.sha256 != first.sha256
