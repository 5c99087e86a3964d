"""Whether the film on the disk is what was spliced, before it takes the old film's place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import md5
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from av.packet import Packet
from av.video.stream import VideoStream

from blocks.errors import StitchError
from blocks.media.probe import open_media

THREADS = 2
BATCH = 96
CLIPS_SAFE = "The clips are safe. Please report this with the clips' names."


@dataclass(frozen=True)
class Payload:
    """What one frame's packet has to hold: `size` bytes of `source` at `position`, which are read
    and compared; or, where no place in a file holds them as they are, of this MD5."""

    size: int
    source: Path | None = None
    position: int = 0
    digest: bytes = b""


def payload_in(packet: Packet[VideoStream], source: Path, *, is_mp4: bool) -> Payload:
    """Only an MP4's packets stand in their file as they are demuxed."""
    if is_mp4 and packet.pos is not None and packet.pos >= 0:
        return Payload(packet.size, source, packet.pos)
    return payload_of(packet)


def payload_of(packet: Packet[VideoStream]) -> Payload:
    return Payload(packet.size, digest=md5(packet, usedforsecurity=False).digest())


def check(film: Path, payloads: Sequence[Payload]) -> None:
    """Raises StitchError unless the film has these frames, in this order, from 0 on, evenly."""
    with open_media(film) as container:
        video = container.streams.video[0]
        index = [(entry.pos, entry.size, entry.timestamp) for entry in video.index_entries]
        begins = video.start_time
    name = film.name
    if len(index) != len(payloads) or begins != 0:
        raise StitchError(
            f"{name} has {len(index)} frames from {begins} on; {len(payloads)} from 0 on were "
            "written.",
            remedy=CLIPS_SAFE,
        )
    steps = {after[2] - before[2] for before, after in pairwise(index)}
    if len(steps) > 1 or 0 in steps:
        raise StitchError(f"The frames of {name} are not evenly spaced.", remedy=CLIPS_SAFE)
    frames = [(each[0], each[1], payload) for each, payload in zip(index, payloads, strict=True)]
    with ExitStack() as stack, ThreadPoolExecutor(THREADS) as threads:
        sources = {each.source for each in payloads if each.source} | {film}
        files = {path: stack.enter_context(path.open("rb")) for path in sources}
        differ = threads.map(lambda part: _differs(part, film, files), _parts(frames))
        if any(differ):
            raise StitchError(f"{name} is not what was written to it.", remedy=CLIPS_SAFE)


def _parts(
    frames: Sequence[tuple[int, int, Payload]],
) -> Iterable[Sequence[tuple[int, int, Payload]]]:
    return (frames[first : first + BATCH] for first in range(0, len(frames), BATCH))


def _differs(
    frames: Iterable[tuple[int, int, Payload]], film: Path, files: Mapping[Path, BinaryIO]
) -> bool:
    """Read at a position: the threads share the files."""
    there = files[film].fileno()
    for position, size, wanted in frames:
        if size != wanted.size:
            return True
        held = os.pread(there, size, position)
        if wanted.source:
            source = files[wanted.source].fileno()
            if held != os.pread(source, size, wanted.position):
                return True
        elif md5(held, usedforsecurity=False).digest() != wanted.digest:
            return True
    return False
