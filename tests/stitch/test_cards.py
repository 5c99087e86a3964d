"""Words in the film: cards, slates and captions, where and for as long as they should be."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.errors import RefusedError, ShotreelError
from blocks.files import sha256_file
from blocks.providers.base import Quote
from flows.commands.plan import titles_of
from flows.planning.film_order import film_order
from flows.planning.plan import Line, Plan
from flows.run.context import Clip as Stored
from flows.shots import read_shots
from flows.shots.job import jobs_of
from flows.stitch import Begin, Card, Finish, Item
from flows.stitch.assemble import film_items, sequence_items
from flows.stitch.card import caption_picture, card_picture
from flows.stitch.lettering import LINE, fitted, width_of

from .conftest import X264, assert_clock_is_right, frames_of, pictures_of, shoot
from .test_seams import HALF, clip_of, coded, drawn, made

TITLE = Card("title", "title", Fraction(3), heading="The Keeper of the Light", opens=True)
FINE = {**X264, "crf": "8"}


def slate(begins: Begin | None = None) -> Card:
    words = ("storm/020", "A wave breaks", "The service refused the prompt.")
    return Card("slate", words[0], Fraction(3, 2), *words, begins=begins)


def test_cards_stand_before_and_after_the_clips(tmp_path: Path) -> None:
    clip = coded(tmp_path, 0)
    film = made(tmp_path, [TITLE, clip_of(clip, None, opens=True), TITLE])
    assert [span.name for span in film.stitched.timeline.spans] == ["title", "0", "title"]
    assert [span.num_frames for span in film.stitched.timeline.spans] == [72, 36, 72]
    assert film.copied() == [(72, 1, 0, 36)]
    assert_clock_is_right(film.path)
    light = pictures_of(film.path, "gray").max(axis=(1, 2))
    # It comes up from black and goes there.
    assert light[0] < 20 < 150 < light[36] and light[71] < 60


def test_a_sequences_title_stands_before_it_in_its_file_and_in_the_film(tmp_path: Path) -> None:
    """The copies beside it are untouched, and both are made of the same pieces."""
    rows = "sea,a,x,,\nsea,b,y,The Sea,\nland,c,z,The Land,dissolve\nland,d,w,,\n"
    shots = read_shots("sequence,shot,prompt,sequence_title,transition\n" + rows)
    price = Quote(Decimal(4), Decimal("0.08"), date(2026, 11, 21), "price_rule")
    plan = Plan(tuple(Line(job, price, "buy") for job in jobs_of(shots, {}, live=False)))
    assert titles_of(plan) == {"sea": "The Sea", "land": "The Land"}
    clips = [coded(tmp_path, n) for n in range(4)]
    outcomes: dict[str, Stored | ShotreelError] = {
        line.job.fingerprint: Stored(line.job.fingerprint, "", sha256_file(clip), 36, clip)
        for line, clip in zip(plan.lines, clips, strict=True)
    }
    finish = Finish(title="All of it")

    items = film_items(plan, outcomes, finish)
    assert items
    film = made(tmp_path, items, finish)
    spans = film.stitched.timeline.spans
    assert [(span.name, span.start, span.num_frames) for span in spans] == [
        ("title", 0, 72),
        ("title of sea", 72, 72),
        ("sea/a", 144, 36),
        ("sea/b", 180, 36),
        ("title of land", 216, 72),
        ("land/c", 288, 36),
        ("land/d", 324, 36),
    ]
    shown = frames_of(film.path)
    assert len(shown) == assert_clock_is_right(film.path) == 360
    for span, clip in zip([s for s in spans if s.clip], clips, strict=True):
        assert shown[span.start : span.end] == frames_of(clip), "a copy, bit for bit"
    light = pictures_of(film.path, "gray").max(axis=(1, 2))
    assert (light[[72, 216]] < 20).all() and (light[[108, 252]] > 150).all()

    pieces = drawn(tmp_path)
    assert len(pieces) == 3
    for name, begin, end in (("sea", 72, 216), ("land", 216, 360)):
        parts = sequence_items(film_order(plan)[name], outcomes, finish)
        assert parts
        alone = made(tmp_path, parts, finish.of_sequence())
        assert alone.stitched.num_frames == end - begin
        assert frames_of(alone.path) == shown[begin:end]
    assert drawn(tmp_path) == pieces

    refused = {key: RefusedError("no") for key in outcomes}
    nothing = film_items(plan, refused, Finish(on_missing="skip"))
    assert nothing == [], "a title of nothing is not shown"


def test_a_slate_stands_for_its_shot_and_passes_into_the_next(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(2)]
    film = made(tmp_path, [clip_of(clips[0]), slate(HALF), clip_of(clips[1])])
    spans = film.stitched.timeline.spans
    assert [(span.name, span.num_frames) for span in spans][1] == ("storm/020", 36)
    assert (spans[1].clip, spans[1].sha256) == (None, None)
    assert film.stitched.num_frames == 3 * 36 - 24
    assert (film.stitched.copied, film.stitched.rendered) == (1, 1)


def test_a_caption_is_burnt_in_and_the_rest_of_the_picture_is_not_touched(tmp_path: Path) -> None:
    clip = shoot(tmp_path / "clip.mp4", size=(640, 360), num_frames=12, options=FINE)
    film = made(tmp_path, [clip_of(clip, None, caption="Far out at sea")])
    shown, source = (pictures_of(path, "gray").astype(int) for path in (film.path, clip))
    plate = caption_picture("Far out at sea", 640, 360)[..., 3] > 0
    difference = np.abs(shown - source).mean(axis=0)
    assert difference[~plate].mean() < 2.5
    assert difference[plate].mean() > 40
    rows, columns = np.flatnonzero(plate.any(axis=1)), np.flatnonzero(plate.any(axis=0))
    assert 360 * 0.6 < rows[0] <= rows[-1] <= 360 * 0.95
    assert columns[0] + columns[-1] == pytest.approx(639, abs=2)


@pytest.mark.parametrize("grey", [20, 128, 235])
def test_a_caption_can_be_read_on_any_picture(grey: int) -> None:
    """White on its plate: at least 7 to 1, as the guidelines for reading ask for."""
    plate = caption_picture("Words", 640, 360).astype(float)
    inside = plate[..., 3] > 0
    alpha = plate[..., 3:][inside] / 255
    shown = (plate[..., :3][inside] * alpha + grey * (1 - alpha)).mean(axis=1) / 255
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    assert (linear.max() + 0.05) / (np.median(linear) + 0.05) > 7


SIZES = [(1280, 720), (720, 1280), (960, 960), (192, 112)]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200), st.sampled_from(SIZES))
def test_no_text_leaves_the_safe_area(text: str, size: tuple[int, int]) -> None:
    width, height = size
    caption = caption_picture(text, width, height)[..., 3] > 0
    card = card_picture(Card("slate", "s", Fraction(1), text, text, text), width, height)
    paper = card[0, 0].astype(int)
    written = np.abs(card.astype(int) - paper).max(axis=2) > 8
    for words in (caption, written):
        rows, columns = np.flatnonzero(words.any(axis=1)), np.flatnonzero(words.any(axis=0))
        if rows.size:
            assert height * 0.04 <= rows[0] <= rows[-1] <= height * 0.96
            assert width * 0.04 <= columns[0] <= columns[-1] <= width * 0.96


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120), st.booleans())
def test_lines_fit_where_they_are_to_stand(text: str, balanced: bool) -> None:
    words = fitted(text, 300, 120, (30, 24, 18), balanced=balanced)
    assert words.size in (30, 24, 18)
    assert len(words.lines) * words.size * LINE <= 120
    assert all(width_of(line, words.size, words.weight) <= 301 for line in words.lines)


def test_long_lines_are_alike_in_length() -> None:
    words = fitted("The storm came in from the west that night", 500, 200, (30,), balanced=True)
    short, long = sorted(width_of(line, 30, "Regular") for line in words.lines)
    assert short > 0.6 * long


@pytest.mark.parametrize("fit", ["pad", "crop", "blur"])
def test_a_clip_of_another_shape_is_fitted_as_it_was_chosen(tmp_path: Path, fit: str) -> None:
    lead = shoot(tmp_path / "lead.mp4", size=(320, 180), num_frames=24)
    square = shoot(
        tmp_path / "square.mp4", size=(120, 120), num_frames=6, options=FINE, luma=lambda _: 200
    )
    finish = Finish.model_validate({"fit": fit})
    items: list[Item] = [clip_of(lead, None), clip_of(square, None)]
    picture = pictures_of(made(tmp_path, items, finish).path, "gray")[27].astype(int)
    middle, edges = picture[:, 80:-80].mean(), np.concatenate([picture[:, :60], picture[:, -60:]])
    assert middle > 205
    if fit == "pad":
        assert edges.max() < 12
    elif fit == "crop":
        assert edges.min() > 205
    else:
        assert 60 < edges.min() <= edges.max() < 150


def test_another_fit_draws_only_the_clips_that_it_concerns(tmp_path: Path) -> None:
    lead = coded(tmp_path, 0, 48)
    other = shoot(tmp_path / "other.mp4", size=(112, 112), num_frames=12)
    items: list[Item] = [clip_of(lead, None), clip_of(lead), clip_of(other, None)]
    made(tmp_path, items)
    before = {path.name for path in (tmp_path / "cache" / "segments").iterdir()}
    made(tmp_path, items, Finish(fit="crop"))
    after = {path.name for path in (tmp_path / "cache" / "segments").iterdir()}
    assert len(after - before) == 1
