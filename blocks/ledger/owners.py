"""Which process drives an attempt, and whether it is still alive.

A process writes a beat every few seconds. On its own host a dead process is known at once; on
another host, when its beats stop.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

BEAT_S = 4.0
SILENT = timedelta(seconds=20)


@dataclass(frozen=True)
class Owner:
    id: str
    host: str
    pid: int
    beat_at: datetime


@cache
def this_host() -> str:
    """A name that two process tables never share, containers on one machine among them."""
    facts = [platform.node()]
    try:
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        pass  # not Linux: the node's name has to do
    return "/".join(facts)


def is_alive(owner: Owner, now: datetime) -> bool:
    if owner.host == this_host():
        try:
            os.kill(owner.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return now - owner.beat_at < SILENT


class Heart:
    """Beats in a thread of its own, so that a busy event loop does not look like a death."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shotreel-heart", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=BEAT_S)

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            # A beat that fails says nothing about this process; the next one may do better.
            with suppress(SQLAlchemyError):
                self._beat()
