"""A server that is being started: whether it answers, and what it says where it never will."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

from blocks.errors import SetupError
from flows.studio.place import answers

LOOK_S = 0.1
COMPLAINT_BYTES = 2**16
NO_COMPLAINT = re.compile(r"\s|$|.*Traceback \(most recent|.*\| (WARNING|INFO) ")
LOGGED = re.compile(r"[\d:.]+ \| \w+ +\| [\w.]+ - ")


def wait_for(process: subprocess.Popen[Any], url: str, within_s: float) -> None:
    """Until the process answers there. Raises TimeoutError where it ends first, or takes longer."""
    limit = time.monotonic() + within_s
    while not answers(url):
        if process.poll() is not None:
            raise TimeoutError("it ended")
        if time.monotonic() > limit:
            raise TimeoutError(f"no answer after {within_s:g} s")
        time.sleep(LOOK_S)


def complaint(log: Path, before: int) -> str:
    """The first error in what was written into the log `before` these bytes; the trace left out."""
    with log.open("rb") as file:
        file.seek(before if before <= log.stat().st_size else 0)  # it may have been put aside
        said = file.read(COMPLAINT_BYTES).decode("utf-8", "replace").splitlines()
    errors = (LOGGED.sub("", line) for line in said if not NO_COMPLAINT.match(line))
    return next(errors, "without a word")


def not_started(why: str, log: Path) -> SetupError:
    return SetupError(
        f"Prefect's embedded server did not start: {why}.",
        remedy=f"All that it said is in {log}. Then run the same command again, or keep a server "
        "up with `shotreel up`.",
    )
