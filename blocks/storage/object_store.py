"""Files behind an fsspec URL (an S3-compatible store, say): whole, or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blocks.errors import SetupError
from blocks.providers.http import plain

WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"}
"""Object stores: an upload, also one in parts, shows nothing until it is complete."""

EXTRAS = {"s3": "s3", "s3a": "s3"}
"""The extra of ours that brings a protocol's package."""


class ObjectStore:
    """Endpoint and keys come from the environment, as the protocol's own tools read it (AWS_...).

    Raises SetupError where the store cannot be used; what was bought is not lost by that.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # folders do without

        self._url = url
        protocol = url.partition("://")[0]
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise SetupError(
                "SHOTREEL_CLIPS_URL holds a key, which logs and pages would show.",
                remedy="Leave it out: keys come from the environment (AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, for instance).",
            )
        try:
            # No listings are kept, for other machines write too; and the environment is read anew.
            self._fs, self._root = fsspec.core.url_to_fs(
                url, use_listings_cache=False, skip_instance_cache=True
            )
        except (ImportError, ValueError, OSError, TypeError) as error:
            extra = EXTRAS.get(protocol)
            install = f" (pip install 'shotreel[{extra}]')" if extra else ""
            raise SetupError(
                f"SHOTREEL_CLIPS_URL cannot be used: {plain(error)}",
                remedy=f"It is a folder, or an fsspec URL whose package is installed{install}.",
            ) from None
        self._whole_at_once = protocol in WHOLE_AT_ONCE

    def check(self) -> None:
        """Whether it can be written, before anything is bought."""
        with self._said("cannot be written"):
            self._fs.pipe_file(self._path("probe"), b"shotreel")

    def put(self, name: str, file: Path) -> None:
        path = self._path(name)
        with self._said("cannot be written"):
            if self._whole_at_once:
                self._fs.put_file(str(file), path)
                return
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            part = f"{path}.part-{os.getpid()}"
            self._fs.put_file(str(file), part)
            self._fs.mv(part, path)

    def get(self, name: str, file: Path) -> bool:
        """Copy it to `file`; False where it is not there."""
        with self._said("cannot be read"):
            try:
                self._fs.get_file(self._path(name), str(file))
            except FileNotFoundError:
                return False
        return True

    def sizes(self) -> dict[str, int]:
        """Bytes of every file, by its name."""
        with self._said("cannot be listed"):
            found: dict[str, Any] = self._fs.find(self._root, detail=True)
        start = len(self._root) + 1
        return {path[start:]: int(info["size"] or 0) for path, info in found.items()}

    def remove(self, name: str) -> None:
        with self._said("cannot be cleared"), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """Every file system has exceptions of its own."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the store is not there
            raise SetupError(
                f"The clip store {self._url} {what}: {plain(error) or type(error).__name__}.",
                remedy="What was bought is not lost. Check the store's address, its keys and that "
                "its bucket is there; then run the same command again.",
            ) from None
