"""Clips of every kind, made small, and what a film really shows, as ffmpeg decodes it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import imageio_ffmpeg
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from blocks.files import sha256_file
from blocks.sandbox.edge_code import EdgeCode
from flows.stitch import Clip, Stitched
from flows.stitch.finish import Finish
from tests.stitch.making import stitch

Cut = Callable[..., Stitched]
Pictures = NDArray[np.uint8]
Sound = NDArray[np.float32]

SIZE = (192, 112)
X264 = {"preset": "veryfast", "g": "1000", "bf": "3", "crf": "23"}


@pytest.fixture
def cut(tmp_path: Path) -> Cut:
    """Stitches clips, given as paths, to `film.mp4` in the test's folder, at their own levels."""

    def run(*clips: Path, out: Path | None = None) -> Stitched:
        known = [Clip(clip, sha256_file(clip), clip.stem) for clip in clips]
        return stitch(
            known,
            out or tmp_path / "film.mp4",
            cache=tmp_path / "cache",
            finish=Finish(loudness_lufs=None),
        )

    return run


def shoot(
    path: Path,
    *,
    num_frames: int = 24,
    size: tuple[int, int] = SIZE,
    rate: int | Fraction = 24,
    seed: int = 0,
    codec: str = "libx264",
    options: Mapping[str, str] = X264,
    pix_fmt: str = "yuv420p",
    colour: tuple[int, int, int, int] | None = None,
    luma: Callable[[int], int] | None = None,
    code: int | None = None,
    sound: Sound | None = None,
    sound_rate: int = 48_000,
) -> Path:
    """A clip of moving shapes, or of one grey per frame: `luma` of the frame's index.

    `sound` is channels x samples. With `code` each frame tells the clip and itself by squares.
    """
    width, height = size
    noise = np.random.default_rng(seed)
    blocks = noise.integers(30, 220, (height * 3 // 2 // 8 + 1, width // 8 + 1), dtype=np.uint8)
    shapes = np.kron(blocks, np.ones((8, 8), np.uint8))[: height * 3 // 2, :width]
    # Colours as there are: strong ones would lie outside RGB.
    shapes[:height] = 60 + shapes[:height] // 2
    shapes[height:] = 104 + shapes[height:] // 5
    kind = {".webm": "webm", ".mkv": "matroska"}.get(path.suffix, "mp4")
    with av.open(str(path), "w", format=kind) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=rate, options=dict(options)))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if colour:
            context = stream.codec_context
            context.color_range, context.color_primaries = colour[:2]
            context.color_trc, context.colorspace = colour[2:]
        track = None
        if sound is not None:
            layout = "mono" if sound.shape[0] == 1 else "stereo"
            track = container.add_stream("aac", rate=sound_rate, layout=layout, bit_rate=192_000)
        for index in range(num_frames):
            if luma is None:
                picture = np.roll(shapes, 2 * index, 1)
            else:
                picture = np.full_like(shapes, 128)
                picture[:height] = luma(index)
            picture = np.ascontiguousarray(picture)
            if code is not None:
                EdgeCode(width, height, code).draw(picture[:height], index)
            frame = VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / Fraction(rate)
            container.mux(stream.encode(frame.reformat(format=pix_fmt)))
        container.mux(stream.encode(None))
        if track is not None and sound is not None:
            heard = AudioFrame.from_ndarray(sound, format="fltp", layout=layout)
            heard.sample_rate, heard.pts = sound_rate, 0
            container.mux(track.encode(heard))
            container.mux(track.encode(None))
    return path


def ffmpeg(*arguments: str | Path) -> bytes:
    """Runs ffmpeg and returns its stdout. It may have nothing to warn of."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def remade(clip: Path, name: str, *arguments: str) -> Path:
    """The clip as ffmpeg makes it with these arguments, beside it."""
    out = clip.with_name(name)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(clip)]
    subprocess.run([*command, *arguments, str(out)], check=True)
    return out


def frames_of(path: Path) -> list[str]:
    """The MD5 of each decoded frame, as shown one after another."""
    listed = ffmpeg("-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-")
    rows = [line for line in listed.decode().splitlines() if not line.startswith("#")]
    return [row.rsplit(",", 1)[1].strip() for row in rows]


def pictures_of(path: Path, pix_fmt: str = "rgb24") -> Pictures:
    """frames x height x width x 3, or without the last for `gray`."""
    with av.open(str(path)) as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    raw = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pix_fmt, "-")
    depth = (3,) if pix_fmt == "rgb24" else ()
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, *depth)


def sound_of(path: Path) -> Sound:
    """2 x samples at 48 kHz, from the moment that the film starts."""
    raw = ffmpeg("-i", path, "-map", "0:a", "-f", "f32le", "-ac", "2", "-ar", "48000", "-")
    return np.frombuffer(raw, np.float32).reshape(-1, 2).T


def assert_clock_is_right(path: Path, rate: Fraction | int = 24) -> int:
    """The film starts at 0, is even and decodes in order; returns how many frames it has."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        frame = 1 / (Fraction(rate) * packets[0].time_base)
        shown = sorted(packet.pts for packet in packets if packet.pts is not None)
        decoded = [packet.dts for packet in packets if packet.dts is not None]
        assert stream.start_time == 0
        assert container.start_time == 0
        assert shown == [frame * index for index in range(len(packets))]
        assert {late - early for early, late in pairwise(decoded)} <= {frame}
        assert all((packet.pts or 0) >= (packet.dts or 0) for packet in packets)
        assert Fraction(stream.duration or 0) == frame * len(packets)
    return len(packets)
