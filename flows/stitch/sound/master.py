"""A mix at its level: one gain for the whole film, its peaks under a ceiling."""

from __future__ import annotations

from dataclasses import dataclass

from flows.stitch.sound.limiter import Limiter
from flows.stitch.sound.mix import Bed, Mix
from flows.stitch.sound.source import Samples
from flows.stitch.timeline import Timeline

TRUE_PEAK_DBTP = -1.0
# Decoded AAC is a little higher than what went in. What is more than this is found by decoding it.
_AAC_DB = 0.3


@dataclass(frozen=True)
class Levels:
    """What was measured, and what follows.

    `lufs` is how loud the mix is as it comes, `reached_lufs` how loud it is with the rest of this;
    None: not measured, or silence. `ceiling_dbtp` is None where nothing is limited.
    """

    gain_db: float = 0.0
    ceiling_dbtp: float | None = None
    lufs: float | None = None
    reached_lufs: float | None = None
    bed: Bed | None = None


LIMITED_DBTP = TRUE_PEAK_DBTP - _AAC_DB


class Master:
    def __init__(self, timeline: Timeline, levels: Levels) -> None:
        self._mix = Mix(timeline, levels.bed)
        self.num_samples = self._mix.num_samples
        self._gain = 10 ** (levels.gain_db / 20)
        self._limiter = (
            Limiter(self._mix.samples, self._gain, 10 ** (levels.ceiling_dbtp / 20))
            if levels.ceiling_dbtp is not None
            else None
        )

    def samples(self, start: int, stop: int) -> Samples:
        if self._limiter:
            return self._limiter.samples(start, stop)
        sound = self._mix.samples(start, stop)
        sound *= self._gain
        return sound

    def close(self) -> None:
        self._mix.close()
