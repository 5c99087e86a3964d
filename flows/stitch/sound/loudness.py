"""How loud sound is: integrated loudness by EBU R 128, true peak by ITU-R BS.1770."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext

from flows.stitch.sound.source import SAMPLE_RATE, Samples

# What is quieter is silence to R 128, and so is what is shorter than one block of 400 ms.
SILENCE_LUFS = -70.0


@dataclass(frozen=True)
class Loudness:
    """`integrated_lufs` is None for silence, and for what is too short to be measured."""

    integrated_lufs: float | None
    true_peak_dbtp: float


def loudness_of(blocks: Iterable[Samples]) -> Loudness:
    """Measured by libav's ebur128, block after block."""
    graph = Graph()
    base = Fraction(1, SAMPLE_RATE)
    source = graph.add_abuffer(
        sample_rate=SAMPLE_RATE, format="fltp", layout="stereo", time_base=base
    )
    meter = graph.add("ebur128", "metadata=1:peak=true:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    found: dict[str, str] = {}
    at = 0
    for block in blocks:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, at, base
        at += block.shape[1]
        source.push(frame)
        found = _last(sink) or found
    source.push(None)
    found = _last(sink) or found
    integrated = float(found.get("lavfi.r128.I", "-inf"))
    peak = float(found.get("lavfi.r128.true_peak", 0))
    return Loudness(
        integrated if integrated > SILENCE_LUFS else None,
        20 * math.log10(peak) if peak > 0 else -math.inf,
    )


def _last(sink: FilterContext) -> dict[str, str]:
    """What the meter says up to here."""
    found: dict[str, str] = {}
    while True:
        try:
            found = dict(sink.pull().metadata) or found
        except (av.BlockingIOError, av.EOFError):
            return found
