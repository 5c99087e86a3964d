"""How long stitching takes and what memory it needs: beside ffmpeg and moviepy, in one run.

    python -m tests.bench.stitch [cuts] [dissolves] [memory] [arriving] [--clips 60] ...

All four without a name. The clips are like the services' own: 1280x720 at 24 frames a second, 96
frames with one keyframe, B-frames, 3 to 8 Mbit/s. shotreel's times include the film's SHA-256 and
an fsync, which the others do not do. ffmpeg's chain of dissolves has the settings that shotreel
draws with; how alike each film is to the same chain without loss (SSIM) is measured beside. moviepy
decodes and encodes every frame, so it is given fewer clips and its time is scaled to all of them by
their number.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from shutil import rmtree
from threading import Event, Thread
from types import ModuleType

import av
import imageio_ffmpeg
import numpy as np
from av.video.frame import VideoFrame

from blocks.files import sha256_file
from blocks.media.probe import probe
from blocks.processes import Processes
from blocks.sandbox import Sandbox
from flows.generate.all_clips import Clips
from flows.generate.generation import open_generation
from flows.generate.lifecycle import obtain
from flows.planning.reserving import plan_list, reserve
from flows.report.progress import Progress
from flows.run.context import Clip as Stored
from flows.shots import read_shots
from flows.shots.job import Job
from flows.stitch import Clip, cut, film, splice
from flows.stitch.assemble import film_items
from flows.stitch.finish import AS_IT_IS
from flows.stitch.render import X264, draw
from flows.stitch.stitcher import Stitcher
from flows.tasks.stitch import WORKERS, draw_early
from tests.bench.held import DISSOLVE, EVERY
from tests.stitch.making import known_or_made, stitch

WIDTH, HEIGHT, RATE, NUM_FRAMES = 1280, 720, 24, 96
MEMORY_CLIPS = (50, 500)
XFADE = "ffmpeg, a chain of xfade"
UNCONVERTED = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
"""What nothing is said of would be taken for another colour space, and converted."""
ARRIVING, EVERY_S = 12, 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parts = {"cuts": cuts, "dissolves": dissolves, "memory": memory, "arriving": arriving}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--moviepy-clips", type=int, default=4, help="0 leaves moviepy out")
    parser.add_argument("--rounds", type=int, default=3, help="of the cuts; the quickest counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stitch-") as name:
        folder = Path(name)
        clips = make_clips(folder, given.clips)
        for part in given.parts or parts:
            parts[part](folder, clips, given)


def make_clips(folder: Path, num_clips: int) -> list[Clip]:
    clips = []
    for index in range(num_clips):
        path = folder / f"clip-{index}.mp4"
        make_clip(path, seed=index)
        clips.append(Clip(path, sha256_file(path), info=probe(path)))
    size = sum(clip.path.stat().st_size for clip in clips)
    clip_s = NUM_FRAMES / RATE
    print(
        f"{num_clips} clips of {clip_s:g} s at {WIDTH}x{HEIGHT}, {size / 1e6:.0f} MB, "
        f"{size * 8 / 1e6 / clip_s / num_clips:.1f} Mbit/s"
    )
    return clips


# straight cuts -----------------------------------------------------------------------------------


def cuts(folder: Path, clips: Sequence[Clip], given: argparse.Namespace) -> None:
    paths = [clip.path for clip in clips]
    unknown = [replace(clip, info=None) for clip in clips]
    ways: dict[str, Callable[[], object]] = {
        "ffmpeg -f concat -c copy": lambda: ffmpeg_concat(paths, folder),
        "shotreel": lambda: shotreel(clips, folder),
        "shotreel, every clip probed": lambda: shotreel(unknown, folder),
    }
    taken = dict.fromkeys(ways, float("inf"))
    # Round by round, so that what else the machine does meets all of them alike.
    for _ in range(given.rounds):
        for name, way in ways.items():
            taken[name] = min(taken[name], timed(way))
    if few := given.moviepy_clips:
        seconds = timed(lambda: moviepy_chain(paths[:few], folder))
        taken[f"moviepy chain, {few} clips, scaled"] = seconds * len(clips) / few
    show(f"{len(clips)} clips, straight cuts", taken, "ffmpeg -f concat -c copy")
    rounds = [verified(lambda: shotreel(clips, folder)) for _ in range(given.rounds)]
    spliced_s, checked_s = map(min, zip(*rounds, strict=True))
    print(f"the splice took {spliced_s:.3f} s; its check {checked_s / spliced_s:.0%} of it more")


def verified(way: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the splice without its check of the film, and of the check."""
    spent = {"splice": 0.0, "check": 0.0}
    with ExitStack() as stack:
        for module, name in ((film, "splice"), (splice, "check")):
            stack.enter_context(measured(module, name, spent))
        way()
    return spent["splice"] - spent["check"], spent["check"]


