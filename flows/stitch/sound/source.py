"""The sound of one file, read in order and a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from blocks.errors import ClipError
from blocks.media import open_media

SAMPLE_RATE = 48_000

Samples = NDArray[np.float32]
"""2 x samples at 48 kHz, full scale at 1."""


def sample_at(frame: int, rate: Fraction) -> int:
    """The sample that is heard when a frame appears; from the film's start, so nothing adds up."""
    return round(frame * SAMPLE_RATE / rate)


def silence(num_samples: int) -> Samples:
    return np.zeros((2, num_samples), np.float32)


class SoundFile:
    """A clip's sound; sample 0 is heard with its first frame, silence is before and after.

    Holds what was asked for last; going back decodes from the start again. Raises ClipError where
    it cannot be decoded.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._runs: Iterator[tuple[int, Samples]] = iter(())
        self._held: list[tuple[int, Samples]] = []
        self._from: int | None = None
        self._until = 0

    def read(self, start: int, stop: int) -> Samples:
        if self._from is None or start < self._from:
            self.close()
            self._runs = _decoded(self._path)
            self._held, self._until = [], start
        self._from = start
        self._held = [run for run in self._held if run[0] + run[1].shape[1] > start]
        while self._until < stop and (run := self._next()):
            at, samples = run
            self._until = at + samples.shape[1]
            if self._until > start:
                self._held.append(run)
        sound = silence(stop - start)
        for at, samples in self._held:
            begin, end = max(at, start), min(at + samples.shape[1], stop)
            if begin < end:
                sound[:, begin - start : end - start] = samples[:, begin - at : end - at]
        return sound

    def close(self) -> None:
        if close := getattr(self._runs, "close", None):
            close()

    def _next(self) -> tuple[int, Samples] | None:
        try:
            return next(self._runs, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ClipError(
                f"The sound of {self._name} cannot be decoded: "
                f"{getattr(error, 'strerror', None) or error}.",
                remedy="Fetch the clip again; it is not bought again.",
            ) from error


def _decoded(path: Path) -> Iterator[tuple[int, Samples]]:
    """Runs of samples and where each begins, counted from the first frame of the picture."""
    with open_media(path) as source:
        stream, video = source.streams.audio[0], source.streams.video[0]
        zero_s = (video.start_time or 0) * Fraction(video.time_base or 1)
        # Mono stays mono until it is doubled: libav's own upmix makes it quieter.
        layout = "mono" if stream.channels == 1 else "stereo"
        resampler = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
        at: int | None = None
        for packet in source.demux(stream):
            for frame in (*stream.decode(packet), *([None] if packet.size == 0 else [])):
                if at is None and frame is not None:
                    begins_s = (frame.pts or 0) * Fraction(frame.time_base or 1)
                    at = round((begins_s - zero_s) * SAMPLE_RATE)
                for part in resampler.resample(frame):
                    samples = np.broadcast_to(
                        np.asarray(part.to_ndarray(), np.float32), (2, part.samples)
                    )
                    yield at or 0, samples
                    at = (at or 0) + part.samples
