"""One clip that differs from the film, drawn anew in the film's format."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from blocks.errors import ClipError, StitchError
from blocks.media import MediaInfo, open_media, probe
from flows.stitch.edit import Format, fitted_frames, is_bt709, shown_size

if TYPE_CHECKING:
    from moviepy import VideoClip

# Raise it when the same clip would be drawn otherwise: what is cached is then drawn again.
VERSION = 1

X264 = {
    "preset": "fast",
    "crf": "16",
    "profile": "high",
    # Copied clips mostly number their parameter sets 0: with another number nothing is renamed.
    "x264-params": "sps-id=1:log-level=error",
}
# Bars thinner than this part of the picture are rounding, as of 854x480 in 1280x720.
_NO_BAR = 0.01

Picture = NDArray[np.uint8]


def fit(source: Path, sha256: str, info: MediaInfo, film: Format, cache: Path, name: str) -> Path:
    """Render the clip's pictures without sound: in full, between bars, at the film's rate.

    The segment has `fitted_frames(info, film.rate)` frames; each shows the source as it stands in
    the middle of the frame's time. Kept in `cache` by what went in. One frame is held at a time.
    Raises ClipError where the clip cannot be decoded, StitchError where it cannot be written.
    """
    what = json.dumps([VERSION, sha256, astuple(film), X264], default=str)
    segment = cache / "segments" / f"{hashlib.sha256(what.encode()).hexdigest()}.mp4"
    if _is_whole(segment):
        return segment
    segment.parent.mkdir(parents=True, exist_ok=True)
    partial = segment.with_name(f".{segment.name}.{os.getpid()}.part")
    try:
        clip = fitted_clip(source, info, film)
        _encode(clip, fitted_frames(info, film.rate), film, partial)
        partial.replace(segment)
    except _DecodingError as error:
        raise ClipError(
            f"{name} cannot be decoded: {error}.",
            remedy="Fetch the clip again; it is not bought again.",
        ) from error
    except (av.FFmpegError, OSError) as error:
        raise StitchError(
            f"{name} could not be fitted to the film: {error.strerror or error}.",
            remedy="The clip is safe. Make room on the disk, then run again.",
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return segment


def _is_whole(segment: Path) -> bool:
    try:
        return segment.exists() and probe(segment).spliceable
    except ClipError:
        return False  # the machine went down while it was written: it is drawn again


def fitted_clip(source: Path, info: MediaInfo, film: Format) -> VideoClip:
    """The clip as moviepy's, in the film's size; its frames are asked for in order, at i / rate."""
    # moviepy takes half a second to import, and most films need none of it.
    from moviepy import VideoClip, vfx

    width, height = picture_size(info, film)
    left, top = (film.width - width) // 2, (film.height - height) // 2
    num_frames = fitted_frames(info, film.rate)
    clip = VideoClip(
        _frame_function(source, info, film, width, height),
        duration=float(num_frames / film.rate),
    )
    if (width, height) == (film.width, film.height):
        return clip
    return clip.with_effects(
        [
            vfx.Margin(
                left=left,
                right=film.width - width - left,
                top=top,
                bottom=film.height - height - top,
            )
        ]
    )


def picture_size(info: MediaInfo, film: Format) -> tuple[int, int]:
    """Width and height of the whole picture within the film's frame, in pixels."""
    width, height = shown_size(info)
    scale = min(Fraction(film.width, width), Fraction(film.height, height))
    fitted = (round(width * scale), round(height * scale))
    full = (film.width, film.height)
    sides = [
        whole if side > whole * (1 - _NO_BAR) else max(2, side)
        for side, whole in zip(fitted, full, strict=True)
    ]
    return sides[0], sides[1]


class _DecodingError(Exception):
    pass


def _frame_function(
    source: Path, info: MediaInfo, film: Format, width: int, height: int
) -> Callable[[float], Picture]:
    pictures = _pictures(source, info, film.rate, width, height)
    shown: tuple[int, Picture] = (-1, np.zeros((height, width, 3), np.uint8))

    def frame_function(t: float) -> Picture:
        nonlocal shown
        index = round(t * film.rate)
        while shown[0] < index:
            shown = (shown[0] + 1, next(pictures, shown[1]))
        return shown[1]

    return frame_function


def _pictures(
    source: Path, info: MediaInfo, rate: Fraction, width: int, height: int
) -> Iterator[Picture]:
    """For each frame of the film the source's picture in the middle of its time, in RGB."""
    quarter_turns = info.rotation // 90
    if quarter_turns % 2:
        width, height = height, width
    matrix = "ITU709" if is_bt709(info.colour, info.height) else "ITU601"
    current: VideoFrame | None = None
    drawn: Picture | None = None
    index = 0
    for upcoming, begins_s in _frames(source):
        while current is not None and (Fraction(2 * index + 1) / (2 * rate)) < begins_s:
            if drawn is None:
                drawn = _drawn(current, width, height, matrix, quarter_turns)
            yield drawn
            index += 1
        current, drawn = upcoming, None
    if current is not None:
        yield _drawn(current, width, height, matrix, quarter_turns)


def _frames(source: Path) -> Iterator[tuple[VideoFrame, Fraction]]:
    """Decoded frames and when each is shown, from 0 on."""
    first: int | None = None
    try:
        with open_media(source) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                pts = frame.pts or 0
                first = pts if first is None else first
                yield frame, (pts - first) * Fraction(stream.time_base or 1)
    except (av.FFmpegError, OSError) as error:
        raise _DecodingError(error.strerror or str(error)) from error


def _drawn(frame: VideoFrame, width: int, height: int, matrix: str, quarter_turns: int) -> Picture:
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=matrix,
        interpolation="LANCZOS",
    )
    return np.ascontiguousarray(
        np.rot90(rgb.to_ndarray().astype(np.uint8, copy=False), quarter_turns)
    )


def _encode(clip: VideoClip, num_frames: int, film: Format, out: Path) -> None:
    matrix = "ITU709" if is_bt709(film.colour, film.height) else "ITU601"
    with av.open(f"file:{out}", "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=film.rate, options=X264)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        context = stream.codec_context
        (
            context.color_range,
            context.color_primaries,
            context.color_trc,
            context.colorspace,
        ) = film.colour
        for index in range(num_frames):
            picture = clip.get_frame(float(index / film.rate))
            frame = VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
            frame.pts = index
            frame.time_base = 1 / film.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
