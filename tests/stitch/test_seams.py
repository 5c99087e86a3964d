"""Seams: what lies between them is untouched, each frame is there once, and a transition mixes the
very frames that it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from blocks.errors import ClipError
from blocks.files import sha256_file
from blocks.media.probe import probe
from blocks.sandbox.edge_code import read_edge_code
from flows.stitch import Begin, Clip, Finish, Item, Stitched, cut
from flows.stitch.film import Cutting
from flows.stitch.finish import AS_IT_IS
from flows.stitch.timeline import TransitionKind
from tests.stitch.making import stitch

from .conftest import SIZE, X264, assert_clock_is_right, frames_of, pictures_of, remade, shoot

HALF = Begin("dissolve", Fraction(1, 2))
KINDS = {
    "b-frames": X264,
    "no-b-frames": {"preset": "ultrafast", "g": "1000", "crf": "28"},
    "open-gop": {**X264, "x264-params": "cabac=0:open-gop=1:keyint=8:repeat-headers=1"},
    "many-keyframes": {**X264, "g": "9", "x264-params": "scenecut=0"},
    "slices": {**X264, "x264-params": "slices=4:ref=5"},
}


def coded(folder: Path, code: int, num_frames: int = 36, **how: object) -> Path:
    name = f"{code}{how.pop('suffix', '.mp4')}"
    return shoot(folder / name, num_frames=num_frames, seed=code, code=code, **how)  # type: ignore[arg-type]


def clip_of(path: Path, begins: Begin | None = HALF, **more: object) -> Clip:
    return Clip(path, sha256_file(path), path.stem, begins=begins, **more)  # type: ignore[arg-type]


@dataclass
class Film:
    """A film, and how it was decided."""

    stitched: Stitched
    cutting: Cutting

    @property
    def path(self) -> Path:
        return self.stitched.path

    def copied(self) -> list[tuple[int, int, int, int]]:
        """(film frame, clip, its frame, how many) of every copy."""
        return [
            (s.start, s.runs[0].shown.item, s.runs[0].shown.first, s.num_frames)
            for s in self.cutting.edit.segments
            if s.kind == "copy"
        ]

    def alone(self) -> list[tuple[int, int, int]]:
        """(film frame, clip, its frame) of every frame in which one clip is seen alone."""
        found = []
        for segment in self.cutting.edit.segments:
            at = segment.start
            for run in segment.runs:
                if run.transition is None:
                    first = run.shown.first
                    found += [(at + n, run.shown.item, first + n) for n in range(run.num_frames)]
                at += run.num_frames
        return found


def made(folder: Path, items: Sequence[Item], finish: Finish = AS_IT_IS) -> Film:
    film = stitch(items, folder / "film.mp4", cache=folder / "cache", finish=finish)
    return Film(film, cut(items, finish, cache=folder / "cache", name="film.mp4"))


def codes_of(path: Path) -> list[tuple[int, int]]:
    return [read_edge_code(picture) for picture in pictures_of(path, "gray")]


def assert_film_is_right(film: Film, sources: Sequence[Path]) -> None:
    """It decodes without a word, every copied frame is its source's, every frame is there once."""
    shown = frames_of(film.path)
    assert len(shown) == film.stitched.num_frames
    assert_clock_is_right(film.path)
    originals = [frames_of(source) for source in sources]
    for at, clip, first, num_frames in film.copied():
        assert shown[at : at + num_frames] == originals[clip][first : first + num_frames]
    codes = codes_of(film.path)
    alone = film.alone()
    assert [codes[at] for at, _, _ in alone] == [(clip, n) for _, clip, n in alone]
    # What is not seen alone is seen in a transition: together that is each frame of each clip.
    spans = film.stitched.timeline.spans
    for before, after in pairwise(spans):
        assert before.end - after.start == (after.begins.num_frames if after.begins else 0)
    assert sum(span.num_frames for span in spans) == sum(map(len, originals))


@pytest.mark.parametrize("kind", KINDS)
def test_around_dissolves_every_frame_is_there_once_and_copies_are_untouched(
    tmp_path: Path, kind: str
) -> None:
    clips = [coded(tmp_path, n, 36 + n, options=KINDS[kind]) for n in range(3)]
    film = made(tmp_path, [clip_of(clip) for clip in clips])
    assert film.stitched.num_frames == 36 + 37 + 38 - 24
    assert_film_is_right(film, clips)
    # The first clip begins with its keyframe; the others where another keyframe is.
    copied = {clip for _, clip, _, _ in film.copied()}
    assert copied == ({0, 1, 2} if kind == "many-keyframes" else {0})


