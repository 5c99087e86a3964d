"""Footage of one's own: a shot whose clip is a file that is there. Nobody is paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from blocks.providers.base import Quote
from blocks.providers.model import File, Model, Text

OWN = "own"
"""What stands in place of a service."""

CLIP = "clip"
"""Its one input, and the column that names it."""

FOOTAGE = Model(
    "own footage",
    OWN,
    "",
    inputs={"prompt": Text(), CLIP: File("video")},
    defaults={},
    units=None,
    num_frames=0,
    required=(CLIP,),
    repeats=True,
)


def footage_of(num_frames: int, rate: Fraction) -> Model:
    """Footage of a length that is known."""
    return replace(FOOTAGE, num_frames=num_frames, frames_per_second=rate)


def free(today: date) -> Quote:
    return Quote(Decimal(0), Decimal(0), today, "no_price")
