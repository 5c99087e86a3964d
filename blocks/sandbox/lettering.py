"""The bars above and below the picture and what is written in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .layers import Bytes

_BAR, _DIM, _TEXT = 20, 160, 222


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame in pixels, and its bars above and below the picture in rows."""

    width: int
    height: int
    top: int
    bottom: int
    scale: float

    @classmethod
    def of(cls, width: int, height: int) -> Frame:
        scale = min(width, height) / 720
        # An upright or square frame has short lines: room for more of them.
        bottom = (118 if width > height else 176) * scale
        return cls(width, height, int(58 * scale) // 4 * 4, int(bottom) // 4 * 4, scale)

    @property
    def rows(self) -> int:
        """Of the picture"""
        return self.height - self.top - self.bottom


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, round(size)))


def slate(frame: Frame, prompt: str, label: str) -> Bytes:
    """The bars with all text that stays, as a luma plane."""
    picture = Image.new("L", (frame.width, frame.height), _BAR)
    draw = ImageDraw.Draw(picture)
    margin = round(32 * frame.scale)
    middle = frame.top / 2
    dot = max(3, round(7 * frame.scale))
    draw.rectangle((margin, middle - dot, margin + 2 * dot, middle + dot), fill=_TEXT)
    draw.text(
        (margin + 4 * dot, middle), label, fill=_DIM, font=_font(19 * frame.scale), anchor="lm"
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


class Counter:
    """Time and frame number at the upper right, set from digits drawn once."""

    def __init__(self, frame: Frame, num_frames: int, rate: int) -> None:
        self._frame, self._num_frames = frame, num_frames
        self._rate = rate
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
        seconds, frame_of_second = divmod(index, self._rate)
        text = f"{seconds // 60:02}:{seconds % 60:02}:{frame_of_second:02}"
        text += f"   {index + 1:03}/{self._num_frames:03}"
        left = self._frame.width - round(32 * self._frame.scale) - len(text) * self._step
        top = (self._frame.top - self._rows) // 2
        for number, char in enumerate(text):
            at = left + number * self._step
            luma[top : top + self._rows, at : at + self._step] = self._glyphs[char]
