"""Whatever clips are put together: every frame of the film is in one segment, and copies are such
that decoders can take them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.media.probe import MediaInfo
from flows.stitch import Begin, Card, Clip, EditList, Item, edit_list
from flows.stitch.edit import num_frames_of

PLACE = Path("clip.mp4")
KINDS = ("dissolve", "fade", "wipe", "slide")
# The configuration record of an x264 clip at 192x112.
RECORD = bytes.fromhex(
    "0164000bffe100176764000bacd9430fa1000003000100000300300f14299601000468ef8fcbfdf8f800"
)


@st.composite
def infos(draw: st.DrawFn) -> MediaInfo:
    num_frames = draw(st.integers(1, 60))
    closed = draw(st.sets(st.integers(1, num_frames), max_size=20)) | {num_frames}
    keyframes = draw(st.sets(st.sampled_from(sorted(closed | {0})), max_size=4)) | {0}
    return MediaInfo(
        codec="h264",
        profile="High",
        pix_fmt="yuv420p",
        width=draw(st.sampled_from([192, 192, 192, 320])),
        height=112,
        rate=draw(st.sampled_from([Fraction(24), Fraction(24), Fraction(24_000, 1001)])),
        num_frames=num_frames,
        rotation=0,
        sample_aspect=Fraction(1),
        colour=(1, 1, 1, 1),
        time_base=Fraction(1, 12_288),
        extradata=RECORD,
        spliceable=True,
        reorder_frames=2,
        audio=None,
        keyframes=tuple(sorted(k for k in keyframes if k < num_frames)),
        closed=tuple(sorted(closed)),
    )


begins = st.none() | st.builds(
    Begin, st.sampled_from(KINDS), st.fractions(Fraction(1, 100), Fraction(3), max_denominator=100)
)
clips = st.builds(
    Clip,
    st.just(PLACE),
    st.just("sha"),
    info=infos(),
    begins=begins,
    opens=st.booleans(),
    caption=st.sampled_from(["", "", "", "words"]),
)
cards = st.builds(
    Card,
    st.just("slate"),
    st.just("card"),
    st.fractions(Fraction(1, 24), Fraction(3)),
    begins=begins,
    opens=st.booleans(),
)
films = st.lists(clips | clips | clips | cards, min_size=1, max_size=8).filter(
    lambda items: any(isinstance(item, Clip) for item in items)
)


def seen(edit: EditList) -> list[tuple[tuple[int, int], ...]]:
    """For each frame of the film what is seen in it: (item, its frame), one or two."""
    frames: list[tuple[tuple[int, int], ...]] = []
    for segment in edit.segments:
        assert segment.start == len(frames)
        assert segment.num_frames > 0
        for run in segment.runs:
            both = [shown for shown in (run.after, run.shown) if shown]
            assert len(both) == 1 or run.transition
            frames += [tuple((s.item, s.first + n) for s in both) for n in range(run.num_frames)]
    return frames


@settings(max_examples=150, deadline=None)
@given(films)
def test_every_frame_is_in_the_film_once_and_in_order(items: list[Item]) -> None:
    edit = edit_list(items)
    expected: list[tuple[tuple[int, int], ...]] = [()] * edit.num_frames
    for index, (item, place) in enumerate(zip(items, edit.places, strict=True)):
        assert place.num_frames == num_frames_of(item, edit.format.rate)
        for n in range(place.num_frames):
            expected[place.start + n] += ((index, n),)
    assert seen(edit) == expected


@settings(max_examples=150, deadline=None)
@given(films)
def test_transitions_are_shared_with_the_item_before_and_no_longer_than_asked(
    items: list[Item],
) -> None:
    edit = edit_list(items)
    end = 0
    for index, (item, place) in enumerate(zip(items, edit.places, strict=True)):
        assert place.start == end - place.shared
        end = place.start + place.num_frames
        wanted_s = item.begins.duration_s if item.begins else Fraction(0)
        frames = wanted_s * edit.format.rate + Fraction(1, 2)
        most = max(Fraction(1), frames) if wanted_s else Fraction(0)
        assert place.shared + place.from_black <= most
        if index == 0 or item.opens:
            assert not place.shared
            assert not place.from_black or (item.begins and item.begins.kind == "fade")
        else:
            assert not place.from_black
        # Its own beginning and the next one's do not meet.
        beyond = edit.places[index + 1].shared if index + 1 < len(items) else 0
        assert place.shared + place.from_black + beyond <= place.num_frames
    assert edit.num_frames == end


@settings(max_examples=150, deadline=None)
@given(films)
def test_a_copy_begins_at_a_keyframe_and_ends_where_its_packets_are_closed(
    items: list[Item],
) -> None:
    edit = edit_list(items)
    for segment in edit.segments:
        if segment.kind == "render":
            continue
        [run] = segment.runs
        item = items[run.shown.item]
        assert isinstance(item, Clip)
        assert item.info
        assert run.transition is None
        assert not item.caption
        assert run.shown.first in item.info.keyframes
        assert run.shown.first + run.num_frames in item.info.closed


@settings(max_examples=100, deadline=None)
@given(films, st.data())
def test_a_segment_shows_one_item_or_one_seam(items: list[Item], data: st.DataObject) -> None:
    """So another clip concerns its own segment and two seams."""
    edit = edit_list(items)
    changed = data.draw(st.integers(0, len(items) - 1))
    concerned = [segment for segment in edit.segments if changed in segment.items]
    assert all(len(segment.items) <= 2 for segment in edit.segments)
    drawn = [segment for segment in concerned if segment.kind == "render"]
    assert sum(len(segment.items) == 2 for segment in drawn) <= 2
    alone = [segment for segment in drawn if len(segment.items) == 1]
    # Its own: what comes up from black, then the rest of it.
    assert len(alone) <= 2
