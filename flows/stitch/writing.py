"""What is said where a film cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av

from blocks.errors import StitchError


@contextmanager
def writing(trouble: str) -> Iterator[None]:
    """Raises StitchError, `trouble` and why, where libav or the disk fails."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise StitchError(
            f"{trouble}: {error.strerror or error}.",
            remedy="The clips are safe. Make room on the disk, then run again.",
        ) from error
