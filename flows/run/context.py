"""What a run works with: ledger, store, accounts, and what it tells about its progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import httpx
from sqlalchemy.exc import DBAPIError

from blocks.errors import AccountPausedError, OverchargedError, SetupError
from blocks.ledger import Attempt, Intent, Ledger
from blocks.ledger.writer import LedgerWriter
from blocks.media.probe import MediaInfo
from blocks.processes import Processes
from blocks.providers.base import Provider
from blocks.providers.pace import Pace
from blocks.storage.clip_store import ClipStore
from flows.shots.job import Job

DOWNLOADS = 8
"""Clips brought home at one time: bounds memory and open files, not the provider."""

WORKERS = 2
"""Processes that stitch, so that the loop goes on polling."""

P = ParamSpec("P")
T = TypeVar("T")


class Watcher(Protocol):
    """Is told of every step of every clip, as it happens."""

    def state(self, fingerprint: str, state: str, note: str = "") -> None: ...

    def say(self, message: str) -> None: ...

    def begins(self, what: str) -> None:
        """It is being drawn."""
        ...

    def ends(self, what: str) -> None: ...


class Unwatched:
    """Tells nobody."""

    def state(self, fingerprint: str, state: str, note: str = "") -> None:
        pass

    def say(self, message: str) -> None:
        pass

    def begins(self, what: str) -> None:
        pass

    def ends(self, what: str) -> None:
        pass


@dataclass(frozen=True)
class Clip:
    """A clip that is in the store; `info` where this run has opened it."""

    fingerprint: str
    attempt_id: str
    sha256: str
    num_frames: int
    path: Path
    info: MediaInfo | None = field(default=None, repr=False, compare=False)


class Gate:
    """The line in front of one account: first come, first served, one asks the ledger at a time."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.freed = asyncio.Event()


@dataclass
class RunContext:
    run_id: str
    ledger: Ledger
    store: ClipStore
    client: httpx.AsyncClient
    providers: Mapping[str, Provider]
    """By the service's name in the ledger, such as `fal` or `sandbox/fal`."""
    watcher: Watcher
    paused: dict[str, AccountPausedError] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    """Attempts that this run has sent: how long they take is known."""
    fresh: set[str] = field(default_factory=set)
    """Attempts that this run has seen become ready: their media URLs are of today."""
    task_runs: int = 0
    """Started in this run: what Prefect's record of it has to hold in the end."""
    jobs: dict[str, Job] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    drawings: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    """Segments of films that are drawn, or are being drawn, by this run."""
    errands: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """Clips that dead processes had ordered and that this run brings home, by fingerprint."""
    sounds: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    """Sound of films, likewise."""
    driven: set[str] = field(default_factory=set)
    """Fingerprints whose attempts a task of this run goes on with."""
    overcharged: dict[tuple[str, str], OverchargedError] = field(default_factory=dict)
    """Models that are stopped, by service and name: they were charged far above their quotes."""
    stop: SetupError | None = None
    """Set where money can no longer be written down: nothing more is bought."""

    def __post_init__(self) -> None:
        self.gates = {service: Gate() for service in self.providers}
        self.paces = {service: Pace() for service in self.providers}
        self.taking = asyncio.Lock()
        """Held while an attempt changes its owner: one task of this process drives it."""
        self.downloads = asyncio.Semaphore(DOWNLOADS)
        self.uploads: dict[tuple[str, str], asyncio.Lock] = {}
        self.twins: dict[str, asyncio.Lock] = {}
        """Held while a request is sent that nothing tells from others of its model."""
        self.processes = Processes(WORKERS)
        self._writer = LedgerWriter(self.ledger.engine)

    async def book(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the ledger in its own thread: the loop goes on, and shots share commits.

        Raises SetupError where the database cannot do it (disk full, locked, gone).
        """
        try:
            return await self._writer.do(partial(call, *args, **kwargs))
        except DBAPIError as error:
            raise SetupError(
                f"The ledger cannot be written: {str(error.orig).splitlines()[0]}.",
                remedy="What was bought is not lost. Mend the ledger's disk, then run it again.",
            ) from None

    def provider_of(self, attempt: Attempt) -> Provider:
        return self.providers[attempt.service]

    async def end_orphans(self) -> None:
        errands = list(self.errands.values())
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)

    def close(self) -> None:
        self._writer.close()
        self.processes.shutdown(cancel_futures=True)


current: ContextVar[RunContext] = ContextVar("workshop")