def test_a_cut_between_dissolves_stays_a_copy(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(5)]
    begins = (None, HALF, None, None, HALF)
    film = made(tmp_path, [clip_of(c, b) for c, b in zip(clips, begins, strict=True)])
    assert_film_is_right(film, clips)
    assert [(clip, first, n) for _, clip, first, n in film.copied()] == [
        (0, 0, 21),  # the packets of 24 frames hold a B-frame's forward reference too
        (2, 0, 36),
        (3, 0, 21),
    ]


def test_what_is_left_of_a_copy_is_drawn_with_its_seam(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(2)]
    film = made(tmp_path, [clip_of(clip) for clip in clips])
    copy, seam, rest = film.cutting.edit.segments
    assert copy.num_frames in probe(clips[0]).closed
    assert [run.num_frames for run in seam.runs] == [24 - copy.num_frames, 12]
    assert (rest.kind, rest.num_frames) == ("render", 24)


@pytest.mark.parametrize("kind", ["dissolve", "fade", "wipe", "slide"])
def test_a_transition_leads_from_one_picture_to_the_other(
    tmp_path: Path, kind: TransitionKind
) -> None:
    fine = {**X264, "crf": "8"}
    left = shoot(tmp_path / "l.mp4", num_frames=24, options=fine, luma=lambda _: 200)
    right = shoot(tmp_path / "r.mp4", num_frames=24, options=fine, luma=lambda _: 80)
    film = made(tmp_path, [clip_of(left), clip_of(right, Begin(kind, Fraction(1, 2)))])
    pictures = pictures_of(film.path, "gray").astype(float)
    assert len(pictures) == 36
    old, new = pictures[5].mean(), pictures[30].mean()
    black = (16 - 16) * 255 / 219
    seam = pictures[12:24].mean(axis=(1, 2))
    parts = np.arange(1, 13) / 13
    if kind == "dissolve":
        assert np.abs(seam - (old + (new - old) * parts)).max() < 2
    elif kind == "fade":
        light = np.where(parts < 0.5, old * (1 - 2 * parts), new * (2 * parts - 1))
        assert np.abs(seam - np.maximum(light, black)).max() < 3
    else:
        assert (np.diff(seam) < 0).all()
    # Frames beside it are untouched by it.
    assert np.abs(pictures[11] - old).max() < 3
    assert np.abs(pictures[24] - new).max() < 3
    if kind == "wipe":  # from the left
        assert pictures[17][:, 4].mean() < 90 < 190 < pictures[17][:, -4].mean()
    if kind == "slide":  # from the right
        assert pictures[17][:, -4].mean() < 90


def test_pictures_of_a_dissolve_are_mixed_of_the_right_frames(tmp_path: Path) -> None:
    fine = {**X264, "crf": "8"}
    clips = [coded(tmp_path, n, options=fine) for n in range(2)]
    film = made(tmp_path, [clip_of(clip) for clip in clips])
    left, right, shown = (pictures_of(path, "gray").astype(float) for path in (*clips, film.path))
    for n in range(12):
        part = (n + 1) / 13
        expected = left[24 + n] * (1 - part) + right[n] * part
        assert np.abs(shown[24 + n] - expected).mean() < 2.5
        # A frame off would be seen.
        other = left[23 + n] * (1 - part) + right[n + 1] * part
        assert np.abs(shown[24 + n] - other).mean() > 4


def test_light_does_not_jump_where_drawn_frames_meet_copied_ones(tmp_path: Path) -> None:
    """Through RGB and back a picture would come out a level darker."""
    plain = shoot(tmp_path / "plain.mp4", num_frames=48, options={**X264, "crf": "12"})
    other = shoot(tmp_path / "other.mp4", num_frames=48, seed=3)
    film = made(tmp_path, [clip_of(plain, None), clip_of(other), clip_of(plain, caption=" ")])
    light = pictures_of(film.path, "gray").astype(float).mean(axis=(1, 2))
    source = pictures_of(plain, "gray").astype(float).mean(axis=(1, 2))
    assert np.abs(light[:36] - source[:36]).max() < 0.4
    assert np.abs(light[-36:] - source[-36:]).max() < 0.4


