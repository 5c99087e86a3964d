"""The film's sound as AAC in its MP4."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from flows.stitch.sound.source import SAMPLE_RATE, Samples

BIT_RATE = 192_000
_PACKET = 1024  # samples
_BLOCK = SAMPLE_RATE


def packets_in(num_samples: int) -> int:
    """How many packets a track of this length has at most, priming included."""
    return num_samples // _PACKET + 3


class SoundTrack:
    """One AAC stream in stereo, encoded once from first to last, so that no seam has priming.

    The encoder's own priming stands before 0, where the MP4's edit list hides it. `samples` gives
    the sound from one sample up to another; it is asked in order.
    """

    def __init__(self, container: OutputContainer, samples: Callable[[int, int], Samples]) -> None:
        self._stream: AudioStream = container.add_stream(
            "aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=BIT_RATE
        )
        self._samples = samples
        self._at = 0

    def until(self, stop: int) -> list[Packet[AudioStream]]:
        """Go on up to sample `stop`."""
        packets: list[Packet[AudioStream]] = []
        while self._at < stop:
            block = self._samples(self._at, min(self._at + _BLOCK, stop))
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(block), format="fltp", layout="stereo"
            )
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._at
            frame.time_base = Fraction(1, SAMPLE_RATE)
            packets += self._stream.encode(frame)
            self._at += block.shape[1]
        return packets

    def end(self) -> list[Packet[AudioStream]]:
        return self._stream.encode(None)
