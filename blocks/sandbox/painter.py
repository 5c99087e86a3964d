"""Rendering in a process of its own: `python -m blocks.sandbox.render`.

The sandbox may live in the process of the flow that it serves. Rendering there, even in a thread,
would hold the interpreter's lock for milliseconds at a time and delay every poll.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


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
    """One rendering process, started with the first painting; for one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

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

    def close(self) -> None:
        self._closed = True
        if self._process:
            self._process.kill()
            self._process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._closed:
            raise PaintError("the painter is closed")
        if self._process is None or self._process.poll() is not None:
            root = str(Path(__file__).parents[2])
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "blocks.sandbox.render"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                # Ctrl-C is for the sandbox; the painter ends with its standard input.
                start_new_session=True,
            )
        return self._process