def test_the_first_of_a_sequence_shares_nothing(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(4)]
    items = [
        clip_of(clips[0], HALF, opens=True),
        clip_of(clips[1]),
        clip_of(clips[2], HALF, opens=True),
        clip_of(clips[3]),
    ]
    film = made(tmp_path, items)
    assert film.stitched.num_frames == 4 * 36 - 2 * 12
    assert [span.begins is not None for span in film.stitched.timeline.spans] == [False, True] * 2
    assert_film_is_right(film, clips)


def test_a_sequence_may_come_up_from_black_without_getting_shorter(tmp_path: Path) -> None:
    grey = shoot(tmp_path / "grey.mp4", num_frames=36, luma=lambda _: 180)
    film = made(tmp_path, [clip_of(grey, Begin("fade", Fraction(1, 2)), opens=True)])
    light = pictures_of(film.path, "gray").mean(axis=(1, 2))
    assert len(light) == 36
    assert (np.diff(light[:13]) > 5).all()
    assert light[0] < 25 < 170 < light[12]
    assert film.stitched.timeline.spans[0].begins is None


def test_clips_too_short_for_their_transitions_share_what_they_have(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n, frames) for n, frames in enumerate((30, 9, 30))]
    film = made(tmp_path, [clip_of(clips[0]), clip_of(clips[1]), clip_of(clips[2])])
    spans = film.stitched.timeline.spans
    assert [span.begins.num_frames for span in spans if span.begins] == [4, 4]
    assert_film_is_right(film, clips)
    assert film.stitched.notes == (
        "1: its dissolve has 4 frames instead of 12; the clips beside it are too short.",
        "2: its dissolve has 4 frames instead of 12; the clips beside it are too short.",
    )


def drawn(folder: Path) -> set[str]:
    return {path.name for path in (folder / "cache" / "segments").iterdir()}


def test_one_changed_clip_is_drawn_again_with_its_two_seams_and_nothing_else(
    tmp_path: Path,
) -> None:
    clips = [coded(tmp_path, n) for n in range(6)]
    made(tmp_path, [clip_of(clip) for clip in clips])
    before = drawn(tmp_path)
    assert len(before) == 10  # five seams, and what follows each
    clips[3] = shoot(tmp_path / "new.mp4", num_frames=36, seed=9, code=3)
    film = made(tmp_path, [clip_of(clip) for clip in clips])
    assert len(drawn(tmp_path) - before) == 3
    assert_film_is_right(film, clips)


def test_another_transition_draws_only_its_seam(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(4)]
    made(tmp_path, [clip_of(clip) for clip in clips])
    before = drawn(tmp_path)
    begins = (HALF, HALF, Begin("wipe", Fraction(1, 2)), HALF)
    made(tmp_path, [clip_of(c, b) for c, b in zip(clips, begins, strict=True)])
    assert len(drawn(tmp_path) - before) == 1


def test_a_sequence_and_its_film_are_of_the_same_segments(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(4)]
    items = [clip_of(c, HALF, opens=n in (0, 2)) for n, c in enumerate(clips)]
    made(tmp_path, items)
    before = drawn(tmp_path)
    made(tmp_path, items[2:])
    made(tmp_path, items[:2])
    assert drawn(tmp_path) == before


# sources of every kind ---------------------------------------------------------------------------


