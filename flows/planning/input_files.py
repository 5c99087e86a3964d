"""Input files: their bytes are what is fingerprinted, and what is uploaded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

import httpx

from blocks import settings
from blocks.errors import ClipError, InputError, ShotreelError
from blocks.files import sha256_file
from blocks.providers.base import Again
from blocks.providers.download import (
    Fetched,
    Patience,
    Vanished,
    check_media_url,
    download,
)
from blocks.providers.http import Trusted, origin
from blocks.providers.model import FileName, Media
from blocks.providers.retry import again_until
from flows.shots.job import InputFile

PATIENCE_S = 30.0
MAX_BYTES: dict[Media, int] = {
    "image": 30_000_000,
    "video": 1_000_000_000,
    "audio": 200_000_000,
}
TAKEN: dict[Media, str] = {
    "image": "a PNG, a JPEG or a WebP picture",
    "video": "an MP4, a MOV or a WebM video",
    "audio": "an MP3, WAV, FLAC, OGG, AAC or M4A sound file",
}
AT_ONCE = 8

RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
SOUNDS = (
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"\xff\xf1", "audio/aac"),
)
PICTURE_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
PICTURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def picture_suffix(path: Path) -> str | None:
    """What a picture's name ends with, by its first bytes; None for what is none."""
    return PICTURE_SUFFIXES.get(content_type(path) or "")


def content_type(path: Path) -> str | None:
    """By the file's first bytes; None for what no model is known to take."""
    with path.open("rb") as file:
        head = file.read(16)
    for magic, kind in PICTURES:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in RIFF:
        return RIFF[head[8:12]]
    for magic, kind in SOUNDS:
        if head.startswith(magic):
            return kind
    if head[4:8] == b"ftyp":
        if head[8:11] == b"M4A":
            return "audio/mp4"
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    return "video/webm" if head.startswith(b"\x1a\x45\xdf\xa3") else None


def file_of(path: Path, media: Media = "image") -> InputFile:
    """Raises InputError for a file that is not what the input takes."""
    kind = content_type(path)
    if kind is None or not kind.startswith(media):
        raise InputError(f"{path.name} is not {TAKEN[media]}.", remedy="Save it as one of these.")
    return InputFile(str(path), sha256_file(path), kind)


async def gather_files(
    client: httpx.AsyncClient, named: Iterable[FileName]
) -> dict[tuple[Media, str], InputFile]:
    """The bytes of every file that the list names, by its kind and its name there.

    Files at a URL are brought here first, so that what was fingerprinted is what is sent, also if
    the URL shows another one tomorrow. Raises InputError with all that could not be had.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(media: Media, name: str) -> InputFile:
        if not name.startswith(("http://", "https://")):
            return await asyncio.to_thread(file_of, Path(name), media)
        async with limit:
            path = await _download(client, name, MAX_BYTES[media])
            if media == "video":
                from blocks.media.probe import probe

                await asyncio.to_thread(probe, path)
            return await asyncio.to_thread(file_of, path, media)

    names = list(dict.fromkeys((name.media, str(name)) for name in named))
    found = await asyncio.gather(*(one(*name) for name in names), return_exceptions=True)
    files: dict[tuple[Media, str], InputFile] = {}
    problems: list[str] = []
    for name, outcome in zip(names, found, strict=True):
        if isinstance(outcome, InputFile):
            files[name] = outcome
        elif isinstance(outcome, (ShotreelError, OSError)):
            problems.append(f"{' '.join(name)}: {outcome}")
        else:
            raise outcome
    if problems:
        raise InputError(
            "Some input files cannot be had:\n  " + "\n  ".join(problems),
            remedy="Nothing was bought. Correct the shot list.",
        )
    return files


async def _check_public(url: str, hosts: Collection[Trusted]) -> None:
    """A list from somebody else must not look around on this machine and its network, where a
    router or a cloud's metadata service answers whoever asks. Raises InputError."""
    try:
        await check_media_url(url, hosts)
    except ClipError:
        raise InputError(
            f"{httpx.URL(url).host} is not a public address.",
            remedy="If the list is yours, and the file too, set SHOTREEL_ALLOW_PRIVATE_URLS=yes.",
        ) from None


async def _download(client: httpx.AsyncClient, url: str, max_bytes: int) -> Path:
    folder = settings.home() / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(url.encode()).hexdigest()
    path.unlink(missing_ok=True)
    # Whoever allows private addresses may well keep files on a machine of their own.
    own: set[Trusted] = {origin(url)[1:]} if settings.allows_private_urls() else set()
    await _check_public(url, own)
    patience = Patience()

    async def one_try() -> Fetched | Vanished | Again:
        return await download(client, url, path, own, patience)

    found: Fetched | Vanished = await again_until(PATIENCE_S, one_try, url)
    if not isinstance(found, Fetched):
        raise ClipError(found.reason)
    if found.num_bytes > max_bytes:
        raise ClipError(f"it is larger than {max_bytes // 10**6} MB")
    return path
