"""A shot: what one row of a shot list orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from blocks.model import Value


@dataclass(frozen=True, slots=True)
class Shot:
    """`row` is the row that a spreadsheet shows (the header is row 1).

    `model` is a key of `blocks.models.MODELS`. `inputs` holds every input that the list or the
    model's defaults set, typed, without `seed` and `image`; it is not to be changed. `seed` is
    None where it is left open. `image` is `@previous`, an http(s) URL or an absolute path.
    """

    row: int
    sequence: str
    shot: str
    model: str
    inputs: Mapping[str, Value]
    seed: int | None
    image: str | None
    takes: int
    transition: str
    transition_s: Decimal
    notes: str
