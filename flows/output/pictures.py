"""`poster.jpg` and `contact-sheet.jpg`: drawn in a worker process from stills that are there."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.money import usd
from blocks.providers.services import is_sandboxed
from flows.output.contact_sheet import Tile, pages, sheet
from flows.output.folder import Place, part_of
from flows.output.otio import in_film_order
from flows.output.poster import most_varied
from flows.output.stills import WIDTH_PX, picture_of, still_path
from flows.stitch.timeline import Timeline

if TYPE_CHECKING:
    from PIL.Image import Image

# Enough to find a good one among, wherever it stands.
_CANDIDATES = 40
_SHOWN_PX = 1100
_MOST_SHOWN_BYTES = 400_000


@dataclass(frozen=True)
class Pictures:
    """What is drawn. `scenes` are the poster's candidates: a still, and its time in the film."""

    place: Place
    title: str
    facts: str
    tiles: tuple[Tile, ...]
    aspect: float
    scenes: tuple[tuple[Path, Fraction], ...]

    @property
    def files(self) -> list[Path]:
        sheets = range(1, len(pages(self.tiles)) + 1)
        return [
            *([self.place.poster] if self.scenes else []),
            *map(self.place.contact_sheet, sheets),
        ]

    def draw(self) -> bytes | None:
        """Write them, and return the first page small, for Prefect; None where it is large.

        Raises ClipError, SetupError.
        """
        if self.scenes:
            chosen = most_varied([still for still, _ in self.scenes]) or 0
            poster = picture_of(self.place.film, 4096, self.scenes[chosen][1])
            _save(poster, self.place.poster, quality=90)
        shown: Image | None = None
        drawn = pages(self.tiles)
        for number, tiles in enumerate(drawn, 1):
            facts = self.facts
            if len(drawn) > 1:
                facts += f" · page {number} of {len(drawn)}"
            page = sheet(self.title, facts, tiles, self.aspect)
            _save(page, self.place.contact_sheet(number), quality=88)
            shown = shown or page
        _forget_pages(self.place, len(drawn))
        return _small(shown) if shown else None


def pictures_of(
    place: Place,
    title: str,
    manifest: Mapping[str, Any],
    provenance: Mapping[str, Any],
    timeline: Timeline | None,
    cache: Path,
) -> Pictures:
    """What there is to draw; `cache` holds the stills, and a shot without one has an empty tile."""
    shots = in_film_order(manifest["shots"])
    film = manifest["film"]
    facts = [f"{len(shots)} shot{'s' if len(shots) > 1 else ''}"]
    if film:
        facts.append(_length(film["duration_s"]))
    if timeline:
        facts.append(f"{timeline.width}×{timeline.height}, {float(timeline.rate):.5g} fps")
    facts.append(usd(Decimal(manifest["totals"]["cost_usd"])))
    if any(is_sandboxed(str(shot["provider"])) for shot in provenance["shots"]):
        facts.append("sandbox, no money was spent")
    return Pictures(
        place,
        title,
        " · ".join(facts),
        tuple(_tile(number, takes, cache) for number, takes in enumerate(shots, 1)),
        timeline.width / timeline.height if timeline else 16 / 9,
        _scenes(timeline, cache) if timeline else (),
    )


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _tile(number: int, takes: Sequence[Mapping[str, Any]], cache: Path) -> Tile:
    row = takes[0]
    shared = row["cost_source"] == "shared" and len(takes) == 1
    cost_usd = sum((Decimal(take["cost_usd"]) for take in takes), Decimal(0))
    length = _length(row["duration_s"]) if row["duration_s"] else ""
    if len(takes) > 1:
        length = f"{len(takes)} takes · {length}".rstrip(" ·")
    return Tile(
        number,
        row["sequence"],
        row["shot"],
        row["model"],
        "shared" if shared else usd(cost_usd),
        length,
        "no picture" if row["sha256"] else f"no clip: {row['state']}",
        _still(row["sha256"], cache),
    )


def _still(sha256: str | None, cache: Path) -> Path | None:
    path = still_path(sha256, cache, WIDTH_PX) if sha256 else None
    return path if path and path.exists() else None


def _scenes(timeline: Timeline, cache: Path) -> tuple[tuple[Path, Fraction], ...]:
    found = [
        (still, (span.start + span.num_frames // 2) / timeline.rate)
        for span in timeline.spans
        if (still := _still(span.sha256, cache))
    ]
    step = -(-len(found) // _CANDIDATES) or 1
    return tuple(found[::step])


def _save(picture: Image, path: Path, *, quality: int) -> None:
    with part_of(path) as part:
        picture.save(part, format="JPEG", quality=quality, optimize=True, progressive=True)


def _forget_pages(place: Place, count: int) -> None:
    """Remove the pages of a longer list that are left over."""
    for path in place.out.glob("contact-sheet-*.jpg"):
        number = path.stem.rpartition("-")[2]
        if number.isdecimal() and int(number) > max(count, 1):
            with suppress(OSError):
                path.unlink()


def _small(page: Image) -> bytes | None:
    page.thumbnail((_SHOWN_PX, _SHOWN_PX * 3))
    jpeg = io.BytesIO()
    page.save(jpeg, format="JPEG", quality=72, optimize=True)
    return jpeg.getvalue() if jpeg.tell() <= _MOST_SHOWN_BYTES else None
