"""The clips' sound along the film: each at the sample where its first frame is, else silence."""

from __future__ import annotations

from collections import defaultdict

from flows.stitch.sound.fades import Part, parts_of
from flows.stitch.sound.held import BLOCK, Held
from flows.stitch.sound.source import Samples, SoundFile, clip_sound, silence
from flows.stitch.timeline import Timeline


class Clips:
    """One or two clips are open at a time, when read in order.

    Raises ClipError that names the shot whose sound cannot be decoded.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._parts: dict[int, list[Part]] = defaultdict(list)
        for part in parts_of(timeline):
            for block in range(part.start // BLOCK, -(-part.stop // BLOCK)):
                self._parts[block].append(part)
        self._files: dict[int, SoundFile] = {}
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
        for index in self._files.keys() - {part.index for part in parts}:
            self._files.pop(index).close()  # the reader has jumped
        for part in parts:
            begin, end = max(part.start, start), min(part.stop, start + BLOCK)
            heard = self._file(part).read(begin - part.zero, end - part.zero)
            if (gain := part.gain(begin, end)) is not None:
                heard *= gain
            sound[:, begin - start : end - start] += heard
            if part.stop <= start + BLOCK:
                self._files.pop(part.index).close()
        return sound

    def _file(self, part: Part) -> SoundFile:
        if part.index not in self._files:
            span = self._timeline.spans[part.index]
            assert span.clip is not None
            self._files[part.index] = clip_sound(span.clip, span.name)
        return self._files[part.index]
