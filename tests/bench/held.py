"""Stitch so many clips out of those of a folder, each as if it were another one.

    python -m tests.bench.held FOLDER CLIPS

What `tests.bench.stitch` measures the memory of: it imports what stitching needs and no more, as
the processes that draw do.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

from blocks.media.probe import probe
from blocks.processes import Processes
from flows.stitch import Begin, Clip
from tests.stitch.making import stitch

WORKERS = 2
EVERY = 10
DISSOLVE = Begin("dissolve", Fraction(1, 2))


def main(folder: Path, num_clips: int) -> None:
    paths = sorted(folder.glob("clip-*.mp4"))
    infos = {path: probe(path) for path in paths}
    chosen = [paths[index % len(paths)] for index in range(num_clips)]
    reel = [
        Clip(
            path, f"{num_clips}/{n}", info=infos[path], begins=DISSOLVE if n % EVERY == 0 else None
        )
        for n, path in enumerate(chosen)
    ]
    with Processes(WORKERS) as pool:
        stitch(reel, folder / "held.mp4", cache=folder / "cache", pool=pool)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
