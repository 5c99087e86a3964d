"""Cards and captions: the film's own words, set for reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from flows.stitch.item import Card
from flows.stitch.lettering import Lines, fitted

# Words stay within the inner 90 % of the picture, where no screen cuts them (EBU R 95).
_SAFE = 0.05
_PAPER, _INK, _DIM, _ACCENT = (14, 16, 20), (240, 241, 243), (150, 156, 166), (232, 164, 74)
_PLATE = (8, 9, 11, 188)


def card_picture(card: Card, width: int, height: int) -> NDArray[np.uint8]:
    """rows x columns x RGB"""
    image = Image.new("RGB", (width, height), _PAPER)
    (_draw_title if card.kind == "title" else _draw_slate)(image, card)
    return np.asarray(image)


def caption_picture(text: str, width: int, height: int) -> NDArray[np.uint8]:
    """The caption on its plate in an otherwise clear picture: rows x columns x RGBA."""
    unit = _unit(width, height)
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    sizes = [unit * size for size in (0.052, 0.046, 0.04)]
    room = width * (1 - 4 * _SAFE), height * 0.4
    words = fitted(text, *room, sizes, "Regular", balanced=True)
    if not any(words.lines):
        return np.asarray(image)
    margin = (words.size * 0.62, words.size * 0.3)
    bottom = height * (1 - _SAFE)
    top = bottom - words.height - 2 * margin[1]
    half = words.width / 2 + margin[0]
    ImageDraw.Draw(image).rounded_rectangle(
        (width / 2 - half, top, width / 2 + half, bottom), words.size * 0.28, fill=_PLATE
    )
    words.draw(image, (width / 2, top + margin[1]), (*_INK, 255), align="centre")
    return np.asarray(image)


def _draw_title(image: Image.Image, card: Card) -> None:
    width, height = image.size
    unit = _unit(width, height)
    sizes = [unit * size for size in (0.1, 0.085, 0.07, 0.058, 0.048, 0.04, 0.033)]
    room = width * (1 - 4 * _SAFE), height * (1 - 4 * _SAFE)
    words = fitted(card.heading, *room, sizes, "SemiBold", balanced=True)
    words.draw(image, (width / 2, (height - words.height) / 2), _INK, align="centre")


def _draw_slate(image: Image.Image, card: Card) -> None:
    width, height = image.size
    unit = _unit(width, height)
    left, right = width * 2 * _SAFE, width * (1 - 2 * _SAFE)
    room = right - left
    label = fitted("MISSING SHOT", room, height, [unit * 0.026], "SemiBold")
    name = fitted(
        card.heading, room, unit * 0.2, [unit * s for s in (0.085, 0.065, 0.05)], "SemiBold"
    )
    prompt = fitted(card.text, room, height * 0.36, [unit * s for s in (0.042, 0.036, 0.03)])
    note = fitted(card.note, room, height * 0.2, [unit * s for s in (0.03, 0.026)])
    gap = unit * 0.036
    blocks: list[tuple[Lines, tuple[int, int, int]]] = [
        (label, _ACCENT),
        (name, _INK),
        (prompt, _DIM),
        (note, _ACCENT),
    ]
    blocks = [(words, fill) for words, fill in blocks if any(words.lines)]
    rows = sum(words.height + gap for words, _ in blocks) - gap
    top = y = (height - rows) / 2
    for words, fill in blocks:
        words.draw(image, (left, y), fill)
        y += words.height + gap
    edge, bar = left - unit * 0.03, max(2.0, unit * 0.006)
    ImageDraw.Draw(image).rectangle((edge - bar, top, edge, top + rows), fill=_ACCENT)


def _unit(width: int, height: int) -> float:
    """What sizes are parts of: the height of a wide picture, less in an upright one."""
    return min(height, width * 9 / 16 * 1.6)
