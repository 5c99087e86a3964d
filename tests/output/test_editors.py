"""The cut in other programs' formats, read back by OpenTimelineIO: the same cuts, to the frame."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.output.editors import ADAPTERS, Suffix, Written, editors_of, is_installed
from flows.output.otio import otio_of
from flows.stitch.timeline import Span, Timeline, Transition
from tests.output.conftest import needs
from tests.output.test_otio import ranges, row, span

otio = needs("opentimelineio")
pytestmark = pytest.mark.skipif(not is_installed(), reason="needs the extra editors")

NTSC = (Fraction(24_000, 1001), Fraction(30_000, 1001))
CARD: dict[str, Any] = {"clip": None, "sha256": None, "clip_frames": 0}
OUT = Path("/films/Über Nacht/out")
FILM = (
    span("title", 0, 48, **CARD),
    span("a/1", 48, 24, has_audio=True),
    span("a/2", 60, 24, has_audio=True, begins=Transition("dissolve", 12)),
    span("b/1", 84, 30),
    span("b/2", 109, 24, begins=Transition("wipe", 5)),
    span("b/3", 125, 24, begins=Transition("fade", 8)),
)
ROWS = [row("a", "1"), row("a", "2"), row("b", "1", 30), row("b", "2"), row("b", "3")]


def written(
    *spans: Span, rows: list[dict[str, Any]], rate: Fraction = Fraction(24)
) -> tuple[Written, Any]:
    """The files, and the timeline that they are of."""
    cut = otio_of("list", "film.mp4", Timeline(rate, 1280, 720, spans), rows)
    return editors_of(cut, OUT), otio.adapters.read_from_string(json.dumps(cut), "otio_json")


def read(text: str, suffix: Suffix, rate: Fraction = Fraction(24)) -> Any:
    more = {"rate": float(rate)} if suffix == "edl" else {}
    found = otio.adapters.read_from_string(text, ADAPTERS[suffix], **more)
    return found if isinstance(found, otio.schema.Timeline) else found.find_children()[0]


def pictures(timeline: Any) -> Any:
    [track] = [track for track in timeline.tracks if track.kind == "Video"]
    return track


def transitions(track: Any) -> list[tuple[str, int, int]]:
    return [
        (each.name, int(each.in_offset.value), int(each.out_offset.value))
        for each in track
        if isinstance(each, otio.schema.Transition)
    ]


@pytest.mark.parametrize("suffix", ["fcpxml", "xml"])
def test_every_cut_is_where_the_timeline_has_it(suffix: Suffix) -> None:
    found, timeline = written(*FILM, rows=ROWS)
    again = read(found.texts[suffix], suffix)
    assert ranges(pictures(again)) == ranges(timeline.tracks[0])
    [sound] = [track for track in again.tracks if track.kind == "Audio"]
    assert ranges(sound) == ranges(timeline.tracks[1])
    assert found.left_out == ()


def test_premieres_file_has_every_transition_by_its_name() -> None:
    found, timeline = written(*FILM, rows=ROWS)
    again = pictures(read(found.texts["xml"], "xml"))
    assert (
        transitions(again)
        == transitions(timeline.tracks[0])
        == [
            ("Cross Dissolve", 6, 6),
            ("Wipe", 2, 3),
            ("Dip To Black", 4, 4),
        ]
    )


def test_fcpxml_says_which_transitions_it_does_not_have() -> None:
    found, _ = written(*FILM, rows=ROWS)
    assert transitions(pictures(read(found.texts["fcpxml"], "fcpxml"))) == []
    assert "2.mp4: Wipe of 5 frames: a cut in its middle" in found.texts["fcpxml"]
    assert "Wipe of 5 frames: a cut" not in found.texts["xml"]


def test_edl_has_dissolves_and_says_what_else_there_was() -> None:
    found, _ = written(*FILM, rows=ROWS)
    edl = found.texts["edl"]
    # An EDL's event begins where its dissolve does.
    assert ranges(pictures(read(edl, "edl"))) == [
        ("title", 0, 48, 0),
        ("1.mp4", 48, 60, 0),
        ("2.mp4", 60, 84, 0),
        ("1.mp4", 84, 111, 0),
        ("2.mp4", 111, 129, 2),
        ("3.mp4", 129, 149, 4),
    ]
    assert [line.split()[3:5] for line in edl.splitlines() if " D " in line] == [["D", "012"]]
    assert "* Wipe of 5 frames: a cut in its middle" in edl
    assert "* Dip To Black of 8 frames: a cut in its middle" in edl
    events = [line.split() for line in edl.splitlines() if line[:3].isdigit()]
    reels = [event[1] for event in events]
    assert len(set(reels)) == 6, "no two clips share a reel, though their shots share a name"
    assert all(len(reel) == 8 for reel in reels)


def test_media_are_where_the_film_is() -> None:
    path = "clips/Nacht/100% #1? ä 二.mp4"
    found, _ = written(span("Nacht/x", 0, 24), rows=[row("Nacht", "x", path=path)])
    for suffix in ("xml", "fcpxml"):
        [clip] = read(found.texts[suffix], suffix).find_clips()
        assert clip.media_reference.target_url == (OUT / path).as_uri()


def test_picture_has_its_size() -> None:
    found, _ = written(*FILM, rows=ROWS)
    assert 'width="1280" height="720"' in found.texts["fcpxml"]
    assert "<width>1280</width><height>720</height>" in found.texts["xml"]


def test_rate_that_a_format_does_not_have_is_said() -> None:
    found, _ = written(*FILM, rows=ROWS, rate=Fraction(16))
    assert found.texts == {}
    assert len(found.left_out) == 3
    assert "no 16 frames a second" in found.left_out[0]
    assert set(written(*FILM, rows=ROWS, rate=NTSC[0])[0].texts) == {"xml", "edl"}


def test_speed_is_in_the_edl_and_said_where_a_format_does_not_have_it() -> None:
    cut = otio_of("list", "film.mp4", Timeline(Fraction(24), 1280, 720, FILM), ROWS)
    for index, speed in ((3, -1.0), (4, 2.0)):  # clips, without the transitions between them
        clips = [c for c in cut["tracks"]["children"][0]["children"] if "media_references" in c]
        clips[index]["effects"] = [
            {"OTIO_SCHEMA": "LinearTimeWarp.1", "effect_name": "LinearTimeWarp"}
            | {"metadata": {}, "name": "", "enabled": True, "time_scalar": speed}
        ]
    found = editors_of(cut, OUT)
    assert set(found.texts) == set(ADAPTERS)
    clips = list(pictures(read(found.texts["edl"], "edl")).find_clips())
    speeds = [[effect.time_scalar for effect in clip.effects] for clip in clips]
    assert speeds == [[], [], [], [], [2.0], []]
    [event] = [line for line in found.texts["edl"].splitlines() if line.startswith("005")]
    source_in, source_out, record_in, record_out = event.split()[-4:]
    assert (record_in, record_out) == ("00:00:04:15", "00:00:05:09"), "18 frames are seen"
    assert (source_in, source_out) == ("00:00:00:02", "00:00:01:14"), "of 36"
    assert "* speed -1.0" in found.texts["edl"]
    for suffix in ("xml", "fcpxml"):
        assert "2.mp4: speed 2.0" in found.texts[suffix]
        assert ranges(pictures(read(found.texts[suffix], suffix))) == ranges(
            otio.adapters.read_from_string(json.dumps(cut), "otio_json").tracks[0]
        )


def spine(text: str, rate: Fraction) -> list[tuple[str, int, int, int]]:
    """As `ranges`. The adapter reads with floats and rounds down: at 30 frames a second 41/10 s are
    122 frames to it."""

    def frames(time: str | None) -> int:
        at = Fraction((time or "0s").removesuffix("s")) * rate
        assert at.denominator == 1, "it lies on a frame"
        return int(at)

    found = []
    for clip in ElementTree.fromstring(text).iterfind(".//spine/clip"):
        start, num_frames = frames(clip.get("offset")), frames(clip.get("duration"))
        found.append((clip.get("name", ""), start, start + num_frames, frames(clip.get("start"))))
    return found


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(13, 400), min_size=1, max_size=8),
    shares=st.lists(st.integers(0, 6), min_size=8, max_size=8),
    rate=st.sampled_from([*map(Fraction, (24, 25, 30, 50, 60)), *NTSC]),
)
def test_cuts_of_any_film_are_read_back_to_the_frame(
    lengths: list[int], shares: list[int], rate: Fraction
) -> None:
    spans: list[Span] = []
    for index, (length, share) in enumerate(zip(lengths, [0, *shares], strict=False)):
        begins = Transition("dissolve", share) if share else None
        start = spans[-1].end - share if spans else 0
        spans.append(span(f"a/{index}", start, length, begins=begins))
    rows = [row("a", str(i), n) for i, n in enumerate(lengths)]
    found, timeline = written(*spans, rows=rows, rate=rate)
    assert {"xml", "edl"} <= set(found.texts)
    cuts = ranges(timeline.tracks[0])
    assert ranges(pictures(read(found.texts["xml"], "xml", rate))) == cuts
    if "fcpxml" in found.texts:
        assert spine(found.texts["fcpxml"], rate) == cuts
        if rate == 24:
            assert ranges(pictures(read(found.texts["fcpxml"], "fcpxml"))) == cuts
    # In an EDL a clip ends where the next one's dissolve begins.
    events = ranges(pictures(read(found.texts["edl"], "edl", rate)))
    starts = [each.start for each in spans]
    ends = [*starts[1:], spans[-1].end]
    assert [(start, end) for _, start, end, _ in events] == list(zip(starts, ends, strict=True))
    assert [first for *_, first in events] == [0] * len(spans)
