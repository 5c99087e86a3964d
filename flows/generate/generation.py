"""What the clips of one run share while they are bought and downloaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from blocks.errors import AccountPausedError, OverchargedError, SetupError
from blocks.ledger import Attempt
from blocks.providers.base import Provider
from blocks.providers.pace import Pace
from flows.run.context import RunContext, Watcher
from flows.run.opening import open_run
from flows.shots import Shot
from flows.shots.job import models_of, services_of

DOWNLOADS = 8
"""Clips downloaded at one time: bounds memory and open files, not the provider."""


class Gate:
    """The line in front of one account: first come, first served, one asks the ledger at a time."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.freed = asyncio.Event()
        """The next time that room is made: to be taken before the ledger is asked for it, so that
        nobody who waits is passed over, or wakes for room that was there before."""

    def free(self) -> None:
        self.freed.set()
        self.freed = asyncio.Event()


@dataclass
class Generation(RunContext):
    watcher: Watcher
    paused: dict[str, AccountPausedError] = field(default_factory=dict)
    sent: dict[str, Attempt] = field(default_factory=dict)
    """Attempts that this run has sent, by id, as they were accepted: how long they take is known,
    and their requests are, also where the ledger no longer says."""
    fresh: set[str] = field(default_factory=set)
    """Attempts that this run has seen become ready: their media URLs are of today."""
    orphans: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """Clips that dead processes had ordered and that this run downloads, by fingerprint."""
    driven: set[str] = field(default_factory=set)
    """Fingerprints of the clips that tasks of this run obtain."""
    overcharged: dict[tuple[str, str], OverchargedError] = field(default_factory=dict)
    """Models that are stopped, by service and name: they were charged far above their quotes."""
    stop: SetupError | None = None
    """Set where money can no longer be written down: nothing more is bought."""
    task_runs: int = 0

    def __post_init__(self) -> None:
        self.gates = {service: Gate() for service in self.providers}
        self.paces = {service: Pace() for service in self.providers}
        self.taking = asyncio.Lock()
        """Held while an attempt changes its owner: one task of this process drives it."""
        self.downloads = asyncio.Semaphore(DOWNLOADS)
        self.uploads: dict[tuple[str, str], asyncio.Lock] = {}
        self.twins: dict[str, asyncio.Lock] = {}
        """Held while a request is sent that nothing tells from others of its model."""

    def provider_of(self, attempt: Attempt) -> Provider:
        return self.providers[attempt.service]

    def drives(self, attempt: Attempt) -> bool:
        """Whether a task of this run goes on with it."""
        return attempt.fingerprint in self.driven or attempt.fingerprint in self.orphans

    async def end_orphans(self) -> None:
        orphans = list(self.orphans.values())
        for task in orphans:
            task.cancel()
        await asyncio.gather(*orphans, return_exceptions=True)


@asynccontextmanager
async def open_generation(
    shots: Sequence[Shot], watcher: Watcher, *, live: bool, run_id: str = ""
) -> AsyncIterator[Generation]:
    """All that it takes to have clips of these shots, opened and checked. Raises as `open_run`."""
    services, models = services_of(shots, live=live), models_of(shots)
    async with open_run(services, run_id=run_id, models=models) as opened:
        run = Generation(**vars(opened), watcher=watcher)
        try:
            yield run
        finally:
            await run.end_orphans()
