"""The film's sound as AAC: encoded once from first to last, so that no seam has priming."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from blocks.media.probe import open_media
from flows.stitch.sound.held import blocks_of
from flows.stitch.sound.master import Master
from flows.stitch.sound.source import SAMPLE_RATE, Samples, runs_of

BIT_RATE = 320_000
# libav's "fast" coder is at such a rate the better one too, and twice as quick as its default.
# Intensity stereo would make two channels of noise one.
_CODER = {"aac_coder": "fast", "aac_is": "0"}

_PACKET = 1024  # samples


def encode(sound: Master, out: Path) -> None:
    """The whole of it as an .m4a. The encoder's priming stands before 0, hidden by an edit list."""
    # By the default clock of a thousand ticks the last samples would fall off.
    options = {"movie_timescale": str(SAMPLE_RATE)}
    with av.open(f"file:{out}", "w", format="mp4", options=options) as container:
        stream: AudioStream = container.add_stream(
            "aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=BIT_RATE, options=_CODER
        )
        at = 0
        for block in blocks_of(sound.samples, sound.num_samples):
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(block), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = SAMPLE_RATE, at
            frame.time_base = Fraction(1, SAMPLE_RATE)
            at += block.shape[1]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def is_whole(encoded: Path, num_samples: int) -> bool:
    """Raises OSError or ClipError where it cannot even be opened."""
    with open_media(encoded) as source:
        return len(source.streams.audio[0].index_entries) * _PACKET >= num_samples


def decoded(encoded: Path) -> Iterator[Samples]:
    """What a player hears."""
    with open_media(encoded) as source:
        for _, samples in runs_of(source):
            yield samples


class SoundTrack:
    """The packets of an encoded sound as a track of a film."""

    def __init__(self, encoded: Path) -> None:
        self._source = open_media(encoded)
        self._from = self._source.streams.audio[0]
        self.num_packets = len(self._from.index_entries)
        self._packets = self._source.demux(self._from)
        self._next: Packet[AudioStream] | None = None

    def join(self, film: OutputContainer) -> None:
        self._track = film.add_stream_from_template(self._from, opaque=True)
        self._next = next(self._packets)

    def until(self, sample: float = math.inf) -> list[Packet[AudioStream]]:
        """What is heard before this sample and was not given before."""
        packets = []
        while self._next and self._next.size and (self._next.pts or 0) < sample:
            self._next.stream = self._track
            packets.append(self._next)
            self._next = next(self._packets)
        return packets

    def close(self) -> None:
        self._source.close()
