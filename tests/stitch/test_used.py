"""What a list says of the cut, in the film as it is decoded: every frame is the one it names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from blocks.files import sha256_file
from blocks.media.effects import effects_named
from blocks.media.use import Use
from flows.stitch import Begin, Clip, Finish, Stitched
from flows.stitch.film import cut as decide
from tests.stitch.making import stitch

from .conftest import assert_clock_is_right, frames_of, pictures_of, sound_of
from .numbered import SDR, beeps_s, numbered, numbers_of
from .scenes import film_clip
from .tones import RATE, level_of, tone

WHOLE = list(range(96))


def film_of(folder: Path, *clips: Clip) -> Stitched:
    finish = Finish(loudness_lufs=None)
    return stitch(clips, folder / "film.mp4", cache=folder / "cache", finish=finish)


def clip_of(path: Path = SDR, name: str = "a/1", **facts: object) -> Clip:
    return Clip(path, sha256_file(path), name, **facts)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["one keyframe", "no B-frames", "closed", "open"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 numbered frames as encoders cut them into groups."""
    options = {
        "one keyframe": {"g": "1000", "bf": "3"},
        "no B-frames": {"g": "1000", "bf": "0"},
        "closed": {"g": "12", "bf": "2"},
        "open": {"g": "12", "bf": "3", "x264-params": "open-gop=1"},
    }[request.param]
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    return film_clip(path, lambda index: numbered(9, index, 320, 180), 48, options=options)


@pytest.mark.parametrize(
    ("use", "frames"),
    [
        (Use(ends=29), range(29)),
        (Use(begins=17), range(17, 48)),
        (Use(Fraction(1, 2), Fraction(3, 2)), range(12, 36)),
        (Use(begins=23, ends=24), range(23, 24)),
        (Use(ends=200), range(48)),
        (Use(begins=300), range(47, 48)),
    ],
    ids=["tail", "head", "both", "one frame", "ends late", "begins late"],
)
def test_a_trim_is_exact_to_the_frame(
    tmp_path: Path, source: Path, use: Use, frames: range
) -> None:
    whole = clip_of(source, "a/0")
    film = film_of(tmp_path, whole, clip_of(source, use=use), whole)
    shown = pictures_of(film.path)
    assert numbers_of(shown) == [*range(48), *frames, *range(48)]
    assert frames_of(film.path)[:48] == frames_of(source)
    assert frames_of(film.path)[-48:] == frames_of(source)
    assert_clock_is_right(film.path)


def test_a_tail_trim_is_copied(tmp_path: Path, source: Path) -> None:
    """At most the B-frames that lean on what was cut off are drawn."""
    clips = [clip_of(source, use=Use(ends=30)), clip_of(source, "a/2")]
    edit = decide(clips, Finish(), cache=tmp_path, name="film.mp4").edit
    drawn = sum(s.num_frames for s in edit.segments if s.kind == "render")
    film = film_of(tmp_path, *clips)
    assert film.copied == 2
    assert drawn <= 3
    copied = edit.segments[0].num_frames
    assert frames_of(film.path)[:copied] == frames_of(source)[:copied]


def test_a_tail_trim_of_frames_that_lean_back_alone_draws_nothing(tmp_path: Path) -> None:
    film = film_of(tmp_path, clip_of(use=Use(ends=Fraction(2))), clip_of(name="a/2"))
    assert (film.copied, film.rendered) == (2, 0)
    assert not (tmp_path / "cache" / "segments").exists()
    assert frames_of(film.path) == frames_of(SDR)[:48] + frames_of(SDR)


