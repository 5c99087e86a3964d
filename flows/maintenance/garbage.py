"""What shotreel has left in its home and can make again for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blocks.ledger import Ledger, State
from blocks.storage.clip_store import ClipStore, name_of

DERIVED = ("stitch", "stills", "pictures", "handover", "prefect-results")
"""Folders of the home in which everything is made again when it is wanted."""

ENDED: tuple[State, ...] = ("stored", "released", "lost", "failed")
"""An attempt in these states resumes no download."""

A_DAY_S = 86400.0


@dataclass(frozen=True)
class Garbage:
    kind: str
    path: Path
    num_bytes: int


def garbage_in(home: Path, store: ClipStore, ledger: Ledger, older_than_s: float) -> list[Garbage]:
    """Files whose last change is longer ago; a download that may go on is never one."""
    found = [
        *(each for kind in DERIVED for each in _old(kind, home / kind, older_than_s)),
        *_downloads(store, ledger, older_than_s),
    ]
    if store.remote is not None:
        there = store.remote.sizes()
        found += [
            each
            for each in _old("clips-cache", store.folder, older_than_s)
            if there.get(name_of(each.path.stem, each.path.suffix)) == each.num_bytes
        ]
    return found


def _downloads(store: ClipStore, ledger: Ledger, older_than_s: float) -> Iterator[Garbage]:
    for each in _old("incoming", store.incoming, min(older_than_s, A_DAY_S)):
        attempt = ledger.find(each.path.stem) if each.path.suffix == ".part" else None
        if attempt is None or attempt.state in ENDED:
            yield each


def _old(kind: str, folder: Path, older_than_s: float) -> Iterator[Garbage]:
    now = time.time()
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            facts = path.stat()
            if path.is_file() and now - facts.st_mtime > older_than_s:
                yield Garbage(kind, path, facts.st_size)


def remove(found: list[Garbage], tell: Callable[[Garbage], None] = lambda _: None) -> None:
    for each in found:
        each.path.unlink(missing_ok=True)
        tell(each)


def summed(found: list[Garbage]) -> Mapping[str, tuple[int, int]]:
    """(files, bytes) by kind."""
    sums: dict[str, tuple[int, int]] = {}
    for each in found:
        files, size = sums.get(each.kind, (0, 0))
        sums[each.kind] = (files + 1, size + each.num_bytes)
    return sums
