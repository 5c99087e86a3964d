"""A clip is read by what it says of itself: the roles of its streams, times, colours, turn."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from blocks.media.colour import narrowed
from blocks.media.probe import last_frame, probe
from flows.output.stills import picture_of

from .conftest import Cut, assert_clock_is_right, ffmpeg, frames_of, pictures_of, remade, sound_of
from .conftest import shoot as shoot_shapes
from .numbered import (
    BEEPS_S,
    BT2020,
    COVERED,
    PATCHES,
    PQ,
    SDR,
    beeps_s,
    number_of,
    numbered,
    numbers_of,
    patches_of,
)
from .scenes import film_clip
from .tones import tone

LEVELS = 6
"""How far a patch may be off, of 255."""


def packets_dropped(clip: Path, out: Path, from_s: float, until_s: float) -> Path:
    """The clip without the sound packets between two moments."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        tracks = {
            stream.index: target.add_stream_from_template(stream, opaque=True)
            for stream in source.streams
        }
        for packet in source.demux():
            if packet.dts is None or packet.pts is None:
                continue
            sound = packet.stream.type == "audio"
            if sound and from_s <= packet.pts * packet.time_base < until_s:
                continue
            packet.stream = tracks[packet.stream_index]
            target.mux(packet)
    return out


# streams -----------------------------------------------------------------------------------------