@contextmanager
def measured(module: ModuleType, name: str, spent: dict[str, float]) -> Iterator[None]:
    kept = getattr(module, name)

    def call(*given: object) -> None:
        spent[name] += timed(lambda: kept(*given))

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, kept)


def shotreel(clips: Sequence[Clip], folder: Path, pool: Executor | None = None) -> None:
    out = folder / "film.mp4"
    out.unlink(missing_ok=True)
    stitch(clips, out, cache=folder / "cache", pool=pool)


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


# dissolves ---------------------------------------------------------------------------------------


def dissolves(folder: Path, clips: Sequence[Clip], given: argparse.Namespace) -> None:
    """Every seam a dissolve of half a second; then the same with another clip in the middle."""
    reel = [replace(clip, begins=DISSOLVE) for clip in clips]
    changed = list(reel)
    path = folder / "changed.mp4"
    make_clip(path, seed=-1)
    middle = len(reel) // 2
    changed[middle] = Clip(path, sha256_file(path), info=probe(path), begins=DISSOLVE)
    rmtree(folder / "cache", ignore_errors=True)
    taken: dict[str, float] = {}
    with Processes(WORKERS) as pool:
        taken["shotreel, nothing cached"] = timed(lambda: shotreel(reel, folder, pool))
        before = num_drawn(folder)
        taken["shotreel, one clip changed"] = timed(lambda: shotreel(changed, folder, pool))
        drawn = num_drawn(folder) - before
        taken["shotreel, all segments cached"] = timed(lambda: shotreel(reel, folder, pool))
    paths = [clip.path for clip in clips]
    chained, lossless = folder / "chained.mp4", folder / "lossless.mp4"
    taken[XFADE] = timed(lambda: ffmpeg_xfade(paths, chained, X264))
    ffmpeg_xfade(paths, lossless, {"preset": "ultrafast", "qp": "0"})
    if few := given.moviepy_clips:
        seconds = timed(lambda: moviepy_composite(paths[:few], folder))
        taken[f"moviepy CompositeVideoClip, {few} clips, scaled"] = seconds * len(clips) / few
    show(f"{len(clips)} clips, every seam a 0.5 s dissolve", taken, XFADE)
    for name, made in (("shotreel", folder / "film.mp4"), ("ffmpeg", chained)):
        print(
            f"{name}: SSIM of luma {ssim(made, lossless):.4f}, {made.stat().st_size / 1e6:.1f} MB"
        )
    print(f"{before} segments are drawn; with one clip changed, {drawn}")


def ffmpeg_xfade(paths: Sequence[Path], out: Path, options: Mapping[str, str]) -> None:
    """Every frame decoded and encoded, as xfade has it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    for path in paths:
        command += ["-i", str(path)]
    chain, last = [], "0:v"
    for n in range(1, len(paths)):
        offset_s = n * (NUM_FRAMES / RATE - 0.5)
        chain.append(f"[{last}][{n}:v]xfade=fade:duration=0.5:offset={offset_s}[f{n}]")
        last = f"f{n}"
    command += ["-filter_complex", ";".join(chain), "-map", f"[{last}]", "-pix_fmt", "yuv420p"]
    command += ["-c:v", "libx264"]
    for name, value in options.items():
        threads = "threads=1:"  # shotreel draws in a process for each core; here x264 has them all
        command += [f"-{name}", value.replace(threads, "")]
    subprocess.run([*command, str(out)], check=True)


def ssim(film: Path, reference: Path) -> float:
    """Of the luma: xfade works in 4:4:4, so that its own chroma is resampled."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "info", "-i", str(film), "-i", str(reference)]
    alike = f"[0:v]{UNCONVERTED}[a];[1:v]{UNCONVERTED}[b];[a][b]ssim"
    told = subprocess.run(
        [*command, "-lavfi", alike, "-f", "null", "-"],
        check=True,
        capture_output=True,
        text=True,
    )
    (found,) = re.findall(r"SSIM Y:([\d.]+)", told.stderr)
    return float(found)


def num_drawn(folder: Path) -> int:
    return len(list((folder / "cache" / "segments").iterdir()))


def moviepy_composite(paths: list[Path], folder: Path) -> None:
    from moviepy import CompositeVideoClip, VideoFileClip, vfx

    opened = [VideoFileClip(str(path)) for path in paths]
    placed: list[VideoFileClip] = []
    start_s = 0.0
    for clip in opened:
        late = clip.with_start(start_s)
        placed.append(late.with_effects([vfx.CrossFadeIn(0.5)]) if placed else late)
        start_s += clip.duration - 0.5
    film = CompositeVideoClip(placed)
    film.write_videofile(str(folder / "moviepy.mp4"), logger=None)
    for clip in opened:
        clip.close()


