"""How loud each shot is heard while one passes into the next. Pure.

A crossfade has equal power: sine and cosine of a quarter turn, whose squares add up to 1, so that
two sounds that have nothing to do with each other are as loud together as either alone. A fade
through black goes through silence in its middle, as the picture does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from flows.stitch.sound.source import SAMPLE_RATE, sample_at
from flows.stitch.timeline import Span, Timeline, Transition

Gain = NDArray[np.float32]


@dataclass(frozen=True)
class Fade:
    """Over the samples from `start` up to `stop` of the film; a cut has none."""

    start: int
    stop: int
    through_silence: bool = False

    def gain_in(self, start: int, stop: int) -> Gain:
        """The gain of what begins, for a range of samples."""
        done = self._done(start, stop)
        if self.through_silence:
            done = 2 * done - 1
        return np.asarray(np.sin(np.clip(done, 0, 1) * (np.pi / 2)), np.float32)

    def gain_out(self, start: int, stop: int) -> Gain:
        """The gain of what ends."""
        done = self._done(start, stop)
        if self.through_silence:
            done = 2 * done
        return np.asarray(np.cos(np.clip(done, 0, 1) * (np.pi / 2)), np.float32)

    def _done(self, start: int, stop: int) -> NDArray[np.float64]:
        """The part of the fade that is over in the middle of each sample."""
        return (np.arange(start, stop) + 0.5 - self.start) / max(1, self.stop - self.start)


@dataclass(frozen=True)
class Part:
    """A sound in the film: heard from sample `start` up to `stop`, sample 0 at `zero`.

    It is that of the span's clip, or its voice.
    """

    index: int
    start: int
    stop: int
    zero: int
    fade_in: Fade | None
    fade_out: Fade | None
    is_voice: bool = False
    gain_db: float = 0.0

    def gain(self, start: int, stop: int) -> Gain | None:
        """None where nothing fades between these samples."""
        gain: Gain | None = None
        if self.fade_in and start < self.fade_in.stop:
            gain = self.fade_in.gain_in(start, stop)
        if self.fade_out and stop > self.fade_out.start:
            out = self.fade_out.gain_out(start, stop)
            gain = out if gain is None else gain * out
        if self.gain_db:
            factor = np.float32(10 ** (self.gain_db / 20))
            gain = np.full(stop - start, factor, np.float32) if gain is None else gain * factor
        return gain


def parts_of(timeline: Timeline) -> list[Part]:
    """The clips that have sound, and the voices; `index` is the span's."""
    rate, spans = timeline.rate, timeline.spans
    follows = [*spans[1:], None]
    parts = [
        Part(
            index,
            sample_at(span.start, rate),
            sample_at(span.end - span.still, rate),
            sample_at(span.start, rate) - _hidden(span),
            _fade_in(span, rate),
            _fade(after.begins, after.start, rate) if after else None,
        )
        for index, (span, after) in enumerate(zip(spans, follows, strict=True))
        if span.has_audio and span.clip
    ]
    return parts + [part for part in _voices(timeline) if part.start < part.stop]


def _hidden(span: Span) -> int:
    """How many samples of its sound come before the first that is heard."""
    return round(span.in_s * SAMPLE_RATE) if span.speed == 1 else 0


def _voices(timeline: Timeline) -> Iterator[Part]:
    """Each to its own end, under whatever shots there are, or to the film's."""
    end = sample_at(timeline.num_frames, timeline.rate)
    for index, span in enumerate(timeline.spans):
        if voice := span.voice:
            start = sample_at(span.start, timeline.rate) + round(voice.at_s * SAMPLE_RATE)
            stop = min(end, start + ceil(voice.duration_s * SAMPLE_RATE))
            yield Part(index, start, stop, start, None, None, True, voice.gain_db)


def _fade_in(span: Span, rate: Fraction) -> Fade | None:
    if span.from_black and not span.begins:
        return _fade(Transition("dissolve", span.from_black), span.start, rate)
    return _fade(span.begins, span.start, rate)


def _fade(transition: Transition | None, start: int, rate: Fraction) -> Fade | None:
    if transition is None:
        return None
    end = sample_at(start + transition.num_frames, rate)
    return Fade(sample_at(start, rate), end, through_silence=transition.kind == "fade")
