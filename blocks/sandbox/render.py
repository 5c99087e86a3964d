"""Clips as the services deliver them: H.264 in MP4, one keyframe, BT.709, no sound.

A clip is an animatic: scenery of its seed, its prompt as the subtitle, its frame counted, and an
edge code that a program can read back (`edge_code`). The same inputs give the same bytes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

from .edge_code import EdgeCode, clip_code
from .layers import Bytes, Planes, Scene, planes
from .lettering import Counter, Frame, slate
from .painter import Painting
from .scenes import scene

FADE_FRAMES = 14
"""An input image is the first frame and gives way to the scenery over the next frames."""
# Quick, but High profile with CABAC as the services' clips are; near 3 Mbit/s at 720p.
_QUICK = {
    "preset": "ultrafast",
    "crf": "17",
    "x264-params": "cabac=1:8x8dct=1:deblock=1,0,0",
}


def render_clip(
    path: Path,
    *,
    prompt: str,
    seed: int,
    num_frames: int,
    rate: int,
    width: int,
    height: int,
    label: str,
    image: Image.Image | None = None,
) -> None:
    """Writes the clip; `rate` in frames per second, `width` and `height` multiples of 4."""
    frame = Frame.of(width, height)
    view = scene(seed, width=width, height=frame.rows, num_frames=num_frames, rate=rate)
    bars = slate(frame, prompt, f"{label.upper()}   ·   SEED {seed}")
    counter = Counter(frame, num_frames, rate)
    code = EdgeCode(width, height, clip_code(seed))
    still = None if image is None else _flat(_fitted(image, width, height))
    frames = _frames(_Clip(frame, view, bars, counter, code, _grain(seed), still), num_frames)
    _encode(path, frames, rate, (width, height), _QUICK)


def render_thumb(path: Path, seed: int, num_frames: int, rate: int) -> None:
    """A tiny clip with the right number of frames, for many at once."""
    width, height = 128, 72
    code = EdgeCode(width, height, clip_code(seed))
    shade = 60 + seed % 97

    def frames() -> Iterator[Bytes]:
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        for index in range(num_frames):
            picture[:height] = shade
            left = index * 2 % (width - 16)
            picture[20:36, left : left + 16] = 200
            code.draw(picture, index)
            yield picture

    options = {"preset": "ultrafast", "crf": "28", "threads": "1"}
    _encode(path, frames(), rate, (width, height), options)


# frames ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Clip:
    frame: Frame
    view: Scene
    bars: Bytes
    counter: Counter
    code: EdgeCode
    grain: Bytes
    still: Bytes | None


def _frames(clip: _Clip, num_frames: int) -> Iterator[Bytes]:
    """Luma rows, then the chroma planes, as PyAV takes yuv420p arrays. One buffer for all."""
    frame = clip.frame
    buffer = np.empty((frame.height * 3 // 2, frame.width), np.uint8)
    luma, blue, red = _split(buffer, frame.width, frame.height)
    luma[...], blue[...], red[...] = clip.bars, 128, 128
    first, last = frame.top, frame.height - frame.bottom
    window: Planes = (
        luma[first:last],
        blue[first // 2 : last // 2],
        red[first // 2 : last // 2],
    )
    swatch = planes(np.full((2, 2, 3), clip.view.accent, np.float32))
    accent = [int(plane[0, 0]) for plane in swatch]
    for index in range(num_frames):
        clip.view.draw(window, index)
        _add_grain(window[0], clip.grain, index)
        _progress(frame, (luma, blue, red), accent, (index + 1) / num_frames)
        clip.counter.draw(luma, index)
        clip.code.draw(luma, index)
        if clip.still is not None and index <= FADE_FRAMES:
            yield _faded(clip.still, buffer, index)
        else:
            yield buffer


def _split(buffer: Bytes, width: int, height: int) -> Planes:
    flat = buffer.reshape(-1)
    size, half = width * height, width * height // 4
    shape = (height // 2, width // 2)
    return (
        buffer[:height],
        flat[size : size + half].reshape(shape),
        flat[size + half :].reshape(shape),
    )


def _flat(parts: Planes) -> Bytes:
    width = parts[0].shape[1]
    return np.concatenate([part.reshape(-1) for part in parts]).reshape(-1, width)


def _fitted(image: Image.Image, width: int, height: int) -> Planes:
    """Resized to cover the frame, the middle kept."""
    covering = ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    return planes(np.asarray(covering, np.float32))


def _faded(still: Bytes, buffer: Bytes, index: int) -> Bytes:
    part = round(256 * index / FADE_FRAMES)
    mixed = still * np.uint16(256 - part) + buffer * np.uint16(part)
    return (mixed >> 8).astype(np.uint8) if part else still


def _grain(seed: int) -> Bytes:
    """Film grain, a tile of -2..2 as bytes that wrap around when added."""
    rng = np.random.default_rng((seed + 1) % 2**63)
    return np.clip(rng.normal(0, 0.8, (128, 2048)).round(), -2, 2).astype(np.int8).view(np.uint8)


def _add_grain(luma: Bytes, grain: Bytes, index: int) -> None:
    rows, columns = luma.shape
    shift = index * 389 % (grain.shape[1] - columns) if grain.shape[1] > columns else 0
    for top in range(0, rows, grain.shape[0]):
        part = luma[top : top + grain.shape[0]]
        part += grain[: part.shape[0], shift : shift + columns]


def _progress(frame: Frame, parts: Planes, accent: list[int], part: float) -> None:
    """A line along the picture's lower edge that grows with the clip."""
    thick = max(2, int(4 * frame.scale) // 2 * 2)
    top = frame.height - frame.bottom
    end = int(frame.width * part) // 2 * 2
    for plane, colour, empty, by in zip(parts, accent, (44, 128, 128), (1, 2, 2), strict=True):
        rows = np.s_[top // by : (top + thick) // by]
        plane[rows, : end // by] = colour
        plane[rows, end // by :] = empty


# file -----------------------------------------------------------------------------------------


def _encode(
    path: Path,
    frames: Iterable[Bytes],
    rate: int,
    size: tuple[int, int],
    options: dict[str, str],
) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        # The services' clips hold one keyframe and B-frames.
        common = {"g": "100000", "sc_threshold": "0", "bf": "2", "threads": "2"}
        stream = out.add_stream("libx264", rate=rate, options=common | options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = 1
        context.color_range = 1
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


# process --------------------------------------------------------------------------------------


def paint(painting: Painting) -> None:
    path = Path(painting.path)
    if painting.look == "thumb":
        render_thumb(path, painting.seed, painting.num_frames, painting.rate)
        return
    image = None
    if painting.image:
        with Image.open(painting.image) as opened:
            image = opened.convert("RGB")
    render_clip(
        path,
        prompt=painting.prompt,
        seed=painting.seed,
        num_frames=painting.num_frames,
        rate=painting.rate,
        width=painting.width,
        height=painting.height,
        label=painting.label,
        image=image,
    )


def main() -> None:
    """A painting a line on standard input, an answer a line on standard output."""
    os.nice(5)
    for line in sys.stdin:
        error = None
        try:
            paint(Painting(**json.loads(line)))
        except Exception as caught:  # noqa: BLE001 - the line is answered, whatever happened
            error = f"{type(caught).__name__}: {caught}"
        print(json.dumps({"error": error}), flush=True)


if __name__ == "__main__":
    main()
