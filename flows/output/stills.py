"""One picture of each clip, made once: for the contact sheet, the poster and the page."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from blocks import settings
from blocks.errors import ClipError, InputError
from blocks.files import replacing
from blocks.media.colour import Picture, orientation, upright_rgb
from blocks.media.probe import open_media, picture_stream

if TYPE_CHECKING:
    from PIL.Image import Image

# Raise it when the same clip would give another picture: those that are kept are then made again.
VERSION = 1

WIDTH_PX = 480
"""What a sheet and a page show. Ask for this width, so that a clip is decoded once."""

# A clip mostly has one keyframe. From there on this many frames are decoded at most: 0.1 s at 720p.
_MOST_DECODED = 96
_SHA256 = re.compile(r"[0-9a-f]{64}")


def stills_folder() -> Path:
    """Where a run keeps its stills; they can be deleted at any time."""
    return settings.home() / "stills"


def still(clip: Path, sha256: str, cache: Path, width_px: int) -> Path:
    """A JPEG of the middle of the clip, upright, at most `width_px` wide; in `cache` if not yet.

    Decoding takes up to 0.1 s at 720p: call it in a worker process where there are many. Raises
    ClipError where nothing can be decoded, OSError where `cache` cannot be written.
    """
    path = still_path(sha256, cache, width_px)
    if path.exists():
        return path
    with replacing(path) as part:
        picture_of(clip, width_px).save(part, format="JPEG", quality=85, optimize=True)
    return path


def still_path(sha256: str, cache: Path, width_px: int) -> Path:
    """Where `still` keeps the picture of a clip. Raises InputError for what is no SHA-256."""
    if not _SHA256.fullmatch(sha256):
        raise InputError(f"{sha256!r} is not the SHA-256 of a clip.")
    return cache / f"{sha256}-{width_px}.v{VERSION}.jpg"


def picture_of(clip: Path, width_px: int, at_s: Fraction | None = None) -> Image:
    """The frame in the middle of a clip, or at a time, or the nearest that takes little decoding.

    Raises ClipError.
    """
    from PIL import Image

    try:
        with open_media(clip) as container:
            frame = _frame(container, clip.name, at_s)
            aspect = picture_stream(container, clip.name).sample_aspect_ratio or Fraction(1)
            return Image.fromarray(_scaled(frame, aspect, width_px))
    except (av.FFmpegError, OSError) as error:
        raise ClipError(f"{clip.name} cannot be decoded: {error.strerror or error}.") from error


def _frame(container: InputContainer, name: str, at_s: Fraction | None) -> VideoFrame:
    stream = picture_stream(container, name)
    base = Fraction(stream.time_base or 1)
    if at_s is None:
        length = stream.duration or int((container.duration or 0) / (av.time_base * base))
        wanted = (stream.start_time or 0) + length // 2
    else:
        wanted = (stream.start_time or 0) + round(at_s / base)
    if wanted:
        with suppress(av.FFmpegError):  # a file without an index is read from its start
            container.seek(wanted, stream=stream)
    stream.thread_type = "AUTO"
    stream.codec_context.skip_frame = "NONREF"  # half the work, and at most a few frames off
    found: VideoFrame | None = None
    try:
        for count, frame in enumerate(container.decode(stream), 1):
            found = frame
            if (frame.pts or 0) >= wanted or count >= _MOST_DECODED:
                break
    except av.FFmpegError:
        if found is None:
            raise
    if found is None:
        raise ClipError(f"{name} has no picture.")
    return found


def _scaled(frame: VideoFrame, aspect: Fraction, width_px: int) -> Picture:
    """The picture in square pixels; it is not enlarged."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    if orientation(frame)[0] % 180:
        width, height = height, width
    scale = min(1, width_px / width)
    return upright_rgb(frame, max(1, round(width * scale)), max(1, round(height * scale)), "AREA")
