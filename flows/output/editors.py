"""The cut for programs that do not read OpenTimelineIO: FCPXML, Premiere's XML, a CMX 3600 EDL.

OpenTimelineIO's own adapters (the extra `editors`) write them from the timeline beside them. What a
format, or its adapter, has no words for is said in the file itself:

    film.fcpxml  no transitions (the cut stands in their middle), no speed
    film.xml     transitions by their names; no speed
    film.edl     the picture alone; dissolves, and speed forwards, not both at one cut

A film whose rate has no time code (16 frames a second) has none of them, one of 23.976 or 29.97 no
FCPXML. Media are named by absolute URLs: these formats know no paths relative to the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote
from xml.etree import ElementTree

Json = dict[str, Any]
Suffix = Literal["fcpxml", "xml", "edl"]

# Raise it when the same timeline would be written otherwise.
VERSION = 1

ADAPTERS: dict[Suffix, str] = {"fcpxml": "fcpx_xml", "xml": "fcp_xml", "edl": "cmx_3600"}
PACKAGES = ("opentimelineio", "otio_fcpx_xml_adapter", "otio_fcp_adapter", "otio_cmx3600_adapter")

# The adapter's own table; it reads 1001/24000 s as 23 frames a second, so NTSC's are left out.
FCPX_RATES = (24, 25, 30, 50, 60)
EDL_TRANSITIONS = ("SMPTE_Dissolve",)
REEL_CHARS = 8


def is_installed() -> bool:
    return all(find_spec(name) for name in PACKAGES)


@dataclass(frozen=True)
class Written:
    """`texts` by the end of the file's name; `left_out` says why another is not written."""

    texts: dict[Suffix, str]
    left_out: tuple[str, ...]


def editors_of(timeline: Json, out: Path) -> Written:
    """The files' texts. `timeline` is `film.otio`, whose media are in the folder `out`."""
    import opentimelineio as otio

    facts = timeline["metadata"]["shotreel"]
    size = (facts["width"], facts["height"])
    rate = float(timeline["global_start_time"]["rate"])
    texts: dict[Suffix, str] = {}
    left_out = []
    for suffix, adapter in ADAPTERS.items():
        if not _has_rate(suffix, rate):
            left_out.append(f"film.{suffix} is not written: it has no {rate:g} frames a second")
            continue
        cut = otio.adapters.read_from_string(json.dumps(timeline), "otio_json")
        _name_media(cut, out, facts["num_frames"])
        notes = [note for track in cut.tracks for note in _simplify(track, suffix)]
        try:
            text = otio.adapters.write_to_string(cut, adapter)
        except Exception as error:  # noqa: BLE001 - every adapter has its own; the cut is in OTIO
            left_out.append(f"film.{suffix} is not written: {type(error).__name__}: {error}")
            continue
        texts[suffix] = (
            _as_long_as_seen(text, rate)
            if suffix == "edl"
            else _sized(text, size, list(dict.fromkeys(notes)))
        )
    return Written(texts, tuple(left_out))


def _has_rate(suffix: Suffix, rate: float) -> bool:
    import opentimelineio as otio

    if suffix == "fcpxml":
        return rate in FCPX_RATES
    with suppress(ValueError):
        return bool(otio.opentime.to_timecode(otio.opentime.RationalTime(0, rate), rate))
    return False


def _name_media(cut: Any, out: Path, num_frames: int) -> None:
    """Absolute URLs, a length for the film itself, and one reel for each medium."""
    import opentimelineio as otio

    whole = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, cut.global_start_time.rate),
        otio.opentime.RationalTime(num_frames, cut.global_start_time.rate),
    )
    reels: dict[str, str] = {}
    for clip in cut.find_clips():
        url = clip.media_reference.target_url
        reel = reels.setdefault(url, f"R{len(reels) + 1:0{REEL_CHARS - 1}}")
        clip.metadata["cmx_3600"] = {"reel": reel}
        for medium in clip.media_references().values():
            medium.target_url = (out.absolute() / unquote(medium.target_url)).as_uri()
            if medium.available_range is None:
                medium.available_range = whole


def _simplify(track: Any, suffix: Suffix) -> Iterator[str]:
    """Take out what the format cannot say; where the cut then stands, the clips' ranges say."""
    import opentimelineio as otio

    for index in reversed(range(len(track))):
        child = track[index]
        if isinstance(child, otio.schema.Transition):
            if not _has_transition(suffix, track[index - 1 : index + 2]):
                frames = int(child.in_offset.value + child.out_offset.value)
                told = f"{child.name} of {frames} frames: a cut in its middle"
                yield _at(track[index + 1], told)
                track.pop(index)
        elif not _has_speed(suffix, child):
            speeds = [f"speed {getattr(effect, 'time_scalar', '')}" for effect in child.effects]
            yield _at(child, ", ".join(speeds))
            child.effects.clear()


def _has_transition(suffix: Suffix, between: Sequence[Any]) -> bool:
    """An EDL's dissolve has no words for the speed of its two sides."""
    before, transition, after = between
    dissolves = transition.transition_type in EDL_TRANSITIONS
    at_speed = before.effects or after.effects
    return suffix == "xml" or (suffix == "edl" and dissolves and not at_speed)


def _has_speed(suffix: Suffix, clip: Any) -> bool:
    """Whether the format says how quickly it runs. Backwards, the EDL's adapter cannot say."""
    return (suffix == "edl" and all(getattr(e, "time_scalar", 0) > 0 for e in clip.effects)) or (
        not clip.effects
    )


def _as_long_as_seen(edl: str, rate: float) -> str:
    """The adapter divides what is seen of a clip by its speed; at twice the speed it is twice as
    much of the source."""
    import opentimelineio as otio

    lines = edl.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("M2 "):
            speed = float(line.split()[-2]) / rate
            *event, source_in, _, record_in, record_out = lines[number - 1].rsplit(maxsplit=4)
            first, begin, end = (
                otio.opentime.from_timecode(each, rate)
                for each in (source_in, record_in, record_out)
            )
            last = first + otio.opentime.RationalTime(round((end - begin).value * speed), rate)
            source_out = otio.opentime.to_timecode(last, rate)
            lines[number - 1] = " ".join([*event, source_in, source_out, record_in, record_out])
    return "\n".join(lines)


def _at(clip: Any, told: str) -> str:
    """In an EDL it is a comment of its event."""
    comments = clip.metadata.get("cmx_3600", {}).get("comments", [])
    if clip.metadata.get("cmx_3600") is not None:
        clip.metadata["cmx_3600"]["comments"] = [*comments, told]
    return f"{clip.name}: {told}"


def _sized(text: str, size: tuple[int, int], notes: list[str]) -> str:
    """With the picture's size, which the adapters leave out, and what could not be said."""
    width, height = map(str, size)
    root = ElementTree.fromstring(text)  # noqa: S314 - the adapter has just written it
    for form in root.iter("format"):
        if root.tag == "fcpxml":
            form.set("width", width)
            form.set("height", height)
            form.attrib.pop("name", None)  # one of Apple's names, and only those
        else:
            samples = ElementTree.SubElement(form, "samplecharacteristics")
            ElementTree.SubElement(samples, "width").text = width
            ElementTree.SubElement(samples, "height").text = height
    kind = "fcpxml" if root.tag == "fcpxml" else "xmeml"
    said = "".join(f"<!-- {note.replace('--', '- -')} -->\n" for note in notes)
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE {kind}>\n'
    return head + said + ElementTree.tostring(root, encoding="unicode") + "\n"
