"""What a run works with: ledger, store, accounts; and whoever is told of its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import httpx

from blocks.ledger import Ledger
from blocks.providers.base import Provider
from blocks.storage.clip_store import ClipStore

if TYPE_CHECKING:
    from blocks.media.probe import MediaInfo

Phase = Literal["reading", "planning", "generating", "stitching", "done"]


class Watcher(Protocol):
    """Is told of every step of every clip, as it happens."""

    def state(self, fingerprint: str, state: str, note: str = "") -> None: ...

    def say(self, message: str) -> None: ...

    def begins(self, what: str) -> None:
        """It is being drawn."""
        ...

    def ends(self, what: str) -> None: ...

    def enter(self, phase: Phase) -> None: ...


@dataclass(frozen=True)
class Clip:
    """A clip that is in the store; `info` where this run has opened it."""

    fingerprint: str
    attempt_id: str
    sha256: str
    num_frames: int
    path: Path
    info: MediaInfo | None = field(default=None, repr=False, compare=False)


@dataclass
class RunContext:
    run_id: str
    ledger: Ledger
    store: ClipStore
    client: httpx.AsyncClient
    providers: Mapping[str, Provider]
    """By the service's name in the ledger, such as `fal` or `sandbox/fal`."""
