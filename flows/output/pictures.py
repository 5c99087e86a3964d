"""`poster.jpg` and `contact-sheet.jpg`: what there is to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from blocks.money import usd
from blocks.providers.services import is_sandboxed
from flows.output.contact_sheet import Tile, pages
from flows.output.drawing import Pictures
from flows.output.folder import LaidOut, Place
from flows.output.otio import in_film_order
from flows.output.stills import WIDTH_PX, still_path
from flows.shots.job import Job
from flows.stitch.timeline import Timeline

# Enough to find a good one among, wherever it stands.
_CANDIDATES = 40


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
    tiles = tuple(_tile(number, takes, cache) for number, takes in enumerate(shots, 1))
    return Pictures(
        title,
        " · ".join(facts),
        tiles,
        timeline.width / timeline.height if timeline else 16 / 9,
        tuple(place.contact_sheet(number) for number in range(1, len(pages(tiles)) + 1)),
        place.film,
        _scenes(timeline, cache) if timeline else (),
        place.poster,
    )


def still_tiles(jobs: Iterable[Job], laid_out: Mapping[str, LaidOut], place: Place) -> list[Tile]:
    """Stills that are here, each once, for a person to look at."""
    found = {job.fingerprint: job for job in jobs}
    return [
        Tile(
            number,
            job.shot.sequence,
            job.shot.shot,
            job.shot.model,
            cost="",
            length="",
            state="",
            still=place.out / laid_out[key].path,
        )
        for number, (key, job) in enumerate(found.items(), 1)
    ]


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
