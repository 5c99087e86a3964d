"""Music that a person names: every kind that is read, and every way in which a file can be bad."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from blocks.errors import InputError, StitchError
from blocks.files import sha256_file
from flows.stitch import Clip
from flows.stitch.finish import Finish
from flows.stitch.sound import check_music
from tests.stitch.making import stitch

from .conftest import remade, shoot, sound_of
from .tones import RATE, level_of, tone


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 1 kHz."""
    folder = tmp_path_factory.mktemp("clip")
    return shoot(folder / "clip.mp4", num_frames=48, sound=tone(1000, 2))


def film(folder: Path, music: Path) -> Path:
    mute = shoot(folder / "mute.mp4", num_frames=48)
    finish = Finish(music=str(music), loudness_lufs=None)
    clips = [Clip(mute, sha256_file(mute), "a/1")]
    return stitch(clips, folder / "film.mp4", cache=folder / "cache", finish=finish).path


@pytest.mark.parametrize(
    "name",
    ["m.wav", "m.flac", "m.mp3", "m.m4a", "m.aac", "m.ogg", "m.opus", "m.aiff", "m.mkv", "m.mp4"],
)
def test_music_may_be_of_any_usual_kind(tmp_path: Path, clip: Path, name: str) -> None:
    arguments = ["-map", "0:a"] if name != "m.mp4" else ["-c", "copy"]
    arguments += ["-ar", "44100"] if name in ("m.mp3", "m.wav") else []
    music = remade(clip, name, *arguments)
    check_music(music)
    heard = sound_of(film(tmp_path, music))
    middle = heard[:, RATE - 4800 : RATE + 4800]
    assert level_of(middle, 1000) == pytest.approx(0.25, rel=0.1)


def test_a_playlist_is_not_followed(tmp_path: Path, clip: Path) -> None:
    music = remade(clip, "m.wav", "-vn")
    playlist = tmp_path / "list.mp3"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{music}\n")
    with pytest.raises(InputError, match=r"list\.mp3 is not a WAV"):
        check_music(playlist)


def wav_head(rate: int, channels: int, size: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(head) + size) + head


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty.mp3", b"", "is not a WAV"),
        ("text.mp3", b"All the best songs of all time", "is not a WAV"),
        ("noise.mp3", b"ID3" + np.random.default_rng(1).bytes(5000), ""),
        ("short.wav", wav_head(48_000, 2, 4000) + bytes(4000), "0.02 s of sound"),
        ("none.wav", wav_head(48_000, 2, 0), ""),
        ("fast.wav", wav_head(4_000_000, 2, 400) + bytes(400), "4000000 Hz"),
        ("slow.wav", wav_head(1, 2, 400) + bytes(400), "1 Hz"),
        ("wide.wav", wav_head(48_000, 64, 40_000) + bytes(40_000), "64 channels"),
        ("cut.flac", b"fLaC" + bytes(60), ""),
    ],
)
def test_bad_music_is_named_before_anything_is_bought(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"The music .*{name} .*{why}") as caught:
        check_music(path)
    assert caught.value.exit_code == 2
    assert "Give a WAV" in caught.value.remedy


def test_missing_and_mute_music_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp3 cannot be read: No such file"):
        check_music(tmp_path / "none.mp3")
    with pytest.raises(InputError, match=r"cannot be read: Is a directory"):
        check_music(tmp_path)
    mute = shoot(tmp_path / "mute.mp4")
    with pytest.raises(InputError, match=r"mute\.mp4 has no sound"):
        check_music(mute)


def test_music_that_breaks_off_costs_no_clip(tmp_path: Path, clip: Path) -> None:
    """Well begun, damaged later: found while the film is mixed."""
    music = remade(clip, "m.flac", "-vn", "-af", "aloop=10:96000")
    content = music.read_bytes()
    broken = tmp_path / "broken.flac"
    broken.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    check_music(broken)
    try:
        film(tmp_path, broken)
    except StitchError as error:
        assert "broken.flac" in error.message
        assert "clips are safe" in error.remedy


def test_sound_that_is_no_number_is_silence(tmp_path: Path) -> None:
    sound = np.full(RATE * 2, np.nan, "<f4")
    sound[: RATE // 2] = np.inf
    head = struct.pack("<HHIIHH", 3, 1, RATE, RATE * 4, 4, 32)
    data = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", sound.nbytes)
    path = tmp_path / "nan.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(data) + sound.nbytes) + data + sound.tobytes())
    heard = sound_of(film(tmp_path, path))
    assert np.isfinite(heard).all()
    assert abs(heard).max() < 1e-3
