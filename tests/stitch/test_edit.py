"""Which clips are copied and which are rendered, by what is known of them alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.media.colour import BT709
from blocks.media.probe import MediaInfo, probe
from flows.stitch import Clip, EditList, Finish, edit_list
from flows.stitch.frames import picture_size

from .conftest import shoot


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    clip = shoot(tmp_path_factory.mktemp("clip") / "clip.mp4", num_frames=24)
    return changed(probe(clip), width=1280, height=720, num_frames=96)


def changed(clip: MediaInfo, **facts: Any) -> MediaInfo:
    """The clip with other facts; where it has another length, it may be cut after each frame."""
    closed = tuple(range(1, facts["num_frames"] + 1)) if "num_frames" in facts else clip.closed
    return replace(clip, **{"closed": closed, **facts})


def plan_of(*clips: MediaInfo) -> EditList:
    return edit_list([Clip(Path("clip.mp4"), "", info=clip) for clip in clips])


def kinds(plan: EditList) -> list[str]:
    return [segment.kind for segment in plan.segments]


def test_clips_that_agree_are_all_copied(plain: MediaInfo) -> None:
    plan = plan_of(plain, plain, plain)
    assert kinds(plan) == ["copy"] * 3
    assert [segment.start for segment in plan.segments] == [0, 96, 192]
    assert plan.num_frames == 288


def test_the_format_of_most_frames_wins(plain: MediaInfo) -> None:
    small = changed(plain, width=640, height=360)
    long = changed(small, num_frames=300)
    assert kinds(plan_of(plain, long, plain)) == ["render", "copy", "render"]
    assert kinds(plan_of(plain, small, plain)) == ["copy", "render", "copy"]


def test_film_has_the_rate_and_the_size_that_are_chosen_and_copies_what_has_them(
    plain: MediaInfo,
) -> None:
    quick = changed(plain, rate=Fraction(25))
    items = [Clip(Path("clip.mp4"), "", info=clip) for clip in (plain, plain, quick)]
    told = edit_list(items, Fraction(25))
    assert kinds(told) == ["render", "render", "copy"]
    assert told.format.rate == 25
    drawn = edit_list(items, Fraction(30000, 1001), (640, 360))
    assert kinds(drawn) == ["render"] * 3
    made = drawn.format
    assert (made.rate, made.width, made.height) == (Fraction(30000, 1001), 640, 360)
    assert [place.num_frames for place in drawn.places] == [120, 120, 115]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("25", 25), ("23.976", Fraction(24000, 1001)), ("30000/1001", Fraction(30000, 1001))],
)
def test_rate_is_read_as_television_means_it(said: str, meant: Fraction) -> None:
    assert Finish(rate=said).frame_rate == meant


@pytest.mark.parametrize("wrong", ["0", "121", "1/0", "fast", "-25"])
def test_wrong_rate_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Finish(rate=wrong)


@pytest.mark.parametrize("wrong", ["1920", "1921x1080", "0x0", "8000x8000"])
def test_wrong_size_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Finish(size=wrong)


def test_of_equals_the_first_in_the_list_wins(plain: MediaInfo) -> None:
    small = changed(plain, width=640, height=360)
    assert kinds(plan_of(small, plain)) == ["copy", "render"]
    assert kinds(plan_of(plain, small)) == ["copy", "render"]


@pytest.mark.parametrize(
    "other",
    [
        {"rate": Fraction(25)},
        {"rotation": 90},
        {"spliceable": False},
        {"pix_fmt": "yuv420p10le", "profile": "High 10"},
        {"codec": "hevc", "profile": "Main"},
        {"colour": (1, 1, 1, 1)},
        {"sample_aspect": Fraction(4, 3)},
        {"extradata": b"\1broken"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_clip_that_differs_is_rendered(plain: MediaInfo, other: dict[str, Any]) -> None:
    assert kinds(plan_of(plain, changed(plain, **other))) == ["copy", "render"]


@pytest.mark.parametrize(
    "other",
    [{"codec": "hevc", "profile": "Main"}, {"sample_aspect": Fraction(4, 3)}, {"rotation": 90}],
    ids=["h265", "anamorphic", "rotated"],
)
def test_a_format_that_no_render_can_match_is_not_the_films(
    plain: MediaInfo, other: dict[str, Any]
) -> None:
    many = changed(plain, **other, num_frames=900)
    assert kinds(plan_of(many, plain)) == ["render", "copy"]


def test_clips_that_agree_keep_what_no_render_could_match(plain: MediaInfo) -> None:
    squeezed = changed(plain, sample_aspect=Fraction(4, 3))
    assert kinds(plan_of(squeezed, squeezed)) == ["copy", "copy"]


def test_what_players_do_not_show_is_never_copied(plain: MediaInfo) -> None:
    turned = changed(plain, rotation=90, width=1281)
    plan = plan_of(turned, turned)
    assert kinds(plan) == ["render", "render"]
    assert (plan.format.width, plan.format.height) == (720, 1282)
    assert plan.format.colour == BT709
    others: list[dict[str, Any]] = [{"mirrored": True}, {"codec": "hevc"}, {"colour": (1, 9, 1, 9)}]
    for other in others:
        assert kinds(plan_of(changed(plain, **other))) == ["render"]
    vp9 = changed(plain, codec="vp9", spliceable=False, rate=Fraction(1152, 49))
    assert plan_of(vp9).format.rate == 24


def test_profiles_of_one_decoder_agree(plain: MediaInfo) -> None:
    assert kinds(plan_of(plain, changed(plain, profile="Main"))) == ["copy", "copy"]


@pytest.mark.parametrize(
    ("num_frames", "rate", "fitted"),
    [(120, 30, 96), (100, 25, 96), (81, 16, 122), (1, 60, 1)],
)
def test_a_fitted_clip_lasts_as_long_as_before(
    plain: MediaInfo, num_frames: int, rate: int, fitted: int
) -> None:
    other = changed(plain, num_frames=num_frames, rate=Fraction(rate))
    lead = changed(plain, num_frames=10_000)
    assert plan_of(lead, other).segments[1].num_frames == fitted


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (1920, 1080, (1280, 720)),
        (854, 480, (1280, 720)),
        (832, 480, (1248, 720)),
        (720, 1280, (405, 720)),
        (1280, 544, (1280, 544)),
    ],
)
def test_the_whole_picture_is_kept(
    plain: MediaInfo, width: int, height: int, size: tuple[int, int]
) -> None:
    other = changed(plain, width=width, height=height)
    assert picture_size(other, plan_of(plain).format) == size


def test_too_many_encoders_end_in_a_render_not_in_an_error(
    plain: MediaInfo, tmp_path: Path
) -> None:
    """A slice can be told of 16 numbers beside its own without moving its bits."""
    from .conftest import X264

    infos = [
        changed(
            probe(
                shoot(
                    tmp_path / f"{n}.mp4",
                    num_frames=2,
                    options={**X264, "crf": str(10 + n)},
                )
            ),
            width=1280,
            height=720,
            num_frames=96,
        )
        for n in range(20)
    ]
    assert len({info.extradata for info in infos}) == 20
    plan = plan_of(*infos)
    assert kinds(plan) == ["copy"] * 17 + ["render"] * 3
