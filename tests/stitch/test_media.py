"""What a media file is, however it calls itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blocks.errors import ClipError
from blocks.files import sha256_file
from blocks.media.probe import AudioInfo, last_frame, probe

from .conftest import X264, ffmpeg, frames_of, pictures_of, remade, shoot

Damage = Callable[[bytes], bytes]


def test_a_clip_is_what_its_packets_and_first_frame_show(tmp_path: Path) -> None:
    sound = np.zeros((1, 44_100), np.float32)
    tagged = (1, 1, 1, 1)
    info = probe(
        shoot(
            tmp_path / "clip.mp4",
            num_frames=30,
            rate=Fraction(30_000, 1001),
            colour=tagged,
            sound=sound,
            sound_rate=44_100,
        )
    )
    assert (info.codec, info.profile, info.pix_fmt) == ("h264", "High", "yuv420p")
    assert (info.width, info.height, info.num_frames) == (192, 112, 30)
    assert (info.rate, info.duration_s) == (Fraction(30_000, 1001), Fraction(1001, 1000))
    assert (info.colour, info.rotation) == (tagged, 0)
    assert info.sample_aspect == 1
    assert info.audio == AudioInfo("aac", 44_100, 1)
    assert info.has_audio
    assert info.spliceable


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_times_in_milliseconds_are_still_even(tmp_path: Path, suffix: str) -> None:
    codec, options = ("libx264", X264) if suffix == ".mkv" else ("libvpx", {"deadline": "realtime"})
    info = probe(shoot(tmp_path / f"clip{suffix}", codec=codec, options=options))
    assert info.rate == 24
    assert info.num_frames == 24
    assert info.spliceable == (suffix == ".mkv")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-vf", "setpts='if(gt(N,9),PTS+0.1/TB,PTS)'", "-fps_mode", "vfr"],
        ["-c:v", "mpeg4"],
    ],
    ids=["uneven interval", "another codec"],
)
def test_what_cannot_follow_as_it_is_is_not_spliceable(
    tmp_path: Path, arguments: list[str]
) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=24)
    assert probe(clip).spliceable
    assert not probe(remade(clip, "other.mp4", *arguments)).spliceable


def test_frames_that_an_edit_list_hides_do_not_count(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=48)
    late = tmp_path / "late.mp4"
    ffmpeg("-ss", "1.2", "-i", clip, "-c", "copy", late)
    info = probe(late)
    assert info.num_frames == len(frames_of(late)) < 24
    assert not info.spliceable


def _cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _blank_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(512) + content[middle + 512 :]


def _claim_a_billion(content: bytes) -> bytes:
    at = content.index(b"stsz") + 8
    return content[:at] + b"\0\0\0\1" + (10**9).to_bytes(4, "big") + content[at + 8 :]


def _nest(content: bytes) -> bytes:
    boxes = b"".join((8 * n).to_bytes(4, "big") + b"moov" for n in range(5000, 0, -1))
    return content[:32] + boxes


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _: b"", "not an MP4"),
        (lambda content: content[:40], "no video stream"),
        (_cut_in_half, "cut off"),
        (_blank_middle, "damaged"),
        (_claim_a_billion, "claims 1000000000"),
        (_nest, "bad.mp4"),
        (lambda _: b"<html>504 Gateway Time-out</html>", "not an MP4"),
        (lambda _: b"#EXTM3U\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n", "not an MP4"),
        (lambda _: b"ffconcat version 1.0\nfile clip.mp4\n", "not an MP4"),
        (lambda _: b"#EXTftyp\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n", "not a whole video file"),
    ],
    ids=[
        "empty",
        "head",
        "half",
        "blank",
        "billion",
        "nested",
        "page",
        "playlist",
        "concat",
        "disguised",
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, damage: Damage, reason: str) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=48)
    front = remade(clip, "front.mp4", "-c", "copy", "-movflags", "+faststart")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(damage(front.read_bytes()))
    with pytest.raises(ClipError, match=reason) as caught:
        probe(bad)
    assert caught.value.message.startswith("bad.mp4 ")


def test_matroska_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mkv", num_frames=72)
    clip.write_bytes(_cut_in_half(clip.read_bytes()))
    with pytest.raises(ClipError, match="cut off"):
        probe(clip)


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        ({"size": (8208, 16), "num_frames": 1}, "8208x16 pixels"),
        ({"rate": 300}, "300 frames a second"),
        ({"rate": Fraction(1, 200)}, "longer than 3600 s"),
    ],
    ids=["wide", "fast", "long"],
)
def test_what_no_provider_delivers_is_refused(
    tmp_path: Path, clip: dict[str, object], reason: str
) -> None:
    shoot(tmp_path / "clip.mp4", **clip)  # type: ignore[arg-type]
    with pytest.raises(ClipError, match=reason):
        probe(tmp_path / "clip.mp4")


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    sound = shoot(tmp_path / "clip.mp4", sound=np.zeros((1, 48_000), np.float32))
    with pytest.raises(ClipError, match="no video stream"):
        probe(remade(sound, "sound.mp4", "-vn", "-c", "copy"))


@pytest.mark.parametrize("name", ["http:clip.mp4", "concat:a.mp4|b.mp4", "ein Bild %d é.mp4"])
def test_a_name_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    shoot(tmp_path / "clip.mp4").rename(tmp_path / name)
    assert probe(Path(name)).num_frames == 24


def test_the_last_frame_is_exact(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=13)
    last_frame(clip, tmp_path / "last.png")
    picture = np.asarray(Image.open(tmp_path / "last.png"))
    ffmpeg("-i", clip, "-vf", "select=eq(n\\,12)", "-update", "1", tmp_path / "expected.png")
    expected = np.asarray(Image.open(tmp_path / "expected.png").convert("RGB"))
    assert np.abs(picture.astype(int) - expected).max() <= 2
    assert np.abs(picture.astype(int) - pictures_of(clip)[11]).max() > 20


def test_sha256_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("module", ["blocks.media.probe", "flows.stitch"])
def test_imports_stay_quick(module: str) -> None:
    """Both are imported by every worker process."""
    slow = {"moviepy", "prefect", "pandas", "PIL"}
    code = f"import sys, {module}; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
