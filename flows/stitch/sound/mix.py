"""What is heard in the film: every clip at the sample where its first frame is, else silence."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator

from flows.stitch.sound.fades import Part, parts_of
from flows.stitch.sound.source import SAMPLE_RATE, Samples, SoundFile, sample_at, silence
from flows.stitch.timeline import Timeline

BLOCK = SAMPLE_RATE
# Blocks that are held: enough to look a second back and ahead without mixing twice.
_HELD = 4


class Mix:
    """The timeline's sound, for any range of samples; quick and small when read in order.

    One or two clips are open at a time, and a few seconds are held. Raises ClipError that names
    the shot whose sound cannot be decoded.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._parts: dict[int, list[Part]] = defaultdict(list)
        for part in parts_of(timeline):
            for block in range(part.start // BLOCK, -(-part.stop // BLOCK)):
                self._parts[block].append(part)
        self._files: dict[int, SoundFile] = {}
        self._blocks: OrderedDict[int, Samples] = OrderedDict()
        self.num_samples = sample_at(timeline.num_frames, timeline.rate)

    @property
    def is_silent(self) -> bool:
        """Whether no clip has sound."""
        return not self._parts

    def samples(self, start: int, stop: int) -> Samples:
        """From sample `start` up to `stop`; silence before and after the film."""
        sound = silence(stop - start)
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            zero = block * BLOCK
            begin, end = max(start, zero), min(stop, zero + BLOCK)
            sound[:, begin - start : end - start] = self._block(block)[:, begin - zero : end - zero]
        return sound

    def blocks(self) -> Iterator[Samples]:
        """The whole film, a second at a time."""
        for start in range(0, self.num_samples, BLOCK):
            yield self.samples(start, min(start + BLOCK, self.num_samples))

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _block(self, block: int) -> Samples:
        if (held := self._blocks.get(block)) is not None:
            return held
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
        self._blocks[block] = sound
        if len(self._blocks) > _HELD:
            self._blocks.popitem(last=False)
        return sound

    def _file(self, part: Part) -> SoundFile:
        if part.index not in self._files:
            span = self._timeline.spans[part.index]
            assert span.clip is not None
            self._files[part.index] = SoundFile(span.clip, span.name)
        return self._files[part.index]
