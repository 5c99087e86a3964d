"""Files on the local disk: the old one or the new one at every moment, and the room for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

SETTLED_NS = 2 * 10**9
"""A file that changes twice within a tick of its file system's clock looks as if it had not."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path`, to be filled: it then takes the place of `path`, or goes on an error.

    Its name is the process's own, so that several may make the same file. Makes the folder.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_once(path: Path) -> str:
    """`sha256_file`, read once a process while the file's inode, size and times stay as they are.

    What changes a file changes its ctime, which no program can set (POSIX, `futimens`).
    """
    facts = path.stat()
    if time.time_ns() - facts.st_ctime_ns < SETTLED_NS:
        return sha256_file(path)
    return _sha256(path, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@lru_cache(maxsize=10_000)
def _sha256(path: Path, inode: int, size: int, mtime_ns: int, ctime_ns: int) -> str:
    return sha256_file(path)


def fsync(path: Path) -> None:
    """What was written to a file, or renamed in a folder, outlasts a power cut from here on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: Path) -> int:
    """Makes the folder and writes to it: what is free there can be used. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe-{os.getpid()}"
    probe.write_bytes(b"shotreel")
    probe.unlink()
    return shutil.disk_usage(folder).free