# memory ------------------------------------------------------------------------------------------


def memory(folder: Path, clips: Sequence[Clip], given: argparse.Namespace) -> None:
    """The most that a stitching process and its workers hold together, shared pages shared."""
    print(f"\n| clips, every {EVERY}th seam a dissolve | seconds | most memory, MB |")
    print("|---|---:|---:|")
    for num_clips in MEMORY_CLIPS:
        command = [sys.executable, "-m", "tests.bench.held", str(folder), str(num_clips)]
        start = time.perf_counter()
        held = subprocess.Popen(command)
        with watched(held.pid) as peak:
            if held.wait():
                sys.exit("it could not be stitched")
        print(f"| {num_clips} | {time.perf_counter() - start:.1f} | {peak[0] / 1e6:.0f} |")


@contextmanager
def watched(pid: int) -> Iterator[list[int]]:
    """The most bytes that a process and its children have held so far, in a list of one."""
    peak, over = [0], Event()

    def look() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], sum(map(held_by, family(pid))))

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def family(pid: int) -> list[int]:
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(member for child in children for member in family(int(child)))]
    return [pid]


def held_by(pid: int) -> int:
    """Proportional set size in bytes: what several processes share is counted once."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


# clips that arrive one by one --------------------------------------------------------------------


def arriving(folder: Path, clips: Sequence[Clip], given: argparse.Namespace) -> None:
    """Every three seconds a clip: how long after the last is the film there? The program's own
    drawing beside the generation, over the sandbox's clips, every seam a dissolve."""
    environment = {"SHOTREEL_HOME": str(folder / "home"), "NO_PROXY": "*"}
    rows = [f"{n:03},A wave breaks,{n},{'dissolve' if n else ''}" for n in range(ARRIVING)]
    listed = folder / "list.csv"
    listed.write_text("\n".join(("shot,prompt,seed,transition", *rows)))
    with Sandbox(folder / "sandbox", latency_s=0.1) as sandbox:
        os.environ |= environment | {"SHOTREEL_SANDBOX_URL": sandbox.url}
        late_s, one_s = asyncio.run(arrive(str(listed), folder))
    print(f"\n| {ARRIVING} clips, one every {EVERY_S} s, every seam a dissolve | seconds |")
    print("|---|---:|")
    print(f"| from the last clip to the film | {late_s:.2f} |")
    print(f"| the drawing of its segment alone | {one_s:.2f} |")


async def arrive(shots: str, folder: Path) -> tuple[float, float]:
    rows = read_shots(shots)
    begun = 0.0
    arrived: dict[str, float] = {}

    async def bring(job: Job) -> Stored:
        clip = await obtain(run, job, intents[job.fingerprint])
        await generated.wait()  # all are there: painting them is not what is measured
        await asyncio.sleep(max(0.0, begun + int(job.name[-3:]) * EVERY_S - time.perf_counter()))
        arrived[job.name] = time.perf_counter()
        return clip

    async with open_generation(rows, Progress(), live=False) as run:
        plan = await plan_list(run, rows, live=False)
        intents = await reserve(run, plan, "list", None)
        generated = asyncio.Event()
        clips = Clips(bring, bring)
        clips.start(run, plan)
        while len(list((folder / "home" / "clips").rglob("*.mp4"))) < ARRIVING:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        begun = time.perf_counter()
        generated.set()
        with Processes(WORKERS) as processes:
            stitcher = Stitcher(processes, folder / "home" / "stitch")
            early = asyncio.create_task(draw_early(stitcher, plan, clips, AS_IT_IS))
            items = film_items(plan, await clips.all(), AS_IT_IS)
            assert items
            await known_or_made(stitcher, items, folder / "arrived.mp4")
            late_s = time.perf_counter() - max(arrived.values())
            await early
        *_, last = cut(items, AS_IT_IS, cache=folder, name="film").drawings
        start = time.perf_counter()
        await asyncio.to_thread(draw, last, folder / "alone")
        return late_s, time.perf_counter() - start


# all of them -------------------------------------------------------------------------------------


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def show(title: str, taken: dict[str, float], baseline: str) -> None:
    print(f"\n| {title} | seconds | to {baseline} |")
    print("|---|---:|---:|")
    for name, seconds in taken.items():
        print(f"| {name} | {seconds:.2f} | {seconds / taken[baseline]:.2f} |")


def make_clip(path: Path, seed: int) -> None:
    """Small shapes that drift, under grain that is new in every frame: about 5 Mbit/s."""
    noise = np.random.default_rng(abs(seed) + (10**6 if seed < 0 else 0))
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
