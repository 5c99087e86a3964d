"""A part of a clip's sound at another speed, its pitch as it was."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as Hungry
from av.error import EOFError as Ended
from av.filter import Graph

from flows.stitch.sound.source import SAMPLE_RATE, Runs, Samples, SoundFile, clip_sound

# In one step atempo goes from half to twice the speed without leaving samples out.
_STEP = 2
_BLOCK = 4 * SAMPLE_RATE


def retimed_sound(
    path: Path, name: str, in_s: Fraction, out_s: Fraction, speed: Fraction
) -> SoundFile:
    """The seconds from `in_s` up to `out_s`, `speed` times as quick; below 0 backwards.

    Sample 0 is the first that is heard. Raises ClipError.
    """
    source = clip_sound(path, name)
    start, stop = round(in_s * SAMPLE_RATE), round(out_s * SAMPLE_RATE)
    return SoundFile(lambda: _retimed(source, start, stop, speed), source.trouble)


def _retimed(source: SoundFile, start: int, stop: int, speed: Fraction) -> Runs:
    blocks = _backwards(source, start, stop) if speed < 0 else _forwards(source, start, stop)
    at = 0
    try:
        for samples in _at_tempo(blocks, abs(speed)):
            yield at, samples
            at += samples.shape[1]
    finally:
        source.close()


def _forwards(source: SoundFile, start: int, stop: int) -> Iterator[Samples]:
    for begin in range(start, stop, _BLOCK):
        yield source.read(begin, min(begin + _BLOCK, stop))


def _backwards(source: SoundFile, start: int, stop: int) -> Iterator[Samples]:
    for end in range(stop, start, -_BLOCK):
        yield source.read(max(end - _BLOCK, start), end)[:, ::-1]


def _at_tempo(blocks: Iterator[Samples], speed: Fraction) -> Iterator[Samples]:
    if speed == 1:
        yield from blocks
        return
    graph = Graph()
    entry = graph.add_abuffer(
        sample_rate=SAMPLE_RATE, format="fltp", layout="stereo", time_base=Fraction(1, SAMPLE_RATE)
    )
    last = entry
    for factor in _factors(float(speed)):
        tempo = graph.add("atempo", f"{factor:.9f}")
        last.link_to(tempo)
        last = tempo
    planes, sink = graph.add("aformat", "sample_fmts=fltp"), graph.add("abuffersink")
    last.link_to(planes)
    planes.link_to(sink)
    graph.configure()
    at = 0
    for block in blocks:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, at
        frame.time_base = Fraction(1, SAMPLE_RATE)
        at += block.shape[1]
        graph.push(frame)
        yield from _ready(graph)
    graph.push(None)
    yield from _ready(graph)


def _ready(graph: Graph) -> Iterator[Samples]:
    while True:
        try:
            frame = graph.pull()
        except (Hungry, Ended):
            return
        assert isinstance(frame, AudioFrame)
        yield np.asarray(frame.to_ndarray(), np.float32)


def _factors(speed: float) -> list[float]:
    """Steps that make the speed together."""
    factors = []
    while speed > _STEP:
        factors.append(float(_STEP))
        speed /= _STEP
    while speed < 1 / _STEP:
        factors.append(1 / _STEP)
        speed *= _STEP
    return [*factors, speed]
