"""Rendered clips and stored input files, each under the hash of what it is made of."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .jobs import Job
from .models import picture_size
from .painter import NUM_PAINTERS, Painter, Painting, borrowed

_LOOK = 1
"""Counts up when the rendering changes, so that a kept folder shows the new look."""

MIN_SLATE_SIDE = 160
"""Pixels: on less than this the animatic's lettering has no room."""


class Clips:
    def __init__(self, folder: Path, render: str) -> None:
        self._folder = folder / "clips"
        self._inputs = folder / "inputs"
        for path in (self._folder, self._inputs):
            path.mkdir(parents=True, exist_ok=True)
        self._render = render
        self._pool = ThreadPoolExecutor(NUM_PAINTERS, thread_name_prefix="sandbox-render")
        self._busy: set[Painter] = set()
        self._ordered: dict[Path, Future[Path]] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for painter in list(self._busy):
            painter.stop()

    # clips ------------------------------------------------------------------------------------

    def path(self, job: Job) -> Path:
        facts = [_LOOK, self._render, job.endpoint, job.values, job.image]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{digest[:32]}.mp4"

    def order(self, job: Job) -> Future[Path]:
        """Renders the job's clip unless it is there; from the server's loop only."""
        path = self.path(job)
        order = self._ordered.get(path)
        if order is None or (order.done() and not path.exists()):
            order = self._pool.submit(self._made, job, path)
            self._ordered[path] = order
        return order

    async def ready(self, job: Job) -> Path:
        path = self.path(job)
        if path.exists():
            self._ordered.pop(path, None)
            return path
        return await asyncio.wrap_future(self.order(job))

    def _made(self, job: Job, path: Path) -> Path:
        if path.exists():
            return path
        image = None if job.image is None else self.input_path(job.image)
        width, height = picture_size(job.values, _image_size(image) if image else None)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        os.close(handle)
        part = Path(name)
        painting = Painting(
            path=name,
            look=self._render if min(width, height) >= MIN_SLATE_SIDE else "thumb",
            prompt=job.prompt,
            seed=job.seed,
            num_frames=int(job.values.get("num_frames", 96)),
            rate=int(job.values.get("frames_per_second", 24)),
            width=width,
            height=height,
            label=job.endpoint.partition("/")[2],
            image=str(image) if image else None,
        )
        with borrowed() as painter:
            self._busy.add(painter)
            try:
                painter.paint(painting)
                part.replace(path)
            finally:
                self._busy.discard(painter)
                part.unlink(missing_ok=True)
        return path

    # input files ------------------------------------------------------------------------------

    def keep(self, content: bytes) -> str:
        """Stores a client's file; its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.input_path(sha256)
        if not path.exists():
            handle, name = tempfile.mkstemp(dir=self._inputs, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        return sha256

    def input_path(self, sha256: str) -> Path:
        return self._inputs / sha256

    def is_image(self, content: bytes) -> bool:
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.verify()
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
            return False
        return True

    async def in_thread(self, act: Callable[[str], bytes], argument: str) -> bytes:
        return await asyncio.to_thread(act, argument)


def _image_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        width, height = image.size
    return int(width), int(height)
