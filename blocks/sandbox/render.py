"""Clips as the services deliver them: H.264 in MP4, one keyframe, BT.709, no sound.

A clip is an animatic: scenery of its seed, its prompt as the subtitle, its frame counted, and an
edge code that a program can read back (`read_edge_code`). The same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .painter import Painting
from .scenes import Bytes, Planes, Scene, planes, scene

FADE_FRAMES = 14
"""An input image is the first frame and gives way to the scenery over the next frames."""
_BAR, _DIM, _TEXT = 20, 110, 222
_ON, _OFF = 214, 48
_FRAME_BITS, _CLIP_BITS = 8, 16


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
    frame = _Frame.of(width, height)
    view = scene(seed, width=width, height=frame.rows, num_frames=num_frames, rate=rate)
    slate = _slate(frame, prompt, f"{label.upper()}   ·   SEED {seed}")
    counter = _Counter(frame, num_frames, rate)
    code = EdgeCode(width, height, clip_code(seed))
    still = None if image is None else _flat(_fitted(image, width, height))
    frames = _frames(_Clip(frame, view, slate, counter, code, _grain(seed), still), num_frames)
    _encode(path, frames, rate, (width, height), {"preset": "superfast", "crf": "21"})


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


# edge code ------------------------------------------------------------------------------------


def clip_code(seed: int) -> int:
    """Sixteen bits that tell clips apart."""
    return int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:2], "big")


@dataclass(frozen=True, slots=True)
class EdgeCode:
    """A row of squares at the lower right: the clip's sixteen bits, then the frame's eight."""

    width: int
    height: int
    clip: int

    @property
    def side(self) -> int:
        return max(4, min(self.width, self.height) // 90)

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the upper left corner"""
        length = (_CLIP_BITS + _FRAME_BITS) * self.side
        return (self.width - length - self.side * 2) // 2 * 2, self.height - self.side * 2

    def draw(self, picture: Bytes, index: int) -> None:
        x, y = self.corner
        word = (self.clip << _FRAME_BITS) | (index & 0xFF)
        for bit in range(_CLIP_BITS + _FRAME_BITS):
            on = word >> (_CLIP_BITS + _FRAME_BITS - 1 - bit) & 1
            left = x + bit * self.side
            picture[y : y + self.side, left : left + self.side - 1] = _ON if on else _OFF


def read_edge_code(luma: NDArray[Any]) -> tuple[int, int]:
    """(clip code, frame number modulo 256) of a decoded frame's luma plane."""
    height, width = luma.shape
    code = EdgeCode(width, height, 0)
    x, y = code.corner
    word = 0
    for bit in range(_CLIP_BITS + _FRAME_BITS):
        left = x + bit * code.side
        square = luma[y + 1 : y + code.side - 1, left + 1 : left + code.side - 2]
        word = word << 1 | int(float(square.mean()) > (_ON + _OFF) / 2)
    return word >> _FRAME_BITS, word & 0xFF