def test_sources_that_differ_pass_into_each_other(tmp_path: Path) -> None:
    """10 bits, H.265, another rate, uneven frames, sound and none: each is there for as long as it
    lasts, every moment at its time."""
    lead = coded(tmp_path, 0, 60)
    ten = coded(tmp_path, 1, 24, pix_fmt="yuv420p10le", options={**X264, "crf": "12"})
    h265 = coded(
        tmp_path, 2, 24, codec="libx265", options={"crf": "8", "x265-params": "log-level=0"}
    )
    fast = coded(tmp_path, 3, 48, rate=48)
    uneven = remade(
        coded(tmp_path, 5, 24),
        "uneven.mp4",
        *("-vf", "setpts='if(gt(N,11),PTS+0.5/TB,PTS)'", "-fps_mode", "vfr", "-crf", "8"),
    )
    sound = np.zeros((2, 48_000), np.float32)
    loud = coded(tmp_path, 6, 24, sound=sound)
    clips = [lead, ten, h265, fast, uneven, loud]
    quarter = Begin("dissolve", Fraction(1, 4))
    film = made(tmp_path, [clip_of(clip, quarter) for clip in clips])
    lasting = [60, 24, 24, 24, round(probe(uneven).duration_s * 24), 24]
    assert [span.num_frames for span in film.stitched.timeline.spans] == lasting
    assert film.stitched.num_frames == sum(lasting) - 5 * 6
    assert_clock_is_right(film.path)
    codes = codes_of(film.path)
    starts = [span.start for span in film.stitched.timeline.spans]
    for start, code in zip(starts[1:], (1, 2), strict=False):
        assert codes[start + 6 : start + 18] == [(code, n) for n in range(6, 18)]
    assert codes[starts[3] + 6 : starts[3] + 18] == [(3, 2 * n + 1) for n in range(6, 18)]
    held = [*range(6, 12), *[11] * 12, *range(12, 18)]
    assert codes[starts[4] + 6 : starts[4] + 30] == [(5, n) for n in held]


def test_odd_and_turned_clips_are_made_even_and_upright(tmp_path: Path) -> None:
    lead = shoot(tmp_path / "lead.mp4", num_frames=48)
    even = shoot(tmp_path / "even.mp4", num_frames=24, luma=lambda _: 180)
    odd = remade(even, "odd.mp4", "-vf", "format=yuv444p,crop=95:57:exact=1")
    assert (probe(odd).width, probe(odd).height) == (95, 57)
    turned = tmp_path / "turned.mp4"
    from .conftest import ffmpeg

    upright = shoot(tmp_path / "up.mp4", size=(192, 112), num_frames=24, seed=4)
    ffmpeg("-display_rotation", "180", "-i", upright, "-c", "copy", turned)
    film = made(tmp_path, [clip_of(lead), clip_of(odd), clip_of(turned)])
    pictures = pictures_of(film.path).astype(int)
    assert pictures.shape[1:3] == (SIZE[1], SIZE[0])
    assert film.stitched.num_frames == 48 + 24 + 24 - 24
    source = pictures_of(upright).astype(int)
    assert np.abs(pictures[-6] - source[-6][::-1, ::-1]).mean() < 8


def test_a_damaged_clip_is_named_and_the_old_film_stays(tmp_path: Path) -> None:
    clips = [coded(tmp_path, n) for n in range(2)]
    film = made(tmp_path, [clip_of(clip) for clip in clips])
    before = film.path.read_bytes()
    whole = clips[1].read_bytes()
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ClipError, match=r"^bad: bad\.mp4 "):
        made(tmp_path, [clip_of(clips[0]), clip_of(bad)])
    assert film.path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_picture_that_does_not_decode_does_not_shift_the_others(tmp_path: Path) -> None:
    """Bits that are wrong inside a slice: what can be shown is shown, at its time."""
    clips = [coded(tmp_path, n) for n in range(3)]
    content = bytearray(clips[1].read_bytes())
    for at in range(len(content) // 2, len(content) // 2 + 40):
        content[at] ^= 0x55
    clips[1].write_bytes(bytes(content))
    try:
        items: list[Item] = [clip_of(clip) for clip in clips]
        cutting = cut(items, AS_IT_IS, cache=tmp_path / "cache", name="film.mp4")
    except ClipError:
        pytest.skip("the damage is seen at once")
    film = Film(stitch(items, tmp_path / "film.mp4", cache=tmp_path / "cache"), cutting)
    assert film.stitched.num_frames == 3 * 36 - 24
    codes = codes_of(film.path)
    last = film.stitched.timeline.spans[2]
    assert codes[last.start + 12 :] == [(2, n) for n in range(12, 36)]


def test_h265_clips_pass_into_each_other_in_a_film_of_h264(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=0"}
    clips = [coded(tmp_path, n, codec="libx265", options=options) for n in range(2)]
    film = made(tmp_path, [clip_of(clip) for clip in clips])
    assert film.stitched.copied == 0
    assert film.cutting.edit.format.codec == "h264"
    assert_film_is_right(film, clips)
