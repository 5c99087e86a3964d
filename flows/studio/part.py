"""One process of the studio, which whoever comes later can find and stop.

Its lock file is locked as long as the process lives: the descriptor is inherited, and nothing else
holds it. So a process id in that file is never taken for another program's, also after a kill.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

STOP_S = 45.0
LOG_BYTES = 20 * 2**20

try:
    import fcntl
except ImportError:  # Windows: `shotreel up` says so
    fcntl = None  # type: ignore[assignment]
SUPPORTED = fcntl is not None


@dataclass
class Part:
    """`command` runs in `folder`; what it says is in `log`."""

    name: str
    command: Sequence[str]
    folder: Path
    env: Mapping[str, str]
    lock: Path
    log: Path
    starts: int = 0
    _started_s: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def alive(self) -> bool:
        if self._process:
            self._process.poll()  # one that has ended is let go, so that its id is free again
        return is_locked(self.lock)

    def start(self) -> bool:
        """False where it runs already."""
        file = take(self.lock)
        if file is None:
            return False
        with file, rotated(self.log) as log:
            self._process = subprocess.Popen(  # noqa: S603 - commands of our own
                self.command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[file.fileno()],
            )
            write_pid(file, self._process.pid)
        self.starts += 1
        self._started_s = time.monotonic()
        return True

    @property
    def lived_s(self) -> float:
        return time.monotonic() - self._started_s

    def stop(self, within_s: float = STOP_S) -> None:
        stop(self.lock, within_s)
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)

    def last_words(self, lines: int = 12) -> str:
        with suppress(OSError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        return ""


def rotated(log: Path) -> IO[bytes]:
    """The log, to be written on; a long one is put aside first."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
    return log.open("ab")


def take(lock: Path) -> IO[str] | None:
    """The lock file, locked as long as anybody has it open; None where another has it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = lock.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def write_pid(file: IO[str], pid: int) -> None:
    file.truncate(0)
    file.write(str(pid))
    file.flush()


def is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    file = take(lock)
    if file is None:
        return True
    file.close()
    return False


def pid_of(lock: Path) -> int | None:
    """The process that holds the lock; None where nobody does, or it has just begun."""
    if not is_locked(lock):
        return None
    text = lock.read_text("ascii").strip()
    return int(text) if text.isdigit() else None


def stop(lock: Path, within_s: float = STOP_S) -> None:
    """Ask the process that holds the lock to end, and its group; after a while it has to."""
    for sign, patience_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, 10.0)):
        pid = pid_of(lock)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            if sign is signal.SIGTERM:
                os.kill(pid, sign)  # Prefect's worker takes a second SIGTERM for a SIGKILL
            else:
                os.killpg(pid, sign)
        limit = time.monotonic() + patience_s
        while is_locked(lock) and time.monotonic() < limit:
            time.sleep(0.1)


def marked(*marks: str) -> list[int]:
    """Processes in whose environment each mark begins an entry, where the system tells (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            variables = (entry / "environ").read_bytes().split(b"\0")
            if all(any(v.startswith(m.encode()) for v in variables) for m in marks):
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def end_marked(*marks: str, within_s: float = 20.0) -> bool:
    """Stop processes that nobody waits for any more; False where there were none."""
    first = marked(*marks)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in (left := marked(*marks)):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        limit = time.monotonic() + within_s
        while left and time.monotonic() < limit:
            time.sleep(0.2)
            left = marked(*marks)
    return bool(first)