# frames ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame in pixels, and its bars above and below the picture in rows."""

    width: int
    height: int
    top: int
    bottom: int
    scale: float

    @classmethod
    def of(cls, width: int, height: int) -> _Frame:
        scale = min(width, height) / 720
        # An upright or square frame has short lines: room for more of them.
        bottom = (118 if width > height else 176) * scale
        return cls(width, height, int(58 * scale) // 4 * 4, int(bottom) // 4 * 4, scale)

    @property
    def rows(self) -> int:
        """Of the picture"""
        return self.height - self.top - self.bottom


@dataclass(frozen=True, slots=True)
class _Clip:
    frame: _Frame
    view: Scene
    slate: Bytes
    counter: _Counter
    code: EdgeCode
    grain: Bytes
    still: Bytes | None


def _frames(clip: _Clip, num_frames: int) -> Iterator[Bytes]:
    """Luma rows, then the chroma planes, as PyAV takes yuv420p arrays. One buffer for all."""
    frame = clip.frame
    buffer = np.empty((frame.height * 3 // 2, frame.width), np.uint8)
    luma, blue, red = _split(buffer, frame.width, frame.height)
    luma[...], blue[...], red[...] = clip.slate, 128, 128
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


def _progress(frame: _Frame, parts: Planes, accent: list[int], part: float) -> None:
    """A line along the picture's lower edge that grows with the clip."""
    thick = max(2, int(4 * frame.scale) // 2 * 2)
    top = frame.height - frame.bottom
    end = int(frame.width * part) // 2 * 2
    for plane, colour, empty, by in zip(parts, accent, (44, 128, 128), (1, 2, 2), strict=True):
        rows = np.s_[top // by : (top + thick) // by]
        plane[rows, : end // by] = colour
        plane[rows, end // by :] = empty


# lettering ------------------------------------------------------------------------------------


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, round(size)))


def _slate(frame: _Frame, prompt: str, label: str) -> Bytes:
    """The bars with all text that stays, as a luma plane."""
    picture = Image.new("L", (frame.width, frame.height), _BAR)
    draw = ImageDraw.Draw(picture)
    margin = round(32 * frame.scale)
    middle = frame.top / 2
    dot = max(3, round(7 * frame.scale))
    draw.rectangle((margin, middle - dot, margin + 2 * dot, middle + dot), fill=_TEXT)
    draw.text(
        (margin + 4 * dot, middle), label, fill=_DIM + 50, font=_font(19 * frame.scale), anchor="lm"
    )
    room = (frame.width - 2 * margin, frame.bottom - round(40 * frame.scale))
    for size in (27, 25, 23, 21, 19, 17):
        font = _font(size * frame.scale)
        lines = _wrapped(draw, prompt, font, room[0])
        spacing = round(size * frame.scale * 1.32)
        if len(lines) * spacing <= room[1]:
            break
    most = max(1, room[1] // spacing)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1].rstrip(" .,") + " …"]
    top = frame.height - frame.bottom + round(18 * frame.scale)
    for number, line in enumerate(lines):
        draw.text((margin, top + number * spacing), line, fill=_TEXT, font=font)
    return np.asarray(picture)


def _wrapped(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and draw.textlength(longer, font=font) <= width:
            lines[-1] = longer
        else:
            lines.append(_clipped(draw, word, font, width))
    return lines or [""]


def _clipped(
    draw: ImageDraw.ImageDraw,
    word: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> str:
    while len(word) > 1 and draw.textlength(word, font=font) > width:
        word = word[:-1]
    return word


class _Counter:
    """Time and frame number at the upper right, set from digits drawn once."""

    def __init__(self, frame: _Frame, num_frames: int, rate: int) -> None:
        self._frame, self._num_frames = frame, num_frames
        self._rate = Fraction(rate)
        font = _font(22 * frame.scale)
        probe = ImageDraw.Draw(Image.new("L", (1, 1)))
        self._step = round(max(probe.textlength(digit, font=font) for digit in "0123456789"))
        self._rows = round(30 * frame.scale)
        self._glyphs = {char: self._glyph(char, font) for char in "0123456789:/ "}

    def _glyph(self, char: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Bytes:
        picture = Image.new("L", (self._step, self._rows), _BAR)
        place = (self._step / 2, self._rows / 2)
        ImageDraw.Draw(picture).text(place, char, fill=_TEXT, font=font, anchor="mm")
        return np.asarray(picture)

    def draw(self, luma: Bytes, index: int) -> None:
        seconds, frame_of_second = divmod(index, max(1, int(self._rate)))
        text = f"{seconds // 60:02}:{seconds % 60:02}:{frame_of_second:02}"
        text += f"   {index + 1:03}/{self._num_frames:03}"
        left = self._frame.width - round(32 * self._frame.scale) - len(text) * self._step
        top = (self._frame.top - self._rows) // 2
        for number, char in enumerate(text):
            at = left + number * self._step
            luma[top : top + self._rows, at : at + self._step] = self._glyphs[char]


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
