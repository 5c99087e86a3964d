"""The timeline, read by OpenTimelineIO: its frame ranges are the film's."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.output.otio import otio_of
from flows.stitch import Clip
from flows.stitch.timeline import Span, Timeline, Transition, TransitionKind
from tests.output.conftest import needs
from tests.stitch.making import stitch

otio = needs("opentimelineio")


def row(sequence: str, shot: str, num_frames: int | None = 24, **changes: Any) -> dict[str, Any]:
    """A shot as the manifest has it."""
    take = changes.get("take", 1)
    facts: dict[str, Any] = {
        "sequence": sequence,
        "shot": shot,
        "take": take,
        "state": "stored",
        "model": "fal-ai/magi-distilled",
        "fingerprint": "f" * 64,
        "inputs": {"prompt": f"The sea, {shot}", "num_inference_steps": 16},
        "seed": 7,
        "request_id": "r-1",
        "units": "4",
        "cost_usd": "0.32",
        "cost_source": "provider",
        "sha256": f"{sequence}/{shot}/{take}",
        "num_frames": num_frames,
        "duration_s": num_frames and num_frames / 24,
        "path": f"clips/{sequence}/{shot}.mp4",
    }
    return facts | changes


def span(name: str, start: int, num_frames: int, **changes: Any) -> Span:
    """A shot that is seen whole, as take 1."""
    facts: dict[str, Any] = {
        "clip": Path("/store/clip"),
        "sha256": f"{name}/1",
        "clip_frames": num_frames,
    }
    return Span(name, start, num_frames, **(facts | changes))


def opened(*spans: Span, rows: list[dict[str, Any]], rate: Fraction = Fraction(24)) -> Any:
    written = json.dumps(otio_of("list", "film.mp4", Timeline(rate, 640, 360, spans), rows))
    return otio.adapters.read_from_string(written, "otio_json")


def ranges(track: Any) -> list[tuple[str, int, int, int]]:
    """(name, from, up to, first frame of the medium) of each clip of a track, in frames."""
    found = []
    for clip in track:
        if isinstance(clip, otio.schema.Clip):
            place = clip.trimmed_range_in_parent()
            start = int(place.start_time.value)
            first = int(clip.source_range.start_time.value)
            found.append((clip.name, start, start + int(place.duration.value), first))
    return found


def test_straight_cuts_are_the_films_frames(tmp_path: Path, clips: list[Clip]) -> None:
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache")
    rows = [row("storm", c.path.stem, 12, sha256=c.sha256) for c in clips]
    timeline = opened(*film.timeline.spans, rows=rows)
    video, audio = timeline.tracks
    assert timeline.duration() == otio.opentime.RationalTime(film.num_frames, 24)
    assert ranges(video) == [
        ("rock.mp4", 0, 12, 0),
        ("wave.mp4", 12, 24, 0),
        ("boat.mp4", 24, 36, 0),
    ]
    assert ranges(audio) == [("wave.mp4", 12, 24, 0)]
    assert audio.duration().value in (24, 36)
    assert (video.kind, audio.kind) == ("Video", "Audio")


def test_a_dissolve_keeps_every_frame_of_both_shots() -> None:
    timeline = opened(
        span("a/1", 0, 24),
        span("a/2", 12, 24, begins=Transition("dissolve", 12)),
        span("a/3", 31, 24, begins=Transition("dissolve", 5)),
        rows=[row("a", shot) for shot in "123"],
    )
    video = timeline.tracks[0]
    assert timeline.duration().value == 55
    assert ranges(video) == [("1.mp4", 0, 18, 0), ("2.mp4", 18, 33, 6), ("3.mp4", 33, 55, 2)]
    transitions = [each for each in video if isinstance(each, otio.schema.Transition)]
    assert [t.transition_type for t in transitions] == ["SMPTE_Dissolve"] * 2
    assert [(t.in_offset.value, t.out_offset.value) for t in transitions] == [(6, 6), (2, 3)]
    # As importers show it, each clip reaches over the cut by the transition's frames: its own.
    shown = [clip.trimmed_range_in_parent() for clip in video.find_clips()]
    assert shown[0].end_time_exclusive().value + 6 == 24
    assert shown[1].start_time.value - 6 == 12


def test_trims_and_speeds_are_told() -> None:
    timeline = opened(
        span("a/1", 0, 24, clip_start=12, clip_frames=96),
        span("a/2", 24, 48, clip_frames=96, speed=Fraction(2)),
        span("a/3", 72, 24, clip_frames=48),
        rows=[row("a", shot) for shot in "123"],
    )
    clips = list(timeline.tracks[0].find_clips())
    assert ranges(timeline.tracks[0])[0] == ("1.mp4", 0, 24, 12)
    assert clips[0].media_reference.available_range.duration.value == 96
    [warp] = clips[1].effects
    assert isinstance(warp, otio.schema.LinearTimeWarp)
    assert warp.time_scalar == 2
    assert [list(clip.effects) for clip in (clips[0], clips[2])] == [[], []]
    assert timeline.duration().value == 96


@pytest.mark.parametrize("kind", ["fade", "wipe", "slide"])
def test_other_transitions_keep_their_place_and_their_name(kind: TransitionKind) -> None:
    timeline = opened(
        span("a/1", 0, 24),
        span("a/2", 16, 24, begins=Transition(kind, 8)),
        rows=[row("a", "1"), row("a", "2")],
    )
    transition = timeline.tracks[0][1]
    assert transition.transition_type == "Custom_Transition"
    assert transition.metadata["shotreel"] == {"transition": kind, "num_frames": 8}
    assert timeline.duration().value == 40


@given(
    lengths=st.lists(st.integers(13, 200), min_size=1, max_size=12),
    shares=st.lists(st.integers(0, 6), min_size=12, max_size=12),
    rate=st.sampled_from([Fraction(24), Fraction(30_000, 1001), Fraction(24_000, 1001)]),
    heard=st.integers(0, 2**12),
)
def test_every_frame_is_somebodys_once(
    lengths: list[int], shares: list[int], rate: Fraction, heard: int
) -> None:
    spans: list[Span] = []
    for index, (length, share) in enumerate(zip(lengths, [0, *shares], strict=False)):
        spans.append(
            span(
                f"a/{index}",
                spans[-1].end - share if spans else 0,
                length,
                begins=Transition("dissolve", share) if share else None,
                has_audio=bool(heard >> index & 1),
            )
        )
    timeline = opened(*spans, rows=[row("a", str(i), n) for i, n in enumerate(lengths)], rate=rate)
    for track in timeline.tracks:
        at = 0
        for child in track:
            if isinstance(child, otio.schema.Transition):
                assert child.in_offset.value + child.out_offset.value > 0
                continue
            place = child.trimmed_range_in_parent()
            assert (place.start_time.value, place.start_time.rate) == (at, float(rate))
            at += int(place.duration.value)
            if isinstance(child, otio.schema.Clip):
                own = child.media_reference.available_range
                assert own.clamped(child.source_range) == child.source_range
        assert at == spans[-1].end


def test_facts_and_other_takes_travel_with_the_clip() -> None:
    rows = [
        row("a", "1", path="clips/a/1.t1.mp4"),
        row("a", "1", take=2, seed=8, num_frames=30, path="clips/a/1.t2.mp4"),
        row("a", "1", take=3, state="failed", sha256=None, num_frames=None, path=None),
    ]
    clip = opened(span("a/1", 0, 24), rows=rows).tracks[0][0]
    facts = clip.metadata["shotreel"]
    assert facts["prompt"] == "The sea, 1"
    assert (facts["seed"], facts["request_id"], facts["cost_usd"]) == (7, "r-1", "0.32")
    assert (facts["units"], facts["cost_source"], facts["take"]) == ("4", "provider", 1)
    assert [take["seed"] for take in facts["other_takes"]] == [8, 7]
    media = clip.media_references()
    assert set(media) == {"DEFAULT_MEDIA", "take 2"}
    assert media["take 2"].target_url == "clips/a/1.t2.mp4"
    assert media["take 2"].available_range.duration.value == 30
    assert clip.media_reference.target_url == "clips/a/1.t1.mp4"


def test_a_card_is_taken_from_the_film_and_a_missing_shot_keeps_its_facts() -> None:
    card = {"clip": None, "sha256": None, "clip_frames": 0}
    timeline = opened(
        span("title", 0, 48, **card),
        span("a/1", 48, 24),
        span("a/2.t1", 72, 24, **card),
        span("title of b", 96, 72, title_of="b", **card),
        span("b/1", 168, 24),
        span("end title", 192, 48, **card),
        rows=[
            row("a", "1"),
            row("b", "1"),
            row("a", "2", state="refused", sha256=None, num_frames=None, path=None),
        ],
    )
    title, _, slate, *_ = timeline.tracks[0]
    assert (title.name, title.media_reference.target_url) == ("title", "film.mp4")
    assert title.metadata["shotreel"] == {"card": "title"}
    assert slate.media_reference.target_url == "film.mp4"
    assert slate.source_range.start_time.value == 72
    assert slate.metadata["shotreel"]["state"] == "refused"
    places = [(m.name, m.marked_range) for m in timeline.tracks.markers]
    assert [(name, at.start_time.value, at.duration.value) for name, at in places] == [
        ("a", 48, 48),
        ("b", 96, 96),
    ]


def test_shots_that_share_a_clip_keep_their_names() -> None:
    rows = [row("a", "1", sha256="x"), row("a", "2", sha256="x"), row("a", "3", sha256="x")]
    spans = [span("a/1", 24 * i, 24, sha256="x") for i in range(3)]
    assert [name for name, *_ in ranges(opened(*spans, rows=rows).tracks[0])] == [
        "1.mp4",
        "2.mp4",
        "3.mp4",
    ]


def test_a_name_that_looks_like_a_url_is_still_a_path() -> None:
    from opentimelineio.url_utils import filepath_from_url

    path = "clips/Nacht/100% #1? ä 二.mp4"
    clip = opened(span("Nacht/x", 0, 24), rows=[row("Nacht", "x", path=path)]).tracks[0][0]
    assert filepath_from_url(clip.media_reference.target_url) == path
    assert clip.name == "100% #1? ä 二.mp4"


def test_the_library_writes_what_we_wrote() -> None:
    spans = (span("a/1", 0, 24), span("a/2", 12, 24, begins=Transition("wipe", 12), has_audio=True))
    rows = [row("a", "1"), row("a", "2"), row("a", "2", take=2)]
    written = otio_of("list", "film.mp4", Timeline(Fraction(24), 640, 360, spans), rows)
    again = otio.adapters.read_from_string(json.dumps(written)).to_json_string()

    def without_what_is_new(values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if (key, value) != ("color", None)}

    assert json.loads(again, object_hook=without_what_is_new) == written
