"""Drawing `poster.jpg` and `contact-sheet.jpg`, in a worker process, from stills that are there.

A process imports what its work needs: this module does without the shots, the ledger and Prefect,
which would take it longer than the drawing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from flows.output.contact_sheet import Tile, pages, sheet
from flows.output.poster import most_varied
from flows.output.stills import picture_of
from flows.output.writing import part_of

if TYPE_CHECKING:
    from PIL.Image import Image

_SHOWN_PX = 1100
_MOST_SHOWN_BYTES = 400_000


@dataclass(frozen=True)
class Pictures:
    """What is drawn, and where. `sheets` has a path for each page of the tiles; `scenes` are the
    poster's candidates: a still, and its time in the film."""

    title: str
    facts: str
    tiles: tuple[Tile, ...]
    aspect: float
    sheets: tuple[Path, ...]
    film: Path
    scenes: tuple[tuple[Path, Fraction], ...]
    poster: Path

    @property
    def files(self) -> list[Path]:
        return [*([self.poster] if self.scenes else []), *self.sheets]

    def draw(self) -> bytes | None:
        """Write them, and return the first page small, for Prefect; None where it is large.

        Raises ClipError, SetupError.
        """
        if self.scenes:
            chosen = most_varied([still for still, _ in self.scenes]) or 0
            poster = picture_of(self.film, 4096, self.scenes[chosen][1])
            _save(poster, self.poster, quality=90)
        shown: Image | None = None
        drawn = zip(pages(self.tiles), self.sheets, strict=True)
        for number, (tiles, path) in enumerate(drawn, 1):
            facts = self.facts
            if len(self.sheets) > 1:
                facts += f" · page {number} of {len(self.sheets)}"
            page = sheet(self.title, facts, tiles, self.aspect)
            _save(page, path, quality=88)
            shown = shown or page
        _forget_pages(self.poster.parent, len(self.sheets))
        return _small(shown) if shown else None


def stills_sheet(title: str, tiles: Sequence[Tile]) -> bytes | None:
    """A small page of stills, for Prefect; None where there is none, or it is large."""
    some = next(iter(pages(tiles)), ())
    facts = f"{len(some)} of {len(tiles)} stills" if len(some) < len(tiles) else ""
    return _small(sheet(title, facts or f"{len(tiles)} stills", some, 16 / 9)) if some else None


def _save(picture: Image, path: Path, *, quality: int) -> None:
    with part_of(path) as part:
        picture.save(part, format="JPEG", quality=quality, optimize=True, progressive=True)


def _forget_pages(folder: Path, count: int) -> None:
    """Remove the pages of a longer list that are left over."""
    for path in folder.glob("contact-sheet-*.jpg"):
        number = path.stem.rpartition("-")[2]
        if number.isdecimal() and int(number) > max(count, 1):
            with suppress(OSError):
                path.unlink()


def _small(page: Image) -> bytes | None:
    page.thumbnail((_SHOWN_PX, _SHOWN_PX * 3))
    jpeg = io.BytesIO()
    page.save(jpeg, format="JPEG", quality=72, optimize=True)
    return jpeg.getvalue() if jpeg.tell() <= _MOST_SHOWN_BYTES else None
