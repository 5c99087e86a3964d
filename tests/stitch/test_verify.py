"""A film that is not what was spliced does not take the old one's place."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from blocks.errors import StitchError
from flows.stitch import splice
from flows.stitch.verify import Payload, check, payload_in, payload_of
from tests.stitch.conftest import Cut, shoot


@pytest.fixture
def film(tmp_path: Path, cut: Cut) -> tuple[Path, Path]:
    """A film of one clip, and the clip: every packet is a copy."""
    clip = shoot(tmp_path / "clip.mp4", num_frames=48)
    return cut(clip).path, clip


def payloads(clip: Path, *, by_place: bool) -> list[Payload]:
    with av.open(str(clip)) as source:
        packets = [packet for packet in source.demux(source.streams.video[0]) if packet.size]
        if by_place:
            return [payload_in(packet, clip, is_mp4=True) for packet in packets]
        return [payload_of(packet) for packet in packets]


@pytest.mark.parametrize("by_place", [True, False])
def test_a_film_that_is_its_clip_passes(film: tuple[Path, Path], by_place: bool) -> None:
    check(film[0], payloads(film[1], by_place=by_place))


@pytest.mark.parametrize("by_place", [True, False])
@pytest.mark.parametrize("frame", [0, 17, 47])
def test_one_other_byte_in_one_frame_is_seen(
    film: tuple[Path, Path], frame: int, by_place: bool
) -> None:
    path, clip = film
    with av.open(str(path)) as container:
        entry = container.streams.video[0].index_entries[frame]
        place = entry.pos + entry.size - 1
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(StitchError, match="not what was written"):
        check(path, payloads(clip, by_place=by_place))


def test_a_frame_that_is_missing_or_in_another_place_is_seen(film: tuple[Path, Path]) -> None:
    path, clip = film
    wanted = payloads(clip, by_place=True)
    with pytest.raises(StitchError, match="48 frames from 0 on; 49 from 0 on"):
        check(path, [*wanted, wanted[-1]])
    with pytest.raises(StitchError, match="not what was written"):
        check(path, [*wanted[:10], wanted[11], wanted[10], *wanted[12:]])


def test_a_copied_frame_is_held_against_its_place_in_the_clip(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest would cost more than the splice."""
    held: list[Payload] = []

    def kept(film: Path, payloads: list[Payload]) -> None:
        held.extend(payloads)
        check(film, payloads)

    monkeypatch.setattr(splice, "check", kept)
    clip = shoot(tmp_path / "clip.mp4", num_frames=48)
    cut(clip)
    assert [payload.source for payload in held] == [clip] * 48
