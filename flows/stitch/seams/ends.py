"""How a clip begins and ends: the pictures that meet at a seam, and whether they stand still."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from pydantic import TypeAdapter

from blocks.errors import ClipError
from blocks.files import replacing
from blocks.media.colour import upright_rgb
from blocks.media.probe import open_media, picture_stream

# Raise it when the same clip would be measured otherwise.
VERSION = 1

# Pictures are compared this small: means stay what they are, and grain is averaged away.
COLUMNS, ROWS = 64, 36
# Frames at either end that are looked at one by one: half a second of most clips.
WINDOW = 12

Small = NDArray[np.float32]
"""Y', Cb and Cr (BT.709, in levels of 0 to 255), each ROWS x COLUMNS; Cb and Cr around 0."""

YCC_OF_RGB = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])
RGB_OF_YCC = np.linalg.inv(YCC_OF_RGB)


@dataclass(frozen=True)
class Picture:
    """`mean` and `spread` (standard deviation) of Y', Cb and Cr; `luma` is the small picture, a
    byte for each of its pixels, in base64."""

    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    luma: str

    def change_to(self, other: Picture) -> float:
        """The mean change of luma, in levels."""
        here, there = (
            np.frombuffer(b64decode(picture.luma), np.uint8).astype(np.int16)
            for picture in (self, other)
        )
        return float(abs(there - here).mean())


@dataclass(frozen=True)
class Ends:
    """`changes` are the mean changes of luma from each frame to the next, in levels: those after
    the first frame, and those before the last; WINDOW of each at most."""

    first: Picture
    last: Picture
    changes_first: tuple[float, ...]
    changes_last: tuple[float, ...]


_ENDS: TypeAdapter[Ends] = TypeAdapter(Ends)


def ends_of(path: Path, sha256: str, cache: Path) -> Ends:
    """Kept in `cache` by the clip's SHA-256. Raises ClipError where it cannot be decoded."""
    if known := known_ends(sha256, cache):
        return known
    ends = measured(path)
    with replacing(_note(sha256, cache)) as part:
        part.write_bytes(_ENDS.dump_json(ends))
    return ends


def known_ends(sha256: str, cache: Path) -> Ends | None:
    try:
        return _ENDS.validate_json(_note(sha256, cache).read_bytes())
    except (OSError, ValueError):
        return None


def _note(sha256: str, cache: Path) -> Path:
    return cache / "ends" / f"{sha256}.v{VERSION}.json"


def measured(path: Path) -> Ends:
    """Decodes all that the last frames need: 0.3 s for four seconds of 720p. Raises ClipError."""
    try:
        with open_media(path) as container:
            smalls = dict(_smalls(container, path.name))
    except (av.FFmpegError, OSError) as error:
        raise ClipError(f"{path.name} cannot be decoded: {error.strerror or error}.") from error
    if not smalls:
        raise ClipError(f"{path.name} has no picture.")
    places = sorted(smalls)
    changes = {
        late: round(float(abs(smalls[late][0] - smalls[early][0]).mean()), 4)
        for early, late in pairwise(places)
        if late == early + 1
    }
    last = places[-1]
    return Ends(
        _picture(smalls[places[0]]),
        _picture(smalls[last]),
        tuple(change for place, change in changes.items() if place <= WINDOW),
        tuple(change for place, change in changes.items() if place > last - WINDOW),
    )


def _smalls(container: InputContainer, name: str) -> Iterator[tuple[int, Small]]:
    """The frames at either end, by their place when shown."""
    stream = picture_stream(container, name)
    stream.thread_count = 1
    packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    times = sorted(packet.pts or 0 for packet in packets)
    places = {pts: place for place, pts in enumerate(times)}
    wanted = {*times[: WINDOW + 1], *times[-WINDOW - 1 :]}
    container.seek(0, stream=stream, backward=True)
    stream.codec_context.flush_buffers()
    for packet in container.demux(stream):
        # What no other frame refers to need not be decoded to get to the end.
        skipped = packet.pts is not None and packet.pts not in wanted
        stream.codec_context.skip_frame = "NONREF" if skipped else "DEFAULT"
        for frame in packet.decode():
            if isinstance(frame, VideoFrame) and frame.pts in wanted:
                yield places[frame.pts or 0], _small(frame)


def _small(frame: VideoFrame) -> Small:
    picture = upright_rgb(frame, COLUMNS, ROWS, "AREA")
    return np.asarray(np.einsum("ij,rcj->irc", YCC_OF_RGB, picture), np.float32)


def _picture(small: Small) -> Picture:
    y, cb, cr = (float(part.mean()) for part in small)
    spread = tuple(float(part.std()) for part in small)
    luma = np.clip(np.rint(small[0]), 0, 255).astype(np.uint8)
    return Picture(
        (y, cb, cr), (spread[0], spread[1], spread[2]), b64encode(luma.tobytes()).decode()
    )
