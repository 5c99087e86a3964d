"""The film as an OpenTimelineIO timeline: what an editor opens to go on with it. Pure.

One video track and, where clips have sound, one audio track: importers take flat tracks best, so a
sequence is a marker over its shots, not a nested stack. Media are named by paths relative to the
file. Where two shots overlap, the cut stands in the middle of the overlap, and the frames on either
side of it are the transition's, so that every shot keeps its frames.

The schema is written as it is (JSON, the versions of OpenTimelineIO 0.15 and later): its library is
compiled code that not every Python has a build of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from flows.stitch.timeline import Span, Timeline, TransitionKind, cuts

Json = dict[str, Any]

# Raise it when the same film would be written otherwise.
VERSION = 1

# The only kind with a name of its own; the others' names say what they were.
_KINDS: dict[TransitionKind, tuple[str, str]] = {
    "dissolve": ("SMPTE_Dissolve", "Cross Dissolve"),
    "fade": ("Custom_Transition", "Dip To Black"),
    "wipe": ("Custom_Transition", "Wipe"),
    "slide": ("Custom_Transition", "Slide"),
}
_TAKEN = "DEFAULT_MEDIA"


@dataclass(frozen=True)
class Seen:
    """A span and what is known of it: `row` is its shot in the manifest, `others` the shot's other
    takes; None and empty for a card."""

    span: Span
    row: Mapping[str, Any] | None
    others: tuple[Mapping[str, Any], ...] = ()


def otio_of(name: str, film: str, timeline: Timeline, shots: Sequence[Mapping[str, Any]]) -> Json:
    """The timeline as JSON values. `film` is the film's path, `shots` are the manifest's rows.

    Cards are taken from the film itself, so that they look as they do there.
    """
    seen = list(matched(timeline.spans, shots))
    clock = _Clock(float(timeline.rate))
    tracks = [_track("V1", "Video", seen, clock, film)]
    if any(one.span.has_audio for one in seen):
        tracks.append(_track("A1", "Audio", seen, clock, film))
    facts = {"frame_rate": str(timeline.rate), "width": timeline.width, "height": timeline.height}
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {"shotreel": {**facts, "num_frames": timeline.num_frames, "film": film}},
        "name": name,
        "global_start_time": clock.time(0),
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "metadata": {},
            "name": "tracks",
            "source_range": None,
            "effects": [],
            "markers": _markers(seen, clock),
            "enabled": True,
            "children": tracks,
        },
    }


def matched(spans: Sequence[Span], shots: Sequence[Mapping[str, Any]]) -> Iterator[Seen]:
    """Each span with its shot: both are in the film's order, and a span may have no shot."""
    left = in_film_order(shots)
    for span in spans:
        at = next((i for i, takes in enumerate(left) if _is_of(span, takes[0])), None)
        if at is None:
            yield Seen(span, None)
            continue
        first, *others = left[at]
        left = left[at + 1 :]
        yield Seen(span, first, tuple(others))


