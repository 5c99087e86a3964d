"""Input pictures: their bytes are what is fingerprinted, and what is uploaded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from pathlib import Path

import httpx

from blocks import settings
from blocks.download import Fetched, Vanished, download
from blocks.errors import ClipError, InputError, ShotreelError
from blocks.media import sha256_file
from blocks.provider import Again
from blocks.retry import again_until
from flows.generate.job import Picture

PATIENCE_S = 30.0
MAX_PICTURE_BYTES = 30_000_000
AT_ONCE = 8

KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def content_type(path: Path) -> str | None:
    """By the file's first bytes; None for what is not a PNG, a JPEG or a WebP."""
    with path.open("rb") as file:
        head = file.read(16)
    for magic, kind in KINDS:
        if head.startswith(magic):
            return kind
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def picture_of(path: Path) -> Picture:
    """Raises InputError for a file that is not a picture."""
    kind = content_type(path)
    if kind is None:
        raise InputError(
            f"{path.name} is not a PNG, a JPEG or a WebP picture.",
            remedy="Save it as one of these.",
        )
    return Picture(str(path), sha256_file(path), kind)


async def gather_pictures(client: httpx.AsyncClient, images: Iterable[str]) -> dict[str, Picture]:
    """The bytes of every picture that the list names, by its name there.

    Pictures at a URL are brought here first, so that what was fingerprinted is what is sent, also
    if the URL shows another picture tomorrow. Raises InputError with all that could not be had.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(image: str) -> Picture:
        if not image.startswith(("http://", "https://")):
            return await asyncio.to_thread(picture_of, Path(image))
        async with limit:
            return await asyncio.to_thread(picture_of, await _bring(client, image))

    names = list(dict.fromkeys(images))
    found = await asyncio.gather(*(one(name) for name in names), return_exceptions=True)
    pictures: dict[str, Picture] = {}
    problems: list[str] = []
    for name, outcome in zip(names, found, strict=True):
        if isinstance(outcome, Picture):
            pictures[name] = outcome
        elif isinstance(outcome, (ShotreelError, OSError)):
            problems.append(f"image {name}: {outcome}")
        else:
            raise outcome
    if problems:
        raise InputError(
            "Some pictures cannot be had:\n  " + "\n  ".join(problems),
            remedy="Nothing was bought. Correct the image column.",
        )
    return pictures


async def _bring(client: httpx.AsyncClient, url: str) -> Path:
    folder = settings.home() / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(url.encode()).hexdigest()
    path.unlink(missing_ok=True)
    # The list's author may well keep pictures on a machine of their own.
    hosts = {httpx.URL(url).host}

    async def one_try() -> Fetched | Vanished | Again:
        return await download(client, url, path, hosts)

    found: Fetched | Vanished = await again_until(PATIENCE_S, one_try, url)
    if not isinstance(found, Fetched):
        raise ClipError(found.reason)
    if found.num_bytes > MAX_PICTURE_BYTES:
        raise ClipError(f"it is larger than {MAX_PICTURE_BYTES // 10**6} MB")
    return path
