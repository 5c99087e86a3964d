"""The contact sheet: a frame of every shot with its name, its model and its cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

from flows.stitch.lettering import Weight, fitted, width_of

# Raise it when the same shots would give another sheet.
VERSION = 1

SHOTS_A_PAGE = 160
_PAGE_PX = 1920
_TILE_PX = 480  # a still is not enlarged
# Up to so many shots stand in so many columns, or in one more or less if that leaves no hole.
_COLUMNS = ((1, 1), (2, 2), (6, 3), (16, 4), (40, 5), (84, 6), (SHOTS_A_PAGE, 7))
_GROUND, _TILE, _EMPTY = (16, 18, 22), (0, 0, 0), (28, 31, 38)
_BRIGHT, _DIM, _WARN = (238, 240, 244), (136, 144, 158), (232, 150, 92)


@dataclass(frozen=True)
class Tile:
    """A shot: `still` is None where it has no clip, `state` then says why.

    `number` counts from 1 over all pages: the name of a shot that no font here can write.
    """

    number: int
    sequence: str
    shot: str
    model: str
    cost: str
    length: str
    state: str
    still: Path | None


def pages(tiles: Sequence[Tile]) -> list[Sequence[Tile]]:
    """Each as full as the next, and none too large to open."""
    count = -(-len(tiles) // SHOTS_A_PAGE)
    most = -(-len(tiles) // count) if count else 1
    return [tiles[at : at + most] for at in range(0, len(tiles), most)]


def sheet(title: str, facts: str, tiles: Sequence[Tile], aspect: float) -> Image.Image:
    """One page, at most 1920 pixels wide. `aspect` is the film's width by its height."""
    columns = columns_for(len(tiles))
    gap = 28 if columns <= 5 else 20
    margin = 56
    width = min(_TILE_PX, (_PAGE_PX - 2 * margin - (columns - 1) * gap) // columns)
    # An upright film's pictures stand in squares, so that a row is no higher than it is wide.
    height = round(width / max(aspect, 1.0))
    size = max(13.0, min(20.0, width / 20))
    words = round(size * 3.1)
    head = 148
    rows = -(-len(tiles) // columns)
    page = Image.new(
        "RGB",
        (
            2 * margin + columns * width + (columns - 1) * gap,
            head + rows * (height + words + gap) + margin - gap,
        ),
        _GROUND,
    )
    across = page.width - 2 * margin
    _write(page, (margin, 44), title, 34, _BRIGHT, across, "SemiBold")
    _write(page, (margin, 92), facts, 19, _DIM, across)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        at = (margin + column * (width + gap), head + row * (height + words + gap))
        _picture(page, at, (width, height), tile)
        _caption(page, (at[0], at[1] + height + round(size * 0.45)), width, size, tile)
    return page


def columns_for(count: int) -> int:
    usual = next(columns for most, columns in _COLUMNS if count <= most)
    near = [usual] if count <= 3 else [usual, usual - 1, usual + 1]
    return min(near, key=lambda columns: -count % columns / columns)


def _picture(page: Image.Image, at: tuple[int, int], box: tuple[int, int], tile: Tile) -> None:
    """The still within the box, or an empty box that says why."""
    ground = Image.new("RGB", box, _TILE if tile.still else _EMPTY)
    if tile.still:
        with Image.open(tile.still) as still:
            still.draft("RGB", box)
            picture = still.convert("RGB")
        picture.thumbnail(box, Image.Resampling.LANCZOS)
        ground.paste(picture, ((box[0] - picture.width) // 2, (box[1] - picture.height) // 2))
    else:
        text = fitted(tile.state, box[0] * 0.8, box[1] * 0.6, (18, 14, 12), balanced=True)
        text.draw(ground, (box[0] / 2, (box[1] - text.height) / 2), _WARN, align="centre")
    page.paste(ground, at, _rounded(box))


@cache
def _rounded(box: tuple[int, int]) -> Image.Image:
    """A mask with round corners, smooth because it is drawn larger."""
    mask = Image.new("L", (box[0] * 2, box[1] * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, box[0] * 2 - 1, box[1] * 2 - 1), 16, fill=255)
    return mask.resize(box, Image.Resampling.LANCZOS)


def _caption(page: Image.Image, at: tuple[int, int], width: int, size: float, tile: Tile) -> None:
    """The shot and its cost; below, smaller, its sequence and model, and its length."""
    for line, (left, right, scale, colour, weight) in enumerate(_lines(tile)):
        big = size * scale
        y = at[1] + round(line * size * 1.32)
        taken = width_of(right, big, "Regular")
        room = width - taken - size * 0.7
        if room < width * 0.4:  # the name matters more
            room = width
        else:
            _write(page, (round(at[0] + width - taken), y), right, big, _DIM, taken + 2)
        _write(page, (at[0], y), left, big, colour, room, weight)


def _lines(tile: Tile) -> Iterator[tuple[str, str, float, tuple[int, int, int], Weight]]:
    name = _written(tile.shot) or f"shot {tile.number}"
    made = " · ".join(filter(None, (_written(tile.sequence), tile.model)))
    yield name, tile.cost, 1.0, _BRIGHT, "SemiBold"
    yield made, tile.length, 0.86, _DIM, "Regular"


def _written(text: str) -> str:
    """What the fonts here have of it."""
    return " ".join(fitted(text, 10_000, 100, (10,)).lines).strip()


def _write(
    page: Image.Image,
    at: tuple[int, int],
    text: str,
    size: float,
    colour: tuple[int, int, int],
    width: float,
    weight: Weight = "Regular",
) -> None:
    fitted(text, width, size * 1.4, (size,), weight).draw(page, at, colour)
