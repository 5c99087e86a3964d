"""The mark of AI content, read box by box; the film around it is the film without it."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flows.stitch import Clip
from flows.stitch.xmp import mark
from tests.output.conftest import boxes
from tests.stitch.conftest import ffmpeg, frames_of
from tests.stitch.making import stitch

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
SOURCE_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def source_type(film: Path) -> str | None:
    """What an XMP reader finds in the one XMP box of the file."""
    found = [
        content for _, _, kind, content in boxes(film) if (kind, content[:16]) == (b"uuid", XMP)
    ]
    assert len(found) == 1
    root = ElementTree.fromstring(found[0][16:].decode("utf-8").strip("\ufeff"))
    return next(root.iter(f"{RDF}Description")).get(SOURCE_TYPE)


def kinds(film: Path) -> list[bytes]:
    return [kind for _, _, kind, _ in boxes(film)]


def test_every_film_says_that_it_is_ai_made(tmp_path: Path, clips: list[Clip]) -> None:
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache").path
    wanted = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert source_type(film) == wanted
    order = kinds(film)
    assert order.index(b"moov") < order.index(b"uuid") < order.index(b"mdat")
    ffmpeg("-i", film, "-f", "null", "-")
    assert frames_of(film) == [frame for clip in clips for frame in frames_of(clip.path)]


def test_a_film_with_footage_of_ones_own_says_that_it_is_composed(
    tmp_path: Path, clips: list[Clip]
) -> None:
    own, *bought = (replace(clip, is_own=number == 0) for number, clip in enumerate(clips))
    mixed, alone = [own, *bought], [own]
    for items, word in ((mixed, "compositeWithTrainedAlgorithmicMedia"), (alone, "composite")):
        film = stitch(items, tmp_path / "film.mp4", cache=tmp_path / "cache").path
        assert source_type(film) == "http://cv.iptc.org/newscodes/digitalsourcetype/" + word
        assert frames_of(film) == [frame for clip in items for frame in frames_of(clip.path)]


@pytest.mark.parametrize("room", [0, 100, 511, 512, 519, 5000])
def test_the_mark_moves_nothing(tmp_path: Path, clips: list[Clip], room: int) -> None:
    """`room` bytes of `free` before the pictures, or none: as an encoder may leave them."""
    plain = tmp_path / "plain.mp4"
    ffmpeg("-i", clips[0].path, "-c", "copy", "-movflags", "faststart", plain)
    film = tmp_path / "film.mp4"
    parts = [plain.read_bytes()]
    if room:
        at = next(at for at, _, kind, _ in boxes(plain) if kind == b"mdat")
        free = struct.pack(">I4s", room, b"free") + bytes(room - 8)
        parts = [parts[0][:at], parts[0][at:], free]
    film.write_bytes(b"".join(parts))
    before, pictures = frames_of(film), {kind: at for at, _, kind, _ in boxes(film)}
    size = film.stat().st_size
    mark(film)
    assert source_type(film)
    after = {kind: at for at, _, kind, _ in boxes(film)}
    assert (after[b"mdat"], after[b"moov"]) == (pictures[b"mdat"], pictures[b"moov"])
    assert frames_of(film) == before
    assert film.stat().st_size in (size, size + 511)


def test_a_copied_stream_keeps_its_place(tmp_path: Path, clips: list[Clip]) -> None:
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache").path
    ffmpeg("-i", film, "-c", "copy", tmp_path / "copy.mp4")
    assert frames_of(tmp_path / "copy.mp4") == frames_of(film)


def test_no_prompt_and_no_name_travels_with_the_film(tmp_path: Path, clips: list[Clip]) -> None:
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache").path
    content = film.read_bytes()
    assert not any(clip.name.encode() in content for clip in clips)
    assert str(tmp_path).encode() not in content


def test_the_same_clips_make_the_same_marked_bytes(tmp_path: Path, clips: list[Clip]) -> None:
    first = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    again = stitch(clips, tmp_path / "again.mp4", cache=tmp_path / "cache")
    assert again.sha256 == first.sha256
