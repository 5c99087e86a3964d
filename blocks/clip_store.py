"""Where clips live: content-addressed files that are whole or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import fsspec

from blocks import settings
from blocks.errors import SetupError

MIN_FREE_BYTES = 64 * 2**20


def clips_url() -> str:
    """From the environment; a folder in the home by default."""
    return os.environ.get("SHOTREEL_CLIPS_URL") or str(settings.home() / "clips")


class ClipStore:
    """Clips by their SHA-256, in a local folder or behind an fsspec URL.

    A remote store keeps what it has served in a local folder beside the ledger. Raises SetupError
    where the folder cannot be written.
    """

    def __init__(self, url: str | None = None) -> None:
        url = url or clips_url()
        self._remote: Any = None
        if "://" in url and not url.startswith("file://"):
            try:
                self._remote, self._root = fsspec.core.url_to_fs(url)
            except (ImportError, ValueError, OSError) as error:
                raise SetupError(
                    f"SHOTREEL_CLIPS_URL cannot be used: {error}",
                    remedy="It is a folder, or an fsspec URL whose package is installed.",
                ) from None
            self.folder = settings.home() / "clips-cache"
        else:
            self.folder = Path(url.removeprefix("file://")).absolute()
        self.incoming = settings.home() / "incoming"
        try:
            for folder in (self.folder, self.incoming):
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".probe-{os.getpid()}"
                probe.write_bytes(b"shotreel")
                probe.unlink()
            free = shutil.disk_usage(self.folder).free
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

    def partial(self, attempt_id: str) -> Path:
        """Where the download of an attempt grows; what is there is resumed."""
        return self.incoming / f"{attempt_id}.part"

    def keep(self, partial: Path, sha256: str) -> Path:
        """Move a verified file to its place, in one step that a crash cannot halve."""
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        if self._remote is not None:
            name = self._name(sha256)
            self._remote.makedirs(name.rsplit("/", 1)[0], exist_ok=True)
            self._remote.put_file(str(partial), f"{name}.part-{os.getpid()}")
            self._remote.mv(f"{name}.part-{os.getpid()}", name)
        partial.chmod(0o444)
        _fsync(partial)
        partial.replace(place)
        _fsync(place.parent)
        return place

    def path(self, sha256: str) -> Path | None:
        """The local file of a clip, checked against its name; None where it is gone or altered."""
        place = self._place(sha256)
        if _matches(place, sha256):
            return place
        if self._remote is None or not self._remote.exists(self._name(sha256)):
            return None
        copy = self.incoming / f"{sha256}.{os.getpid()}.copy"
        self._remote.get_file(self._name(sha256), str(copy))
        if not _matches(copy, sha256):
            copy.unlink(missing_ok=True)
            return None
        place.parent.mkdir(parents=True, exist_ok=True)
        copy.replace(place)
        return place

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.mp4"

    def _name(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}.mp4"


def _matches(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