@pytest.mark.parametrize(
    ("speed", "frames"),
    [
        (Fraction(2), WHOLE[::2]),
        (Fraction(10), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (Fraction(1, 2), [i // 2 for i in range(192)]),
        (Fraction(-1), WHOLE[::-1]),
        (Fraction(-3), WHOLE[::-1][::3]),
    ],
    ids=str,
)
def test_speed_is_exact_to_the_frame(tmp_path: Path, speed: Fraction, frames: list[int]) -> None:
    film = film_of(tmp_path, clip_of(use=Use(speed=speed)), clip_of(name="a/2"))
    assert numbers_of(pictures_of(film.path)) == [*frames, *WHOLE]
    assert frames_of(film.path)[-96:] == frames_of(SDR)
    assert_clock_is_right(film.path)


def test_backwards_holds_few_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.stitch.frames._HELD_BYTES", 0)
    use = Use(begins=10, ends=90, speed=Fraction(-1))
    film = film_of(tmp_path, clip_of(use=use), clip_of(name="a/2"))
    assert numbers_of(pictures_of(film.path)) == [*range(89, 9, -1), *WHOLE]


def test_the_last_picture_stands_still(tmp_path: Path) -> None:
    film = film_of(tmp_path, clip_of(use=Use(ends=20, freeze_s=Fraction(1, 2))), clip_of())
    assert numbers_of(pictures_of(film.path)) == [*range(20), *[19] * 12, *WHOLE]
    assert film.copied == 2
    span = film.timeline.spans[0]
    assert (span.num_frames, span.still) == (32, 12)


def test_a_transition_joins_the_parts_that_are_used(tmp_path: Path) -> None:
    begins = Begin("wipe", Fraction(1, 2))
    use = Use(begins=30, ends=70)
    clips = [clip_of(use=Use(ends=60)), clip_of(name="a/2", use=use, begins=begins)]
    film = film_of(tmp_path, *clips)
    shown = numbers_of(pictures_of(film.path))
    assert len(shown) == 60 + 40 - 12
    assert shown[:48] == list(range(48))
    assert shown[60:] == list(range(42, 70))


def test_a_part_that_the_clip_has_not_is_said(tmp_path: Path) -> None:
    film = film_of(tmp_path, clip_of(use=Use(Fraction(3), Fraction(5))), clip_of(name="a/2"))
    assert film.num_frames == 24 + 96
    [note] = film.notes
    assert note.startswith("a/1: in_s or out_s is beyond its clip, which has 4.00 s")


# sound -------------------------------------------------------------------------------------------


def test_sound_follows_a_trim_to_the_sample(tmp_path: Path) -> None:
    use = Use(Fraction(1, 2), Fraction(7, 2))
    film = film_of(tmp_path, clip_of(use=use), clip_of(name="a/2"))
    assert beeps_s(sound_of(film.path)) == pytest.approx([0.5, 2.5, 4, 6], abs=0.001)


def test_sound_is_backwards_too(tmp_path: Path) -> None:
    film = film_of(tmp_path, clip_of(use=Use(speed=Fraction(-1))))
    assert beeps_s(sound_of(film.path)) == pytest.approx([0.94, 2.94], abs=0.002)


@pytest.mark.parametrize("speed", [Fraction(2), Fraction(1, 2), Fraction(5), Fraction(-3, 2)])
def test_sound_keeps_its_pitch(tmp_path: Path, speed: Fraction) -> None:
    clip = tmp_path / "tone.mp4"
    from .conftest import shoot

    shoot(clip, num_frames=96, sound=tone(440, 4))
    film = film_of(tmp_path, clip_of(clip, use=Use(speed=speed)))
    heard = sound_of(film.path)
    seen_s = 4 / abs(speed)
    assert film.duration_s == pytest.approx(float(seen_s), abs=0.03)
    middle = heard[:, RATE // 10 : round(float(seen_s) * RATE) - RATE // 10]
    assert level_of(middle, 440) == pytest.approx(0.25, rel=0.15)
    assert level_of(middle, round(440 * abs(speed))) < 0.02 or abs(speed) == 1


def test_a_still_picture_is_silent(tmp_path: Path) -> None:
    use = Use(ends=Fraction(2), freeze_s=Fraction(2))
    film = film_of(tmp_path, clip_of(use=use))
    assert beeps_s(sound_of(film.path)) == pytest.approx([1.0], abs=0.001)


# effects -----------------------------------------------------------------------------------------


def shown_with(folder: Path, effects: str) -> np.ndarray:
    """The pictures of the clip with effects, the film's other clip left out."""
    clips = [clip_of(use=Use(effects=effects_named(effects))), clip_of(name="a/2")]
    film = film_of(folder, *clips)
    assert film.copied == 1
    assert frames_of(film.path)[96:] == frames_of(SDR)
    return pictures_of(film.path)[:96].astype(int)


def test_effects_are_moviepys(tmp_path: Path) -> None:
    given = pictures_of(SDR).astype(int)
    shown = shown_with(tmp_path, "MirrorX; MultiplyColor(0.5)")
    assert np.abs(shown[50] - given[50][:, ::-1] // 2).mean() < 3
    grey = shown_with(tmp_path, "BlackAndWhite")[50]
    assert np.abs(grey.max(axis=2) - grey.min(axis=2)).mean() < 4
    assert numbers_of(shown_with(tmp_path, "BlackAndWhite").astype(np.uint8)) == WHOLE


def test_effects_have_the_shots_own_time(tmp_path: Path) -> None:
    light = shown_with(tmp_path, "FadeIn(1); FadeOut(1)").mean(axis=(1, 2, 3))
    given = pictures_of(SDR).mean(axis=(1, 2, 3))
    assert light[0] < 2
    assert light[12] == pytest.approx(given[12] / 2, rel=0.1)
    assert light[48] == pytest.approx(given[48], rel=0.03)
    assert light[84] == pytest.approx(given[84] / 2, rel=0.1)


def test_a_picture_of_another_size_fills_what_it_can(tmp_path: Path) -> None:
    shown = shown_with(tmp_path, "Crop(x1=0, y1=0, width=320, height=180)")
    given = pictures_of(SDR).astype(int)
    corner = given[40][:180, :320].repeat(2, 0).repeat(2, 1)
    assert np.abs(shown[40] - corner).mean() < 8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("BlackAndWite", "did you mean BlackAndWhite"),
        ("Freeze(2)", "columns speed and freeze_s"),
        ("FadeIn", "missing 1 required"),
        ("FadeIn(1, colour=3)", "unexpected keyword"),
        ("Rotate('x')", "is not what moviepy's Rotate takes"),
        ("Crop(x1=1999)", "leaves no picture"),
        ("FadeIn(__import__('os').system('true'))", "something else than numbers"),
        ("FadeIn((lambda: 1)())", "something else than numbers"),
        ("vfx.FadeIn(1)", "is not a list of effects"),
        ("FadeIn(1)(2)", "is not a list of effects"),
        ("Margin(100000)", "something else than numbers"),
        ("Rotate(1e999)", "something else than numbers"),
        ("Rotate(9**9**9)", "something else than numbers"),
        ("Rotate(*[3])", "something else than numbers"),
        ("x = Rotate(3)", "is not a list of effects"),
        ("import os", "is not a list of effects"),
        ("(" * 250, "is not a list of effects"),
        ("-" * 290 + "1", "is not a list of effects"),
        ("MirrorX;" * 9, "9 effects"),
        ("MirrorX;" * 99, "792 characters"),
        (";", "is not a list of effects"),
        ("__class__", "is no effect here"),
    ],
)
def test_what_is_no_effect_is_refused_before_anything_is_bought(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|names|has|gives|leaves)") as caught:
        effects_named(text)
    assert reason in str(caught.value)