def test_the_covered_clip_has_its_cover_first() -> None:
    with av.open(str(COVERED)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"


def test_a_cover_picture_is_not_the_film(tmp_path: Path, cut: Cut) -> None:
    info = probe(COVERED)
    assert (info.codec, info.num_frames, info.width) == ("h264", 96, 640)
    film = cut(COVERED)
    assert film.copied == 1
    assert frames_of(film.path) == frames_of(SDR)
    assert beeps_s(sound_of(film.path)) == pytest.approx(BEEPS_S, abs=0.001)
    assert picture_of(COVERED, 640).size == (640, 360)
    last_frame(COVERED, tmp_path / "last.png")
    assert number_of(pictures_of(tmp_path / "last.png")[0]) == (1, 95)


def test_a_covered_clip_is_drawn_from_its_film(tmp_path: Path, cut: Cut) -> None:
    lead = shoot_shapes(tmp_path / "lead.mp4", size=(320, 180), num_frames=240)
    film = cut(lead, COVERED)
    assert numbers_of(pictures_of(film.path)[240:]) == list(range(96))


def test_the_default_sound_is_heard(tmp_path: Path, cut: Cut) -> None:
    """A commentary stands first in the file."""
    talk = shoot_shapes(tmp_path / "talk.mp4", num_frames=96, sound=tone(440, 4))
    out = tmp_path / "two.mp4"
    streams = ("-i", SDR, "-i", talk, "-map", "0:v", "-map", "1:a", "-map", "0:a", "-c", "copy")
    ffmpeg(*streams, "-disposition:a:0", "0", "-disposition:a:1", "default", out)
    assert beeps_s(sound_of(cut(out).path)) == pytest.approx(BEEPS_S, abs=0.001)


# times -------------------------------------------------------------------------------------------


def gap(folder: Path) -> Path:
    return packets_dropped(SDR, folder / "gap.mp4", 1.5, 2.5)


def gap_in_mkv(folder: Path) -> Path:
    return remade(gap(folder), "gap.mkv", "-c", "copy")


def at_ten_seconds(folder: Path) -> Path:
    out = folder / "ten.mkv"
    ffmpeg("-i", SDR, "-c", "copy", "-output_ts_offset", "10", out)
    return out


def priming_shifts_all(folder: Path) -> Path:
    """The picture begins when the encoder's priming is over, 21 ms into the file."""
    out = folder / "late.mkv"
    ffmpeg("-i", SDR, "-c", "copy", "-avoid_negative_ts", "make_zero", out)
    return out


def opus(folder: Path) -> Path:
    coded = ("-c:v", "copy", "-c:a", "libopus", "-b:a", "96k", "-output_ts_offset", "3")
    ffmpeg("-i", SDR, *coded, folder / "opus.mkv")
    return folder / "opus.mkv"


def at_another_rate(folder: Path) -> Path:
    resampled = folder / "rate.mp4"
    ffmpeg("-i", SDR, "-c:v", "copy", "-c:a", "aac", "-ar", "44100", resampled)
    return packets_dropped(resampled, folder / "gap44.mp4", 1.5, 2.5)


@pytest.mark.parametrize(
    "clip_in", [gap, gap_in_mkv, at_ten_seconds, priming_shifts_all, opus, at_another_rate]
)
def test_sound_is_where_its_time_says(
    tmp_path: Path, cut: Cut, clip_in: Callable[[Path], Path]
) -> None:
    clip = clip_in(tmp_path)
    film = cut(clip, clip)
    # MKV's clock has milliseconds.
    expected = [start + beep for start in (0, 4) for beep in BEEPS_S]
    assert beeps_s(sound_of(film.path)) == pytest.approx(expected, abs=0.0015)
    assert numbers_of(pictures_of(film.path)) == [*range(96)] * 2
    assert_clock_is_right(film.path)


def test_a_hidden_beginning_is_hidden_for_both(tmp_path: Path, cut: Cut) -> None:
    late = tmp_path / "late.mp4"
    ffmpeg("-ss", "0.75", "-i", SDR, "-c", "copy", late)
    film = cut(late)
    assert numbers_of(pictures_of(film.path)) == list(range(18, 96))
    assert beeps_s(sound_of(film.path)) == pytest.approx([0.25, 2.25], abs=0.001)


# colours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [PQ, BT2020], ids=["PQ", "BT.2020"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside SDR"])
def test_wide_colours_are_shown_as_bt709(tmp_path: Path, cut: Cut, clip: Path, alone: bool) -> None:
    film = cut(clip) if alone else cut(SDR, SDR, clip)
    with av.open(str(film.path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
    assert probe(film.path).colour[3] == 1
    assert probe(film.path).colour[2] in (1, 2)
    shown = pictures_of(film.path)[-96:]
    assert np.abs(patches_of(shown[40]) - PATCHES).max() <= LEVELS
    assert numbers_of(shown) == list(range(96))
    assert [note.split(",")[0] for note in film.notes] == ["pq: HDR"][: clip == PQ]
    if not alone:
        assert film.copied == 2
        assert frames_of(film.path)[:96] == frames_of(SDR)


@pytest.mark.parametrize("clip", [PQ, BT2020], ids=["PQ", "BT.2020"])
def test_a_still_and_a_last_frame_have_the_films_colours(tmp_path: Path, clip: Path) -> None:
    assert np.abs(patches_of(np.asarray(picture_of(clip, 640))) - PATCHES).max() <= LEVELS
    last_frame(clip, tmp_path / "last.png")
    assert np.abs(patches_of(pictures_of(tmp_path / "last.png")[0]) - PATCHES).max() <= LEVELS


def test_the_matrix_and_the_range_are_the_tags(tmp_path: Path, cut: Cut) -> None:
    """A small clip of BT.709, a large one of BT.601, one of full range: all look the same."""
    for name, vf, colour in (
        ("601", "scale=out_color_matrix=bt601:out_range=tv", ("smpte170m", "smpte170m", "tv")),
        ("709", "scale=out_color_matrix=bt709:out_range=tv", ("bt709", "bt709", "tv")),
        ("full", "scale=out_color_matrix=bt709:out_range=pc", ("bt709", "bt709", "pc")),
        ("240", "scale=out_color_matrix=smpte240m:out_range=tv", ("smpte240m", "bt709", "tv")),
    ):
        source = tmp_path / f"{name}.png"
        Image.fromarray(numbered(3, 7)).save(source)
        clip = tmp_path / f"{name}.mp4"
        matrix, transfer, span = colour
        tags = ("-colorspace", matrix, "-color_trc", transfer, "-color_range", span)
        ffmpeg(
            *("-loop", "1", "-r", "24", "-t", "1", "-i", source, "-vf", f"{vf},format=yuv420p"),
            *("-c:v", "libx264", "-crf", "10", *tags, "-color_primaries", "bt709", clip),
        )
        shown = pictures_of(cut(SDR, clip).path)[-2]
        assert np.abs(patches_of(shown) - PATCHES).max() <= LEVELS, name


def test_highlights_are_rolled_off_and_not_clipped() -> None:
    def level(nits: float) -> float:
        root = (nits / 10_000) ** (2610 / 16384)
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        return float(((c1 + c2 * root) / (1 + c3 * root)) ** (2523 / 4096 * 128))

    nits = (50, 100, 167, 203, 400, 1000, 4000)
    coded = np.array([[[round(65535 * level(n))] * 3 for n in nits]], np.uint16)
    shown = narrowed(coded, (1, 9, 16, 9))[0, :, 0].astype(int)
    assert list(shown[:3]) == pytest.approx([255 * (n / 203) ** (1 / 2.4) for n in nits[:3]], abs=1)
    assert all(np.diff(shown) >= 1)


def test_hlg_has_its_reference_white_where_pq_has_it() -> None:
    """75 % HLG and 58 % PQ are 203 cd/m² (ITU-R BT.2408)."""
    coded = np.full((1, 1, 3), 0.75 * 65535, np.uint16)
    as_hlg = narrowed(coded, (1, 9, 18, 9))
    as_pq = narrowed(np.full((1, 1, 3), 0.5807 * 65535, np.uint16), (1, 9, 16, 9))
    assert abs(int(as_hlg[0, 0, 0]) - int(as_pq[0, 0, 0])) <= 1


# orientation -------------------------------------------------------------------------------------

TURNS: dict[str, tuple[tuple[str, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "mirrored": (("-display_hflip",), lambda a: a[:, ::-1]),
    "upside down": (("-display_vflip",), lambda a: a[::-1]),
    "turned": (("-display_rotation", "90"), lambda a: np.rot90(a, 1)),
    "turned and mirrored": (
        ("-display_rotation", "90", "-display_hflip"),
        lambda a: np.rot90(a, 1)[:, ::-1],
    ),
}


@pytest.mark.parametrize("how", TURNS)
def test_the_display_matrix_is_followed(tmp_path: Path, cut: Cut, how: str) -> None:
    """As ffmpeg shows it, and as the matrix says."""
    arguments, shown_as = TURNS[how]
    clip = film_clip(tmp_path / "clip.mp4", lambda index: numbered(5, index, 320, 240), 6)
    out = tmp_path / "turned.mp4"
    ffmpeg(*arguments, "-i", clip, "-c", "copy", out)
    first = pictures_of(clip)[0]
    film = cut(out)
    shown = pictures_of(film.path)
    assert shown.shape[1:3] == shown_as(first).shape[:2]
    assert np.abs(shown[0].astype(int) - shown_as(first)).mean() < 4
    still = np.asarray(picture_of(out, 320))
    assert np.abs(still.astype(int) - shown_as(first)).mean() < 6 or still.shape != shown[0].shape
    last_frame(out, tmp_path / "last.png")
    last = pictures_of(tmp_path / "last.png")[0].astype(int)
    assert np.abs(last - shown_as(pictures_of(clip)[-1])).mean() < 4


# the film's format -------------------------------------------------------------------------------


def test_the_film_runs_at_the_rate_that_is_seen_longest(tmp_path: Path, cut: Cut) -> None:
    slow = [shoot_shapes(tmp_path / f"{n}.mp4", num_frames=48, seed=n) for n in range(2)]
    quick = shoot_shapes(tmp_path / "quick.mp4", rate=60, num_frames=180)
    film = cut(quick, *slow)
    assert film.copied == 2
    assert film.duration_s == 7
    assert film.num_frames == 168
    assert Fraction(probe(film.path).rate) == 24
