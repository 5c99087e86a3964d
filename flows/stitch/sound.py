"""The film's sound: every clip's own at the sample where its first frame is, silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

from blocks.errors import ClipError
from blocks.media import open_media

SAMPLE_RATE = 48_000
BIT_RATE = 192_000
_BLOCK = 48_000

Samples = NDArray[np.float32]


class SoundTrack:
    """One AAC stream in stereo, encoded once from first to last, so that no seam has priming.

    The encoder's own priming stands before 0, where the MP4's edit list hides it.
    """

    def __init__(self, container: OutputContainer) -> None:
        self._stream: AudioStream = container.add_stream(
            "aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=BIT_RATE
        )
        self._at = 0

    def until(self, end_s: Fraction, clip: Path | None, name: str) -> list[Packet[AudioStream]]:
        """Go on to `end_s` with a clip's sound, cut or followed by silence; None is silence.

        Raises ClipError where the clip's sound cannot be decoded.
        """
        num_samples = round(end_s * SAMPLE_RATE) - self._at
        samples = (
            clip_sound(clip, num_samples, name) if clip else np.zeros((2, num_samples), np.float32)
        )
        packets: list[Packet[AudioStream]] = []
        for start in range(0, num_samples, _BLOCK):
            block = np.ascontiguousarray(samples[:, start : start + _BLOCK])
            frame = AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._at + start
            frame.time_base = Fraction(1, SAMPLE_RATE)
            packets += self._stream.encode(frame)
        self._at += num_samples
        return packets

    def end(self) -> list[Packet[AudioStream]]:
        return self._stream.encode(None)


def clip_sound(path: Path, num_samples: int, name: str) -> Samples:
    """The clip's sound from its first frame on, as 2 x `num_samples` at 48 kHz."""
    sound = np.zeros((2, num_samples), np.float32)
    try:
        for at, samples in _decoded(path):
            begin, end = max(at, 0), min(at + samples.shape[1], num_samples)
            if begin < end:
                sound[:, begin:end] = samples[:, begin - at : end - at]
    except (av.FFmpegError, OSError) as error:
        raise ClipError(
            f"The sound of {name} cannot be decoded: {error.strerror or error}.",
            remedy="Fetch the clip again; it is not bought again.",
        ) from error
    return sound


def _decoded(path: Path) -> Iterator[tuple[int, Samples]]:
    """Runs of samples and where each begins, counted from the first frame of the picture."""
    with open_media(path) as source:
        stream, video = source.streams.audio[0], source.streams.video[0]
        zero_s = (video.start_time or 0) * Fraction(video.time_base or 1)
        # Mono stays mono until it is doubled: libav's own upmix makes it quieter.
        layout = "mono" if stream.channels == 1 else "stereo"
        resampler = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
        at: int | None = None
        for frame in (*source.decode(stream), None):
            if at is None and frame is not None:
                begins_s = (frame.pts or 0) * Fraction(frame.time_base or 1)
                at = round((begins_s - zero_s) * SAMPLE_RATE)
            for part in resampler.resample(frame):
                samples = np.broadcast_to(
                    np.asarray(part.to_ndarray(), np.float32), (2, part.samples)
                )
                yield at or 0, samples
                at = (at or 0) + part.samples
