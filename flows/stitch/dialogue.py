"""What is said in the film, timed by its cut: subtitles beside it and a text track in it. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flows.stitch.timeline import Timeline, cuts

TICKS = 1000
"""The text track's clock: as exact as subtitles are."""

# What mov_text's encoder makes the track's style from: white words at the lower edge.
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, \
Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


@dataclass(frozen=True)
class Cue:
    """Times are milliseconds of the film."""

    start: int
    end: int
    text: str


def cues_of(timeline: Timeline) -> list[Cue]:
    """A cue for each shot in which something is said, from cut to cut."""
    return [
        Cue(_ms(start, timeline.rate), _ms(end, timeline.rate), text)
        for span, (start, end) in zip(timeline.spans, cuts(timeline.spans), strict=True)
        if (text := _lines(span.dialogue)) and start < end
    ]


def srt(cues: Iterable[Cue]) -> str:
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_plain(cue.text)}\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """W3C WebVTT, where `&` and `<` begin something."""
    told = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{html.escape(cue.text, quote=False)}"
        for cue in cues
    )
    return "\n\n".join(["WEBVTT", *told]) + "\n"


def samples(cues: Sequence[Cue], end: int) -> Iterator[tuple[int, int, bytes]]:
    """(start, duration, bytes) of 3GPP timed text, without a hole from 0 to `end`."""
    at = 0
    for cue in [*cues, Cue(end, end, "")]:
        if cue.start > at:
            yield at, cue.start - at, _sample("")
        if cue.end > cue.start:
            yield cue.start, cue.end - cue.start, _sample(cue.text)
        at = cue.end


def _sample(text: str) -> bytes:
    coded = text.encode()[: 2**16 - 1]
    return len(coded).to_bytes(2, "big") + coded


def _lines(text: str) -> str:
    """Without what no reader shows; a blank line would end a cue."""
    lines = ("".join(c for c in line if c.isprintable()).strip() for line in text.splitlines())
    return "\n".join(filter(None, lines))


def _plain(text: str) -> str:
    """SRT has no escape: what its readers take for a time or a tag is written otherwise."""
    return re.sub(r"<(?=[/a-zA-Z])", "‹", text.replace("-->", "→"))


def _ms(frame: int, rate: Fraction) -> int:
    return round(frame * 1000 / rate)


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
