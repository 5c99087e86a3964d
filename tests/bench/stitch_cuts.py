"""How long straight cuts take: shotreel beside ffmpeg's concat copy and moviepy, in one run.

    python tests/bench/stitch_cuts.py [--clips 60] [--moviepy-clips 4] [--rounds 3]

The clips are 1280x720 at 24 frames a second, 96 frames each with one keyframe, B-frames, 3 to 8
Mbit/s. shotreel's time includes the film's SHA-256 and an fsync, which the others do not do; its
two rows are with what the clip store knows already about each clip, and with every clip probed.
moviepy decodes and encodes, so it has fewer clips and its time is scaled to all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from av.video.frame import VideoFrame

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from blocks.media import probe, sha256_file
from flows.stitch import Clip, stitch

WIDTH, HEIGHT, RATE, NUM_FRAMES = 1280, 720, 24, 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--moviepy-clips", type=int, default=4, help="0 leaves moviepy out")
    parser.add_argument("--rounds", type=int, default=3, help="the quickest round counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stitch-cuts-") as folder:
        bench(Path(folder), given.clips, given.moviepy_clips, given.rounds)


def bench(folder: Path, num_clips: int, num_moviepy: int, rounds: int) -> None:
    paths = [folder / f"clip-{index}.mp4" for index in range(num_clips)]
    for index, path in enumerate(paths):
        make_clip(path, seed=index)
    size = sum(path.stat().st_size for path in paths)
    clip_s = NUM_FRAMES / RATE
    print(
        f"{num_clips} clips of {clip_s:g} s at {WIDTH}x{HEIGHT}, {size / 1e6:.0f} MB, "
        f"{size * 8 / 1e6 / clip_s / num_clips:.1f} Mbit/s; the quickest of {rounds} rounds"
    )
    unknown = [Clip(path, sha256_file(path)) for path in paths]
    known = [Clip(clip.path, clip.sha256, info=probe(clip.path)) for clip in unknown]
    ways: dict[str, Callable[[], object]] = {
        "ffmpeg -f concat -c copy": lambda: ffmpeg_concat(paths, folder),
        "shotreel": lambda: shotreel(known, folder),
        "shotreel, every clip probed": lambda: shotreel(unknown, folder),
    }
    taken = dict.fromkeys(ways, float("inf"))
    # Round by round, so that what else the machine does meets all of them alike.
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name] = min(taken[name], timed(way))
    if num_moviepy:
        seconds = timed(lambda: moviepy_chain(paths[:num_moviepy], folder))
        taken[f"moviepy chain, {num_moviepy} clips x {num_clips / num_moviepy:g}"] = (
            seconds * num_clips / num_moviepy
        )
    baseline = taken["ffmpeg -f concat -c copy"]
    print(f"\n| {'way':<34} | {'seconds':>8} | {'to ffmpeg':>9} |")
    print(f"|{'-' * 36}|{'-' * 9}:|{'-' * 10}:|")
    for name, seconds in taken.items():
        print(f"| {name:<34} | {seconds:8.2f} | {seconds / baseline:8.2f}x |")


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def shotreel(clips: list[Clip], folder: Path) -> None:
    out = folder / "film.mp4"
    out.unlink(missing_ok=True)
    stitch(clips, out, cache=folder / "cache")


def ffmpeg_concat(paths: list[Path], folder: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text("".join(f"file '{path}'\n" for path in paths))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "concat", "-safe", "0"]
    out = str(folder / "concat.mp4")
    subprocess.run([*command, "-i", str(listed), "-c", "copy", out], check=True)


def moviepy_chain(paths: list[Path], folder: Path) -> None:
    from moviepy import VideoFileClip, concatenate_videoclips

    clips = [VideoFileClip(str(path)) for path in paths]
    film = concatenate_videoclips(clips, method="chain")
    film.write_videofile(str(folder / "moviepy.mp4"), logger=None)
    for clip in clips:
        clip.close()


def make_clip(path: Path, seed: int) -> None:
    """Small shapes that drift, under grain that is new in every frame: about 5 Mbit/s."""
    noise = np.random.default_rng(seed)
    rows = HEIGHT * 3 // 2
    blocks = noise.integers(30, 220, (rows // 10, WIDTH // 10), dtype=np.uint8)
    shapes = np.kron(blocks, np.ones((10, 10), np.uint8))
    options = {"preset": "veryfast", "crf": "26", "g": "1000", "bf": "3", "sc_threshold": "0"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(NUM_FRAMES):
            grain = noise.integers(0, 8, shapes.shape, dtype=np.uint8)
            picture = np.roll(shapes, 2 * index, 1) + grain
            frame = VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