def in_film_order(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The takes of each shot: a sequence's shots together, sequences as they first appear."""
    sequences: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        shots = sequences.setdefault(row["sequence"], {})
        shots.setdefault(row["shot"], []).append(row)
    return [takes for shots in sequences.values() for takes in shots.values()]


def _is_of(span: Span, row: Mapping[str, Any]) -> bool:
    if span.sha256 is not None:
        return bool(span.sha256 == row["sha256"])
    return re.sub(r"\.t1$", "", span.name) == f"{row['sequence']}/{row['shot']}"


class _Clock:
    """Frames at the film's rate, as OpenTimelineIO has times."""

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def time(self, frames: int) -> Json:
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": self._rate, "value": float(frames)}

    def range(self, start: int, num_frames: int) -> Json:
        return {
            "OTIO_SCHEMA": "TimeRange.1",
            "start_time": self.time(start),
            "duration": self.time(num_frames),
        }


def _track(name: str, kind: str, seen: Sequence[Seen], clock: _Clock, film: str) -> Json:
    sound = kind == "Audio"
    children: list[Json] = []
    before: Seen | None = None
    at = 0
    for number, (one, (start, end)) in enumerate(
        zip(seen, cuts([s.span for s in seen]), strict=True), 1
    ):
        if start > at:
            children.append(_gap(start - at, clock))
        heard = one.span.has_audio or not sound
        if not heard:
            children.append(_gap(end - start, clock))
        else:
            if before and before.span.end > one.span.start and one.span.begins:
                kinds = "dissolve" if sound else one.span.begins.kind
                overlap = (start - one.span.start, before.span.end - start)
                children.append(_transition(kinds, overlap, clock))
            children.append(_clip(one, start, end, clock, film, number))
        before = one if heard else None
        at = end
    return {
        "OTIO_SCHEMA": "Track.1",
        "metadata": {},
        "name": name,
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
        "children": children,
        "kind": kind,
    }


def _gap(num_frames: int, clock: _Clock) -> Json:
    return {
        "OTIO_SCHEMA": "Gap.1",
        "metadata": {},
        "name": "",
        "source_range": clock.range(0, num_frames),
        "effects": [],
        "markers": [],
        "enabled": True,
    }


def _transition(kind: TransitionKind, overlap: tuple[int, int], clock: _Clock) -> Json:
    """`overlap` is how many frames of it lie before and after the cut."""
    schema, name = _KINDS[kind]
    return {
        "OTIO_SCHEMA": "Transition.1",
        "metadata": {"shotreel": {"transition": kind, "num_frames": sum(overlap)}},
        "name": name,
        "transition_type": schema,
        "in_offset": clock.time(overlap[0]),
        "out_offset": clock.time(overlap[1]),
    }


def _clip(one: Seen, start: int, end: int, clock: _Clock, film: str, number: int) -> Json:
    """Frames `start` to `end` of the film, as frames of the clip or, for a card, of the film."""
    span, row = one.span, one.row
    if row is None or row["path"] is None or span.clip is None:
        first, media = start, {_TAKEN: _media(film, None, clock)}
        name = span.name
    else:
        first = span.clip_start + round((start - span.start) * abs(span.speed))
        num_frames = span.clip_frames or span.clip_start + span.num_frames
        media = {_TAKEN: _media(row["path"], num_frames, clock)}
        media |= {f"take {o['take']}": _other(o, clock) for o in one.others if o["path"]}
        name = PurePosixPath(row["path"]).name
    return {
        "OTIO_SCHEMA": "Clip.2",
        "metadata": {
            "shotreel": _facts(one),
            # So that picture and sound of a clip move together in DaVinci Resolve.
            **({"Resolve_OTIO": {"Link Group ID": number}} if span.has_audio else {}),
        },
        "name": name,
        "source_range": clock.range(first, end - start),
        "effects": [] if span.speed == 1 else [_speed(span)],
        "markers": [],
        "enabled": True,
        "media_references": media,
        "active_media_reference_key": _TAKEN,
    }


def _speed(span: Span) -> Json:
    return {
        "OTIO_SCHEMA": "LinearTimeWarp.1",
        "metadata": {},
        "name": "",
        "effect_name": "LinearTimeWarp",
        "enabled": True,
        "time_scalar": float(span.speed),
    }


def _other(row: Mapping[str, Any], clock: _Clock) -> Json:
    return _media(row["path"], row["num_frames"], clock)


def _media(path: str, num_frames: int | None, clock: _Clock) -> Json:
    return {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": PurePosixPath(path).name,
        "available_range": None if num_frames is None else clock.range(0, num_frames),
        "available_image_bounds": None,
        "target_url": relative_url(path),
    }


def relative_url(path: str) -> str:
    """The path; what a URL takes otherwise is escaped, and nothing else: many take it for a path"""
    return re.sub(r"[%#?]", lambda match: f"%{ord(match[0]):02X}", path)


KEPT = (
    "sequence",
    "shot",
    "take",
    "state",
    "model",
    "inputs",
    "seed",
    "request_id",
    "units",
    "cost_usd",
    "cost_source",
    "fingerprint",
    "sha256",
    "path",
)


def _facts(one: Seen) -> Json:
    """What was ordered, what came of it and what it cost."""
    if one.row is None:
        return {"card": one.span.name}
    facts = {"prompt": one.row["inputs"].get("prompt"), **{key: one.row[key] for key in KEPT}}
    if one.others:
        facts["other_takes"] = [{key: row[key] for key in KEPT} for row in one.others]
    return facts


def _markers(seen: Sequence[Seen], clock: _Clock) -> list[Json]:
    """One over each sequence with its title. Other cards belong to none."""
    placed = zip(seen, cuts([one.span for one in seen]), strict=True)
    belongs = ((one.row["sequence"] if one.row else one.span.title_of, at) for one, at in placed)
    shown = [each for each in belongs if each[0]]
    markers = []
    for name, group in groupby(shown, key=lambda each: each[0]):
        places = [place for _, place in group]
        markers.append(
            {
                "OTIO_SCHEMA": "Marker.2",
                "metadata": {},
                "name": name,
                "color": "GREEN",
                "comment": "",
                "marked_range": clock.range(places[0][0], places[-1][1] - places[0][0]),
            }
        )
    return markers
