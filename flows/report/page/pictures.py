"""The page's pictures: small enough to be part of it, made once for each clip."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from pathlib import Path

from blocks.errors import ClipError
from blocks.files import replacing
from flows.output.stills import WIDTH_PX, still, stills_folder

# Raise it when the same still would give another picture.
VERSION = 1

FEW = 400
"""Up to so many clips have large pictures: 400 of them are 4 MB of the page, and so are 2,000."""

PICTURES = (".png", ".jpg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")

LARGE_PX, SMALL_PX, POSTER_PX = 360, 200, 960
QUALITY = 68


def side_px(clips: int) -> int:
    """The longer side of the pictures of so many clips."""
    return LARGE_PX if clips <= FEW else SMALL_PX


def make_pictures(
    clips: Mapping[str, Path], side: int, processes: Executor, cache: Path | None = None
) -> dict[str, Path]:
    """A WebP of each clip or still, by SHA-256; what cannot be shown is left out."""
    cache = cache or stills_folder()
    found = {sha256: picture_path(sha256, side, cache) for sha256 in clips}
    missing = {sha256: clips[sha256] for sha256, path in found.items() if not path.exists()}
    make = partial(make_picture, side=side, cache=cache)
    for sha256, made in zip(
        missing, processes.map(make, missing.items(), chunksize=4), strict=True
    ):
        if not made:
            del found[sha256]
    return found


def make_picture(clip: tuple[str, Path], *, side: int, cache: Path) -> bool:
    """Whether the clip, or the still, has a picture now."""
    from PIL import Image

    sha256, path = clip
    picture = picture_path(sha256, side, cache)
    try:
        if path.suffix not in PICTURES:
            path = still(path, sha256, cache, max(WIDTH_PX, side))
        with Image.open(path, formats=FORMATS) as image, replacing(picture) as part:
            image.thumbnail((side, side))
            image.save(part, format="WEBP", quality=QUALITY)
    except (ClipError, OSError):
        return False
    return True


def picture_path(sha256: str, side: int, cache: Path) -> Path:
    return cache / f"{sha256}-{side}.page{VERSION}.webp"


def data_url(picture: Path) -> str:
    return "data:image/webp;base64," + base64.b64encode(picture.read_bytes()).decode()


def data_urls(pictures: Iterable[Path]) -> dict[str, str]:
    """By SHA-256; a picture that is gone by now is left out."""
    urls: dict[str, str] = {}
    for picture in pictures:
        with suppress(OSError):
            urls[picture.name.split("-", maxsplit=1)[0]] = data_url(picture)
    return urls
