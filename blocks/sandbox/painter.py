"""Rendering in a process of its own: `python -m blocks.sandbox.render`.

The sandbox may live in the process of the flow that it serves. Rendering there, even in a thread,
would hold the interpreter's lock for milliseconds at a time and delay every poll.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

NUM_PAINTERS = 2


class PaintError(Exception):
    """The painter could not render a clip; the message is its own."""


@dataclass(frozen=True, slots=True)
class Painting:
    """What to render where; a line of JSON on the painter's standard input."""

    path: str
    look: str
    prompt: str
    seed: int
    num_frames: int
    rate: int
    width: int
    height: int
    label: str
    image: str | None


class Painter:
    """One rendering process, started with its first painting; for one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._starting = threading.Lock()

    def paint(self, painting: Painting) -> None:
        process = self._running()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(asdict(painting)) + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except (OSError, ValueError) as error:
            raise PaintError(f"the painter is gone: {error}") from error
        if not reply:
            raise PaintError(f"the painter ended with code {process.wait()}")
        if error_text := json.loads(reply)["error"]:
            raise PaintError(error_text)

    def stop(self) -> None:
        """From any thread: whoever waits for a painting gets a PaintError."""
        with self._starting:
            if self._process:
                self._process.kill()
                self._process.wait()

    def _running(self) -> subprocess.Popen[str]:
        with self._starting:
            if self._process is None or self._process.poll() is not None:
                root = str(Path(__file__).parents[2])
                paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "blocks.sandbox.render"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                    # Ctrl-C is for the sandbox; the painter ends with its standard input.
                    start_new_session=True,
                )
            return self._process


# All sandboxes of this process share them: to start one takes as long as to paint a clip.
_PAINTERS = [Painter() for _ in range(NUM_PAINTERS)]
# The last one back is the next one out, so that a single clip starts a single process.
_idle: queue.LifoQueue[Painter] = queue.LifoQueue()
for _painter in _PAINTERS:
    _idle.put(_painter)
    atexit.register(_painter.stop)


@contextmanager
def borrowed() -> Iterator[Painter]:
    """A painter, when one is free."""
    painter = _idle.get()
    try:
        yield painter
    finally:
        _idle.put(painter)
