"""Where clips live: content-addressed files that are whole or not there at all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from blocks import settings
from blocks.errors import SetupError
from blocks.files import free_bytes, fsync, sha256_once
from blocks.storage.object_store import ObjectStore

MIN_FREE_BYTES = 64 * 2**20
CACHE_GB = 20.0
CLIP_SUFFIX = ".mp4"
SUFFIXES = (CLIP_SUFFIX, ".png", ".jpg", ".webp")
"""Of clips, and of stills."""
IN_USE_S = 3600.0
"""A cached file that any process has used so lately stays, whatever the bound."""


def clips_url() -> str:
    """From the environment; a folder in the home by default."""
    return os.environ.get("SHOTREEL_CLIPS_URL") or str(settings.home() / "clips")


class ClipStore:
    """Clips by their SHA-256, in a local folder or behind an fsspec URL.

    A remote store keeps what it has served in a local folder beside the ledger, up to
    SHOTREEL_CACHE_GB; what this process has used stays while it lives. Raises SetupError where
    either cannot be written.
    """

    def __init__(self, url: str | None = None) -> None:
        url = url or clips_url()
        self.remote: ObjectStore | None = None
        if "://" in url and not url.startswith("file://"):
            self.remote = ObjectStore(url)
            self.folder = settings.home() / "clips-cache"
        else:
            self.folder = Path(url.removeprefix("file://")).absolute()
        self.incoming = settings.home() / "incoming"
        self._used: set[Path] = set()
        self._max_bytes = settings.gigabytes("SHOTREEL_CACHE_GB", CACHE_GB) * 10**9
        self._cached_bytes: int | None = None
        self._check()

    def _check(self) -> None:
        try:
            settings.own_home()
            free_bytes(self.incoming)
            free = free_bytes(self.folder)
        except OSError as error:
            raise SetupError(
                f"The clip store cannot be written: {error.strerror}: {error.filename}.",
                remedy="Nothing was bought. Set SHOTREEL_HOME or SHOTREEL_CLIPS_URL to a folder "
                "that you can write to.",
            ) from None
        if free < MIN_FREE_BYTES:
            raise SetupError(
                f"Only {free // 2**20} MiB are free at the clip store.",
                remedy="Nothing was bought. Free the disk first: a clip that cannot be stored is "
                "paid for all the same.",
            )
        if self.remote:
            self.remote.check()

    def partial(self, attempt_id: str) -> Path:
        """Where the download of an attempt grows; what is there is resumed."""
        return self.incoming / f"{attempt_id}.part"

    def keep(self, partial: Path, sha256: str, suffix: str = CLIP_SUFFIX) -> Path:
        """Move a verified file to its place, in one step that a crash cannot halve."""
        place = self.folder / name_of(sha256, suffix)
        place.parent.mkdir(parents=True, exist_ok=True)
        if self.remote:
            self.remote.put(name_of(sha256, suffix), partial)
        partial.chmod(0o400)
        fsync(partial)
        partial.replace(place)
        fsync(place.parent)
        self._use(place)
        return place

    def path(self, sha256: str) -> Path | None:
        """The local file of a clip, checked against its name; None where it is gone or altered."""
        places = [self.folder / name for name in names_of(sha256)]
        found = next((place for place in places if _matches(place, sha256)), None)
        if found is None and self.remote:
            found = next((place for place in places if self._got(place, sha256)), None)
        if found:
            self._use(found)
        return found

    def _got(self, place: Path, sha256: str) -> bool:
        """Whether the remote store has the file of this name, which is in its place then."""
        assert self.remote is not None
        copy = self.incoming / f"{sha256}.{os.getpid()}.copy"
        try:
            name = name_of(sha256, place.suffix)
            if not self.remote.get(name, copy) or not _matches(copy, sha256):
                return False
            place.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(place)
        finally:
            copy.unlink(missing_ok=True)
        return True

    def clips(self) -> dict[str, tuple[int, datetime | None]]:
        """(bytes, when it was written, where that is known) of every clip, by its SHA-256."""
        if self.remote:
            return {
                PurePosixPath(name).stem: (size, None)
                for name, size in self.remote.sizes().items()
                if name.endswith(SUFFIXES)
            }
        found: dict[str, tuple[int, datetime | None]] = {}
        for file in self._files():
            facts = file.stat()
            found[file.stem] = (facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))
        return found

    def remove(self, sha256: str) -> None:
        """For good: from the store and from what is kept of it here."""
        if self.remote:
            for name in names_of(sha256):
                self.remote.remove(name)
        for name in names_of(sha256):
            (self.folder / name).unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        return (each for each in self.folder.glob("*/*") if each.suffix in SUFFIXES)

    # --- the cache of a remote store ----------------------------------------------------------

    def _use(self, place: Path) -> None:
        if self.remote is None or place in self._used:
            return
        self._used.add(place)
        file = place.stat()
        os.utime(place, ns=(time.time_ns(), file.st_mtime_ns))
        if self._cached_bytes is None or self._cached_bytes + file.st_size > self._max_bytes:
            self._cached_bytes = self._make_room()
        else:
            self._cached_bytes += file.st_size

    def _make_room(self) -> int:
        """Remove what was used longest ago, until the bound is kept; the bytes that are left."""
        files = {}
        for file in self._files():
            try:
                files[file] = file.stat()
            except FileNotFoundError:
                continue  # another process makes room too
        size = sum(found.st_size for found in files.values())
        for file, found in sorted(files.items(), key=lambda item: item[1].st_atime_ns):
            if size <= self._max_bytes or time.time() - found.st_atime < IN_USE_S:
                break
            if file not in self._used:
                file.unlink(missing_ok=True)
                size -= found.st_size
        return size


def name_of(sha256: str, suffix: str = CLIP_SUFFIX) -> str:
    return f"{sha256[:2]}/{sha256}{suffix}"


def names_of(sha256: str) -> list[str]:
    """Under which a file may be; earlier versions have given stills the clips' suffix."""
    return [name_of(sha256, suffix) for suffix in SUFFIXES]


def _matches(path: Path, sha256: str) -> bool:
    try:
        return sha256_once(path) == sha256
    except OSError:
        return False
