"""What is heard in the film: the clips, and the music under them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.stitch.sound import duck
from flows.stitch.sound.clips import Clips
from flows.stitch.sound.held import BLOCK, Held, blocks_of
from flows.stitch.sound.music import Music
from flows.stitch.sound.source import Samples, sample_at
from flows.stitch.timeline import Timeline


@dataclass(frozen=True)
class Bed:
    """Music, how much louder than its file, and from which level of the clips on it is ducked."""

    path: Path
    gain_db: float
    duck_at_db: float


class Mix:
    """The timeline's sound, for any range of samples; quick and small when read in order.

    A few seconds are held. Raises ClipError that names the shot, StitchError that names the music,
    where its sound cannot be decoded.
    """

    def __init__(self, timeline: Timeline, bed: Bed | None = None) -> None:
        self.num_samples = sample_at(timeline.num_frames, timeline.rate)
        self._clips = Clips(timeline)
        self._bed = bed
        self._music = Music(bed.path, self.num_samples) if bed else None
        self._held = Held(self._block)

    @property
    def is_silent(self) -> bool:
        """Whether there is neither music nor a clip with sound."""
        return self._bed is None and self._clips.are_silent

    def samples(self, start: int, stop: int) -> Samples:
        """From sample `start` up to `stop`; silence before and after the film."""
        return self._held.samples(start, stop)

    def blocks(self) -> Iterator[Samples]:
        """The whole film, a second at a time."""
        return blocks_of(self.samples, self.num_samples)

    def close(self) -> None:
        self._clips.close()
        if self._music:
            self._music.close()

    def _block(self, block: int) -> Samples:
        start = block * BLOCK
        clips = self._clips.samples(start, start + BLOCK)
        if self._bed is None or self._music is None or not 0 <= start < self.num_samples:
            return clips
        music = self._music.samples(start, start + BLOCK)
        gain = 10 ** (self._bed.gain_db / 20)
        if not self._clips.are_silent:
            first, last = start // duck.STEP, (start + BLOCK) // duck.STEP
            around = self._clips.samples(
                (first - duck.BEFORE) * duck.STEP, (last + duck.AFTER) * duck.STEP
            )
            music *= duck.gains_of(duck.levels_of(around), self._bed.duck_at_db)
        music *= gain
        mixed: Samples = clips + music
        return mixed
