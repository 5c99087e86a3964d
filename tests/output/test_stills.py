"""The stills, held against frames whose grey says which they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blocks.errors import ClipError, InputError
from blocks.files import sha256_file
from flows.output.stills import still
from tests.stitch.conftest import ffmpeg, shoot


def picture(clip: Path, tmp_path: Path, width_px: int = 480) -> Image.Image:
    path = still(clip, sha256_file(clip), tmp_path / "stills", width_px)
    with Image.open(path) as found:
        assert found.format == "JPEG"
        rgb: Image.Image = found.convert("RGB")
        return rgb


def test_a_still_is_of_the_middle_of_the_clip(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", num_frames=48, luma=lambda index: 30 + 4 * index)
    found = np.asarray(picture(clip, tmp_path)).mean()
    expected = (30 + 4 * 24 - 16) * 255 / 219
    assert abs(found - expected) <= 4 * 4 * 255 / 219  # a frame that none depends on is skipped


@pytest.mark.parametrize("width_px", [96, 480])
def test_a_still_is_never_wider_than_asked_and_never_enlarged(
    tmp_path: Path, width_px: int
) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    assert picture(clip, tmp_path, width_px).size == {96: (96, 56), 480: (192, 112)}[width_px]


def test_a_turned_clip_gives_an_upright_still(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", turned)
    upright = np.asarray(picture(turned, tmp_path), int)
    flat = np.asarray(picture(clip, tmp_path).rotate(90, expand=True), int)
    assert np.abs(upright - flat).mean() < 4


def test_a_clip_is_decoded_once(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4")
    sha256 = sha256_file(clip)
    first = still(clip, sha256, tmp_path / "stills", 96)
    clip.unlink()
    assert still(clip, sha256, tmp_path / "stills", 96) == first
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_clip_of_one_frame_has_a_still(tmp_path: Path) -> None:
    assert picture(shoot(tmp_path / "clip.mp4", num_frames=1), tmp_path).size == (192, 112)


@pytest.mark.parametrize(("codec", "suffix"), [("libx265", ".mp4"), ("libvpx-vp9", ".webm")])
def test_other_codecs_have_stills(tmp_path: Path, codec: str, suffix: str) -> None:
    clip = shoot(tmp_path / f"clip{suffix}", codec=codec, options={})
    assert picture(clip, tmp_path).size == (192, 112)


def test_what_is_no_clip_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\0\0\0\x18ftypisom" + b"nothing" * 10)
    with pytest.raises(ClipError):
        still(clip, "0" * 64, tmp_path / "stills", 96)
    assert list((tmp_path / "stills").iterdir()) == []


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        still(tmp_path / "clip.mp4", "../" * 21 + "a", tmp_path / "stills", 96)
