"""What is told about the seams: a table, a line, and a file beside the film."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from flows.costs.bill import safe_cell
from flows.stitch.seams.seam import Seam


def row_of(seam: Seam) -> dict[str, Any]:
    """Steps in levels of 255; what was corrected is over `matched_frames` frames gone again."""
    match = seam.match
    return {
        "before": safe_cell(seam.before),
        "after": safe_cell(seam.after),
        "frame": seam.frame,
        "kind": seam.kind,
        "continues": "yes" if seam.continues else "",
        "luma_step": f"{seam.luma_step:.1f}",
        "colour_step": f"{seam.colour_step:.1f}",
        "frozen_frames": seam.frozen,
        "notable": "yes" if seam.is_notable else "",
        "matched": _factors(match.gain, match.offset) if match else "",
        "matched_frames": match.num_frames if match else "",
    }


def csv_of(seams: Sequence[Seam]) -> str:
    """Every seam, in the film's order."""
    text = io.StringIO()
    rows = [row_of(seam) for seam in seams]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def words_of(seams: Sequence[Seam]) -> str:
    """The closing line; empty where there is nothing to say."""
    notable = [seam for seam in seams if seam.is_notable]
    matched = sum(seam.match is not None for seam in seams)
    told = []
    if notable:
        worst = max(notable, key=lambda seam: seam.severity)
        told.append(
            f"{len(notable)} of {len(seams)} to look at; the worst is {worst.before} to "
            f"{worst.after}: {_trouble(worst)}"
        )
    if matched:
        told.append(f"{matched} of {len(seams)} matched")
    return "; ".join(told)


def _trouble(seam: Seam) -> str:
    troubles = []
    if seam.has_step:
        troubles.append(f"luma {seam.luma_step:+.1f}, colour {seam.colour_step:.1f} of 255")
    if seam.is_frozen:
        troubles.append(f"{seam.frozen} frames stand still")
    return ", ".join(troubles)


def _factors(gain: Sequence[float], offset: Sequence[float]) -> str:
    """Such as `Y x1.02-3.1 Cb x1+0.4 Cr x1-0.2`."""
    return " ".join(
        f"{channel} x{factor:g}{added:+.1f}"
        for channel, factor, added in zip(("Y", "Cb", "Cr"), gain, offset, strict=True)
    )
