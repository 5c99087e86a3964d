"""Words on pictures: a font that is certainly there, lines that fit, text drawn with its shape."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

Weight = Literal["Regular", "SemiBold"]

LINE = 1.36  # of the size, from one base line to the next
_OWN = Path(__file__).with_name("fonts")
# Where systems keep fonts for the scripts that our own does not have.
_PLACES = {
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts"),
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": (f"{os.environ.get('WINDIR', '')}/Fonts",),
}
_PREFERRED = ("NotoSansCJK", "NotoSans", "Hiragino", "PingFang", "YuGoth", "msyh", "DejaVuSans")
_MAX_FALLBACKS = 60
_NO_GLYPH = "\U0010fffe"
# A line may break after spaces and hyphens, and between the signs of Chinese and Japanese.
_SIGN = "\u2e80-\u9fff\uff00-\uffef"
_WORDS = re.compile(f"[{_SIGN}][、。，．！？」』）ー…]* ?|[^ {_SIGN}]*?[-–—/]+ ?|[^ {_SIGN}]+ ?| ")


@dataclass(frozen=True)
class Lines:
    """Text broken into lines, at a size in pixels."""

    lines: tuple[str, ...]
    size: float
    weight: Weight

    @property
    def height(self) -> float:
        return len(self.lines) * self.size * LINE

    @property
    def width(self) -> float:
        return max((width_of(line, self.size, self.weight) for line in self.lines), default=0.0)

    def draw(
        self,
        image: Image.Image,
        at: tuple[float, float],
        fill: tuple[int, ...],
        *,
        align: Literal["left", "centre"] = "left",
    ) -> None:
        """`at` is the upper left corner, or the middle of the upper edge."""
        draw = ImageDraw.Draw(image)
        for number, line in enumerate(self.lines):
            base = at[1] + (number + 0.5) * self.size * LINE + 0.36 * self.size
            x = at[0]
            if align == "centre":
                x -= width_of(line, self.size, self.weight) / 2
            for text, font in _parts(line, self.size, self.weight):
                draw.text((x, base), text, fill=fill, font=font, anchor="ls")
                x += font.getlength(text)


def fitted(
    text: str,
    width: float,
    height: float,
    sizes: Sequence[float],
    weight: Weight = "Regular",
    *,
    balanced: bool = False,
) -> Lines:
    """The text in the largest of the sizes in which it fits; cut with an ellipsis in the last.

    `balanced` makes the lines alike in length, as captions and titles want it. What no font here
    can show is left out.
    """
    text = "".join(c for c in text if c == "\n" or _font_of(c, weight))
    for size in sizes:
        lines = _wrapped(text, width, size, weight)
        most = max(1, int(height // (size * LINE)))
        if len(lines) <= most:
            break
    else:
        lines = lines[:most]
        while lines[-1] and width_of(f"{lines[-1]}…", size, weight) > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip(" .,;:") + "…"
        balanced = False
    if balanced and len(lines) > 1:
        lines = _balanced(text, lines, width, size, weight)
    return Lines(tuple(lines), size, weight)


def width_of(line: str, size: float, weight: Weight) -> float:
    return sum(font.getlength(text) for text, font in _parts(line, size, weight))


def _balanced(text: str, lines: list[str], width: float, size: float, weight: Weight) -> list[str]:
    """The narrowest block of as many lines."""
    low, high = width / len(lines) / 2, width
    while high - low > size / 4:
        middle = (low + high) / 2
        tried = _wrapped(text, middle, size, weight)
        if len(tried) <= len(lines) and all(width_of(t, size, weight) <= middle for t in tried):
            lines, high = tried, middle
        else:
            low = middle
    return lines


def _wrapped(text: str, width: float, size: float, weight: Weight) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in _WORDS.findall(" ".join(paragraph.split())):
            if line and width_of((line + word).rstrip(), size, weight) > width:
                lines.append(line.rstrip())
                line = ""
            for piece in _broken(word, width, size, weight):
                if line and width_of((line + piece).rstrip(), size, weight) > width:
                    lines.append(line.rstrip())
                    line = ""
                line += piece
        lines.append(line.rstrip())
    return lines


def _broken(word: str, width: float, size: float, weight: Weight) -> Iterator[str]:
    """A word in pieces that fit, where it is wider than a whole line."""
    while width_of(word.rstrip(), size, weight) > width and len(word) > 1:
        length = len(word) - 1
        while length > 1 and width_of(word[:length], size, weight) > width:
            length -= 1
        yield word[:length]
        word = word[length:]
    yield word


# fonts -------------------------------------------------------------------------------------------


def _parts(line: str, size: float, weight: Weight) -> Iterator[tuple[str, ImageFont.FreeTypeFont]]:
    """The line in runs of one font each."""
    run, of = "", _font_of(line[:1], weight)
    for char in line:
        path = _font_of(char, weight)
        if run and path != of:
            yield run, _font(str(of), size)
            run = ""
        run, of = run + char, path
    if run:
        yield run, _font(str(of), size)


@cache
def _font_of(char: str, weight: Weight) -> Path | None:
    own = _OWN / f"Inter-{weight}.otf"
    return next((path for path in (own, *_fallbacks(char)) if _has(path, char)), None)


def _fallbacks(char: str) -> tuple[Path, ...]:
    return () if char.isspace() else _system_fonts()


@cache
def _system_fonts() -> tuple[Path, ...]:
    folders = [Path(place).expanduser() for place in _PLACES.get(sys.platform, ())]
    found = [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*.[to]t[fc]")
        if not any(style in path.stem for style in ("Italic", "Oblique", "Mono", "Serif"))
    ]

    def rank(path: Path) -> tuple[int, int, str]:
        known = (n for n, name in enumerate(_PREFERRED) if path.stem.startswith(name))
        return next(known, len(_PREFERRED)), len(path.stem), str(path)

    return tuple(sorted(found, key=rank)[:_MAX_FALLBACKS])


@cache
def _has(path: Path, char: str) -> bool:
    try:
        font = _font(str(path), 24)
        return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask(_NO_GLYPH))
    except OSError:
        return False


@cache
def _font(path: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, max(6, round(size)))
