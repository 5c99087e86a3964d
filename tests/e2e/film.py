"""What a video file really shows."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def frames_of(*paths: Path) -> list[str]:
    """A digest of each decoded frame, as they are shown when one file follows another."""
    digests: list[str] = []
    for path in paths:
        with av.open(str(path)) as container:
            digests += (
                hashlib.sha256(np.ascontiguousarray(frame.to_ndarray()).tobytes()).hexdigest()
                for frame in container.decode(video=0)
            )
    return digests


def size_of(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height


def assert_clock_is_right(path: Path, rate: int = 24) -> None:
    """The file starts at 0 and shows a frame every 1/`rate` second."""
    with av.open(str(path)) as container:
        assert container.start_time == 0
        stream = container.streams.video[0]
        assert stream.start_time == 0
        times = [
            Fraction(frame.pts or 0) * (frame.time_base or 0) for frame in container.decode(stream)
        ]
    assert times == [Fraction(index, rate) for index in range(len(times))]


def assert_film_is_its_clips(out: Path, manifest: dict[str, Any]) -> None:
    """Frame for frame, in the manifest's order; for lists without takes or clips to fit."""
    clips = [out / shot["path"] for shot in manifest["shots"] if shot["path"]]
    assert frames_of(out / "film.mp4") == frames_of(*clips)
