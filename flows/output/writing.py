"""Writing a file of the output folder: the old one or the new one, never half of either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks.errors import SetupError
from blocks.files import replacing


def write_atomically(path: Path, text: str) -> None:
    """The file becomes `text`. Raises SetupError."""
    with part_of(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when it is filled. Raises SetupError."""
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="What was bought is kept. Make room, or choose another folder with --out, and "
            "run the same command again.",
        ) from None
