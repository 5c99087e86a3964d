"""The sound of one file, read in order and a little at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from blocks.errors import ClipError, ShotreelError, StitchError
from blocks.media.probe import first_shown_s, open_media, sound_stream
from blocks.media.sound import open_sound

SAMPLE_RATE = 48_000
_ROUNDING_S = Fraction(1, 1000)

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
        self.trouble = trouble
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
            raise self.trouble(error.message.rstrip(".")) from error
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self.trouble(getattr(error, "strerror", None) or str(error)) from error


def voice_sound(path: Path, name: str) -> SoundFile:
    """A sound file that is heard beside a shot; sample 0 is its first. Raises StitchError."""

    def trouble(why: str) -> StitchError:
        return StitchError(
            f"The audio of {name}, {path.name}, cannot be decoded: {why}.",
            remedy="The clips are safe. Give another sound file, or none.",
        )

    return SoundFile(lambda: _file_runs(path), trouble)


def _file_runs(path: Path) -> Runs:
    with open_sound(path) as source:
        yield from runs_of(source)


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
        zero_s = first_shown_s(source, path.name)
    with open_media(path) as source:
        yield from runs_of(source, zero_s)


def runs_of(source: InputContainer, zero_s: Fraction | None = None) -> Runs:
    """The sound stream, each frame where its time says: gaps stay gaps.

    Sample 0 is heard at `zero_s` of the file; None: comes first.
    """
    stream = sound_stream(source)
    if stream is None:
        raise ClipError("it has no sound stream.")
    # Mono stays mono until it is doubled: libav's own upmix makes it quieter.
    layout = "mono" if stream.channels == 1 else "stereo"
    # What MKV's clock of milliseconds rounds off is no gap.
    slack_s = _ROUNDING_S + 2 * Fraction(stream.time_base or 0)
    at = 0
    due_s: Fraction | None = None
    resampler = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
    for frame in _frames(source, stream):
        begins_s = due_s
        if frame is not None and frame.pts is not None:
            begins_s = frame.pts * Fraction(frame.time_base or 1)
        if frame is not None and begins_s is not None:
            zero_s = begins_s if zero_s is None else zero_s
            if due_s is None or abs(begins_s - due_s) > slack_s:
                # What the resampler holds belongs before the gap.
                for samples in _resampled(resampler, None) if due_s is not None else ():
                    yield at, samples
                resampler = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
                at, due_s = round((begins_s - zero_s) * SAMPLE_RATE), begins_s
            due_s += Fraction(frame.samples, frame.sample_rate or SAMPLE_RATE)
        for samples in _resampled(resampler, frame):
            yield at, samples
            at += samples.shape[1]


def _frames(source: InputContainer, stream: AudioStream) -> Iterator[AudioFrame | None]:
    """None at the end."""
    for packet in source.demux(stream):
        yield from stream.decode(packet)
    yield None


def _resampled(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    for part in resampler.resample(frame):
        samples = np.asarray(part.to_ndarray(), np.float32)
        yield np.broadcast_to(samples, (2, part.samples))
