"""Seams are measured on pictures whose light, colour and movement are known."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import ClipError
from flows.output.seams_table import csv_of, row_of, words_of
from flows.stitch.seams import Ends, Match, Seam, ends_of, match_of, seams_of
from flows.stitch.seams.ends import Picture, measured
from flows.stitch.timeline import Span, Timeline, Transition

from .conftest import remade
from .scenes import film_clip, scene


def seam_of(first: Ends, second: Ends, **more: object) -> Seam:
    spans = (
        Span("a/1", 0, 30, Path("1"), "1"),
        replace(Span("a/2", 30, 30, Path("2"), "2"), **more),  # type: ignore[arg-type]
    )
    (seam,) = seams_of(Timeline(Fraction(24), 192, 128, spans), {"1": first, "2": second})
    return seam


@pytest.fixture(scope="module")
def panning(tmp_path_factory: pytest.TempPathFactory) -> Ends:
    folder = tmp_path_factory.mktemp("panning")
    return measured(film_clip(folder / "a.mp4", lambda index: scene(2 * index)))


@pytest.mark.parametrize(("light", "tint"), [(0, 0), (10, 0), (-7, 0), (0, 6), (9, -5)])
def test_steps_of_light_and_colour_are_measured(
    tmp_path: Path, panning: Ends, light: int, tint: int
) -> None:
    goes_on = film_clip(tmp_path / "b.mp4", lambda i: scene(2 * (30 + i), light, tint))
    seam = seam_of(panning, measured(goes_on), continues=True)
    assert seam.luma_step == pytest.approx(light, abs=0.7)
    assert seam.colour_step == pytest.approx(abs(tint), abs=0.7)
    assert seam.frozen == 0
    assert seam.is_notable == bool(light or tint)
    hard_cut = seam_of(panning, measured(goes_on))
    assert not hard_cut.is_notable


@pytest.mark.parametrize("held", [0, 1, 3, 5])
def test_frozen_frames_are_counted(tmp_path: Path, panning: Ends, held: int) -> None:
    """At the end of one shot, at the joint, and at the beginning of the next."""
    stops = film_clip(tmp_path / "a.mp4", lambda i: scene(2 * min(i, 29 - held)))
    rests = film_clip(tmp_path / "b.mp4", lambda i: scene(2 * (29 + max(0, i - held))))
    goes_on = film_clip(tmp_path / "c.mp4", lambda i: scene(2 * (30 + i)))
    at_end = seam_of(
        measured(stops), measured(film_clip(tmp_path / "d.mp4", lambda i: scene(70 + 2 * i)))
    )
    assert at_end.frozen == held
    at_start = seam_of(panning, measured(rests), begins=Transition("dissolve", 4))
    assert at_start.frozen == held
    # The shot's first picture is the last of the one before, shown once too often.
    assert seam_of(panning, measured(rests)).frozen == held + 1
    assert seam_of(panning, measured(goes_on)).frozen == 0
    assert at_end.is_notable == (held >= 3)


def test_a_still_shot_is_not_frozen(tmp_path: Path, panning: Ends) -> None:
    still = measured(film_clip(tmp_path / "still.mp4", lambda _: scene()))
    for pair in ((still, still), (still, panning), (panning, still)):
        assert seam_of(*pair).frozen == 0


def test_cards_have_no_seams(panning: Ends) -> None:
    spans = (Span("a/1", 0, 30, Path("1"), "1"), Span("slate", 30, 30), Span("a/3", 60, 30))
    assert seams_of(Timeline(Fraction(24), 192, 128, spans), {"1": panning}) == []


def test_ends_are_measured_once(tmp_path: Path) -> None:
    clip = film_clip(tmp_path / "a.mp4", lambda index: scene(2 * index))
    first = ends_of(clip, "a" * 64, tmp_path)
    clip.unlink()
    assert ends_of(clip, "a" * 64, tmp_path) == first
    with pytest.raises(ClipError, match=r"a\.mp4 cannot be decoded"):
        ends_of(clip, "b" * 64, tmp_path)


def test_a_clip_of_one_frame_has_ends(tmp_path: Path) -> None:
    one = measured(film_clip(tmp_path / "one.mp4", lambda _: scene(), num_frames=1))
    assert one.first == one.last
    assert one.changes_first == one.changes_last == ()
    assert seam_of(one, one).frozen == 0


@pytest.mark.parametrize("name", ["b.webm", "b.mkv"])
def test_ends_of_other_containers_are_the_same(tmp_path: Path, panning: Ends, name: str) -> None:
    clip = film_clip(tmp_path / "a.mp4", lambda index: scene(2 * index))
    codec = (
        ["-c:v", "libvpx-vp9", "-crf", "12", "-b:v", "0"] if name == "b.webm" else ["-c", "copy"]
    )
    other = measured(remade(clip, name, *codec))
    assert other.last.mean == pytest.approx(panning.last.mean, abs=1)
    assert len(other.changes_last) == len(panning.changes_last) == 12
    assert np.mean(other.changes_last) == pytest.approx(np.mean(panning.changes_last), rel=0.05)


def picture(y: float, cb: float, cr: float, spread: float = 30) -> Picture:
    return Picture((y, cb, cr), (spread, spread / 2, spread / 2), "")


def ends(first: Picture, last: Picture | None = None) -> Ends:
    return Ends(first, last or first, (), ())


def matched(before: Ends, after: Ends, *, continues: bool = True, shared: int = 0) -> Match | None:
    return match_of(
        before,
        after,
        begins=Transition("dissolve", shared) if shared else None,
        continues=continues,
        num_frames=96,
        rate=Fraction(24),
    )


def test_a_hard_cut_is_never_corrected() -> None:
    assert matched(ends(picture(100, 0, 0)), ends(picture(110, 3, 0)), continues=False) is None


def test_what_is_not_seen_and_what_is_another_scene_stay() -> None:
    here = ends(picture(100, 0, 0))
    assert matched(here, ends(picture(101.5, 1.5, 0))) is None
    assert matched(here, ends(picture(150, 0, 0))) is None
    assert matched(here, ends(picture(100, 20, 0)), continues=False, shared=12) is None


def test_a_match_takes_the_light_of_the_shot_before_and_lets_go() -> None:
    before = picture(100, 2, -1, spread=24)
    after = picture(110, -3, 1, spread=30)
    match = matched(ends(before), ends(after))
    assert match
    for channel in range(3):
        there, gain = after.mean[channel], match.gain[channel]
        assert there * gain + match.offset[channel] == pytest.approx(before.mean[channel], abs=0.01)
        assert after.spread[channel] * gain == pytest.approx(before.spread[channel], rel=0.01)
    weights = [match.weight(index) for index in range(match.num_frames + 1)]
    assert weights[0] == 1
    assert weights[-1] == 0
    assert weights == sorted(weights, reverse=True)
    # No step on the way: less than a level from frame to frame.
    assert max(10 * (a - b) for a, b in pairwise(weights)) < 1


def test_a_dissolve_changes_no_contrast() -> None:
    match = matched(ends(picture(100, 0, 0, 20)), ends(picture(110, 0, 0, 40)), shared=12)
    assert match
    dissolve = matched(
        ends(picture(100, 0, 0, 20)), ends(picture(110, 0, 0, 40)), continues=False, shared=48
    )
    assert dissolve
    assert dissolve.gain == (1, 1, 1)
    assert dissolve.num_frames == 48


@given(
    st.tuples(*[st.floats(-14, 14)] * 3),
    st.integers(0, 100),
    st.integers(0, 2**32 - 1),
)
def test_a_matched_picture_has_the_mean_that_it_should(
    step: tuple[float, float, float], index: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(80, 170, (6, 8, 3), dtype=np.uint8)
    match = Match((1.0, 1.0, 1.0), step, 48)
    out = match.applied(pixels, index)
    luma = np.array([0.2126, 0.7152, 0.0722])
    moved = float(((out - pixels.astype(float)) @ luma).mean())
    assert moved == pytest.approx(step[0] * match.weight(index), abs=0.6)
    if index >= 48:
        assert np.array_equal(out, pixels)


def test_a_corrected_shot_has_no_step(tmp_path: Path, panning: Ends) -> None:
    raw = [scene(2 * (30 + i), 10, -4) for i in range(60)]
    after = measured(film_clip(tmp_path / "b.mp4", lambda i: raw[i], num_frames=60))
    match = matched(panning, after)
    assert match
    corrected = [match.applied(each, i) for i, each in enumerate(raw)]
    again = measured(film_clip(tmp_path / "c.mp4", lambda i: corrected[i], num_frames=60))
    seam = seam_of(panning, again, continues=True)
    assert abs(seam.luma_step) < 1
    assert seam.colour_step < 1
    assert np.array_equal(corrected[-1], raw[-1])


def told(after: str, **more: object) -> Seam:
    facts: dict[str, object] = {
        "frame": 96,
        "kind": "cut",
        "continues": True,
        "luma_step": 0.0,
        "colour_step": 0.0,
        "frozen": 0,
    }
    return Seam("a/1", after, **{**facts, **more})  # type: ignore[arg-type]


def test_the_closing_line_names_the_worst_seam() -> None:
    quiet = [told("a/2"), told("a/3", luma_step=4.9, frozen=2)]
    assert words_of(quiet) == ""
    assert words_of([]) == ""
    step = told("a/4", luma_step=12.04, colour_step=1.5)
    stop = told("a/5", frozen=4, continues=False, luma_step=90.0)
    assert words_of([*quiet, step, stop]) == (
        "2 of 4 to look at; the worst is a/1 to a/4: luma +12.0, colour 1.5 of 255"
    )
    assert words_of([*quiet, stop]) == (
        "1 of 3 to look at; the worst is a/1 to a/5: 4 frames stand still"
    )


def test_a_corrected_seam_is_told_and_not_a_fault() -> None:
    match = Match((1.0, 1.0, 1.0), (-12.0, 0.0, 0.5), 36)
    seam = told("a/2", luma_step=12.0, match=match)
    assert not seam.is_notable
    assert words_of([seam]) == "1 of 1 matched"
    assert row_of(seam)["matched"] == "Y x1-12.0 Cb x1+0.0 Cr x1+0.5"
    assert row_of(seam)["matched_frames"] == 36


def test_the_table_of_seams_is_safe_in_a_spreadsheet() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of([told("=cmd()", luma_step=-7.0)]))))
    assert rows[0]["after"] == "'=cmd()"
    assert rows[0]["luma_step"] == "-7.0"
    assert rows[0]["notable"] == rows[0]["continues"] == "yes"
