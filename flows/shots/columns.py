"""The columns of a shot list: what each is for, and what the trade calls it.

Beside them any input of a model in the list is a column, by the provider's own name, and
`in.NAME` for one whose name means something else here.

A new column is one line here, a field of `Shot`, and the line of `read.py` that fills it; an input
of models needs the line here alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

OWN_PREFIX = "x_"
INPUT_PREFIX = "in."
"""`in.model` is the input `model` of a model, where a column of that name means something else."""


@dataclass(frozen=True)
class Column:
    """`input`: read by the model's own type and sent. `setting`: many rows have it in common.
    `words`: what people write. `row`: whatever else each row has its own of.

    `also` are the headers of shooting lists and spreadsheets that mean it for certain.
    """

    name: str
    use: Literal["row", "words", "setting", "input"]
    also: tuple[str, ...] = ()


_COLUMNS = (
    Column("sequence", "row", ("scene", "scene no", "scene number", "scene name", "seq")),
    Column("shot", "row", ("shot no", "shot number", "shot name", "shot id")),
    Column("prompt", "words", ("description", "shot description", "action", "visual", "visuals")),
    Column("image", "row"),
    Column("image_prompt", "words"),
    Column("image_model", "setting"),
    Column("image_max_usd", "setting"),
    Column("video", "row"),
    Column("clip", "row"),
    Column("seed", "row"),
    Column("take", "row"),
    Column("max_usd", "row"),
    Column("notes", "words", ("note", "comment", "comments", "remark", "remarks")),
    Column("caption", "words"),
    Column("sequence_title", "words"),
    Column("dialogue", "words", ("dialog",)),
    Column("audio", "row"),
    Column("audio_gain_db", "row"),
    Column("audio_at_s", "row"),
    Column("in_s", "row", ("in", "in point")),
    Column("out_s", "row", ("out", "out point")),
    Column("speed", "row"),
    Column("freeze_s", "row"),
    Column("effects", "row"),
    Column("model", "setting"),
    Column("duration_s", "setting", ("duration", "duration sec", "duration seconds", "seconds")),
    Column("takes", "setting"),
    Column("max_usd", "setting"),
    Column("transition", "setting"),
    Column("transition_s", "setting"),
    Column("num_frames", "input", ("frames",)),
    Column("frames_per_second", "input", ("fps", "frame rate")),
    Column("resolution", "input"),
    Column("aspect_ratio", "input", ("aspect",)),
    Column("num_inference_steps", "input"),
    Column("enable_safety_checker", "input"),
    Column("start_frame", "input"),
    Column("negative_prompt", "input"),
    Column("last_image", "input"),
    Column("references", "input"),
    Column("audio_in", "input"),
    Column("sound", "input"),
)
COLUMNS = {column.name: column for column in _COLUMNS}
INPUTS = tuple(column.name for column in _COLUMNS if column.use == "input")
SHARED = tuple(column.name for column in _COLUMNS if column.use in ("setting", "input"))
WORDS = frozenset(column.name for column in _COLUMNS if column.use == "words")

NOT_SENT = frozenset(
    (
        "angle",
        "camera",
        "camera angle",
        "camera movement",
        "movement",
        "lens",
        "framing",
        "shot size",
        "shot type",
        "location",
        "int ext",
        "day night",
        "time of day",
        "cast",
        "props",
        "wardrobe",
        "equipment",
        "status",
    )
)
"""Headers of shooting lists for which no model has an input: they are for people."""

_BY_HEADER = {
    name.replace("_", " "): column.name
    for column in _COLUMNS
    for name in (column.name, *column.also)
}


def column_named(header: str) -> str | None:
    """The column that a header means, `x_...` and "" among them; None for what is not known."""
    name = header.strip().lower()
    if not name or name.startswith(OWN_PREFIX):
        return name
    return _BY_HEADER.get(_plain(name))


def is_for_people(header: str) -> bool:
    return _plain(header) in NOT_SENT


def _plain(header: str) -> str:
    """`Shot #` and `Shot No.` are `shot no`; `Duration (s)` is `duration s`."""
    return " ".join(re.sub(r"[^\w#]+|_+", " ", header.lower().replace("#", " no ")).split())
