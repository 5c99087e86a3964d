"""The clips' sound and the voices along the film, each at its sample, else silence."""

from __future__ import annotations

from collections import defaultdict

from flows.stitch.sound.fades import Part, parts_of
from flows.stitch.sound.held import BLOCK, Held
from flows.stitch.sound.retimed import retimed_sound
from flows.stitch.sound.source import Samples, SoundFile, clip_sound, silence, voice_sound
from flows.stitch.timeline import Span, Timeline


class Clips:
    """One or two clips are open at a time, when read in order, and the voices that are heard.

    Raises ClipError or StitchError that names the shot whose sound cannot be decoded.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._parts: dict[int, list[Part]] = defaultdict(list)
        for part in parts_of(timeline):
            for block in range(part.start // BLOCK, -(-part.stop // BLOCK)):
                self._parts[block].append(part)
        self._files: dict[tuple[int, bool], SoundFile] = {}
        self._held = Held(self._block)

    @property
    def are_silent(self) -> bool:
        """Whether none of them has sound."""
        return not self._parts

    def samples(self, start: int, stop: int) -> Samples:
        return self._held.samples(start, stop)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _block(self, block: int) -> Samples:
        sound = silence(BLOCK)
        start = block * BLOCK
        parts = self._parts.get(block, ())
        for key in self._files.keys() - {_key(part) for part in parts}:
            self._files.pop(key).close()  # the reader has jumped
        for part in parts:
            begin, end = max(part.start, start), min(part.stop, start + BLOCK)
            heard = self._file(part).read(begin - part.zero, end - part.zero)
            if (gain := part.gain(begin, end)) is not None:
                heard *= gain
            sound[:, begin - start : end - start] += heard
            if part.stop <= start + BLOCK:
                self._files.pop(_key(part)).close()
        return sound

    def _file(self, part: Part) -> SoundFile:
        key = _key(part)
        if key not in self._files:
            self._files[key] = _opened(self._timeline.spans[part.index], part.is_voice)
        return self._files[key]


def _key(part: Part) -> tuple[int, bool]:
    return part.index, part.is_voice


def _opened(span: Span, is_voice: bool) -> SoundFile:
    if is_voice:
        assert span.voice is not None
        return voice_sound(span.voice.path, span.name)
    assert span.clip is not None
    if span.speed == 1:
        return clip_sound(span.clip, span.name)
    assert span.out_s is not None
    return retimed_sound(span.clip, span.name, span.in_s, span.out_s, span.speed)
