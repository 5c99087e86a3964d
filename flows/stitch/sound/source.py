"""The sound of one file, read in order and a little at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from blocks.errors import ClipError, ShotreelError
from blocks.media.probe import open_media

SAMPLE_RATE = 48_000

Samples = NDArray[np.float32]
"""2 x samples at 48 kHz, full scale at 1."""

Runs = Iterator[tuple[int, Samples]]
"""Samples as they are decoded, each run with the place of its first."""


def sample_at(frame: int, rate: Fraction) -> int:
    """The sample that is heard when a frame appears; from the film's start, so nothing adds up."""
    return round(frame * SAMPLE_RATE / rate)


def silence(num_samples: int) -> Samples:
    return np.zeros((2, num_samples), np.float32)


class SoundFile:
    """Any range of a file's sound; before and after it is silence.

    Holds what was asked for last; going back decodes from the start again. `trouble` makes the
    error that is raised where the file cannot be decoded.
    """

    def __init__(self, runs: Callable[[], Runs], trouble: Callable[[str], ShotreelError]) -> None:
        self._decoded = runs
        self._trouble = trouble
        self._runs: Runs = iter(())
        self._held: list[tuple[int, Samples]] = []
        self._from: int | None = None
        self._until = 0

    def read(self, start: int, stop: int) -> Samples:
        if self._from is None or start < self._from:
            self.close()
            self._runs = self._decoded()
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
        # What is no sound (NaN, infinity) would spread over all that it is mixed with.
        return sound if np.isfinite(sound).all() else np.nan_to_num(sound, posinf=0, neginf=0)

    def close(self) -> None:
        if close := getattr(self._runs, "close", None):
            close()

    def _next(self) -> tuple[int, Samples] | None:
        try:
            return next(self._runs, None)
        except ClipError as error:
            raise self._trouble(error.message.rstrip(".")) from error
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._trouble(getattr(error, "strerror", None) or str(error)) from error


def clip_sound(path: Path, name: str) -> SoundFile:
    """A clip's sound; sample 0 is heard with its first frame. Raises ClipError."""

    def trouble(why: str) -> ClipError:
        return ClipError(
            f"The sound of {name} cannot be decoded: {why}.",
            remedy="Fetch the clip again; it is not bought again.",
        )

    return SoundFile(lambda: _clip_runs(path), trouble)


def _clip_runs(path: Path) -> Runs:
    with open_media(path) as source:
        video = source.streams.video[0]
        yield from runs_of(source, (video.start_time or 0) * Fraction(video.time_base or 1))


def runs_of(source: InputContainer, zero_s: Fraction | None = None) -> Runs:
    """The first sound stream; sample 0 is heard at `zero_s` of the file, None: comes first."""
    stream = source.streams.audio[0]
    # Mono stays mono until it is doubled: libav's own upmix makes it quieter.
    layout = "mono" if stream.channels == 1 else "stereo"
    resampler = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
    at: int | None = None if zero_s is not None else 0
    for packet in source.demux(stream):
        for frame in (*stream.decode(packet), *([None] if packet.size == 0 else [])):
            if at is None and frame is not None and zero_s is not None:
                begins_s = (frame.pts or 0) * Fraction(frame.time_base or 1)
                at = round((begins_s - zero_s) * SAMPLE_RATE)
            for part in resampler.resample(frame):
                samples = np.asarray(part.to_ndarray(), np.float32)
                yield at or 0, np.broadcast_to(samples, (2, part.samples))
                at = (at or 0) + part.samples
