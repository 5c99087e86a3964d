"""What a row sets beside its names and its prompt: model, inputs, takes, transition.

Rows of a list repeat each other here, so it is read once for each combination of cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import floor

from blocks.providers.catalogue import DEFAULT_MODEL, MODELS, find_model
from blocks.providers.comfyui.workflow import WorkflowError
from blocks.providers.model import FILE_COLUMNS, Model, Value, Whole
from flows.shots.cell import CellReader, Fault, WrongCellError, read_as, read_input
from flows.shots.table import Cells, nearest

TAKES = Whole(1, 20)
CUT = "cut"
TRANSITIONS = (CUT, "dissolve", "fade", "wipe", "slide")
TRANSITION_S = Decimal("0.5")
INPUT_COLUMNS = (
    "num_frames",
    "frames_per_second",
    "resolution",
    "aspect_ratio",
    "num_inference_steps",
    "enable_safety_checker",
    "start_frame",
)
# A German or French spreadsheet writes 4,5.
DECIMAL = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,30})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """`inputs` lacks prompt, seed and files; `model` is None if there is none of that name.

    Cells that are in `faults` count as empty.
    """

    model: Model | None
    inputs: dict[str, Value]
    takes: int
    transition: str
    transition_s: Decimal
    faults: tuple[Fault, ...]


FindModel = Callable[[str], Model | None]


def read_settings(cells: Cells, find: FindModel = find_model) -> Settings:
    """Read the cells of `cells.settings`; never raises, what is wrong is in `faults`.

    `find` is `find_model` for the folder of the list.
    """
    cell = CellReader(cells)
    nothing: Value | None = None
    model = cell.read(
        "model", partial(_model, find), None if cells.model else MODELS[DEFAULT_MODEL]
    )
    takes = cell.read("takes", lambda raw: int(read_as(TAKES, raw)), 1)
    transition = cell.read("transition", _transition, CUT)
    default_s = Decimal(0) if transition == CUT else TRANSITION_S
    transition_s = cell.read("transition_s", partial(_transition_s, cells.transition), default_s)
    inputs: dict[str, Value] = {}
    if model is not None:
        for column in INPUT_COLUMNS:
            value = cell.read(column, partial(read_input, model, column), nothing)
            if value is not None:
                inputs[column] = value
        frames = cell.read("duration_s", partial(_frames, model, inputs), nothing)
        if frames is not None and "num_frames" in model.inputs:
            inputs["num_frames"] = frames
        inputs = {**model.defaults, **inputs}
        for column in ("seed", *FILE_COLUMNS):
            inputs.pop(column, None)
    return Settings(model, inputs, takes, transition, transition_s, tuple(cell.faults))


def read_seed(model: Model, raw: str, takes: int) -> int | None:
    """None where the list leaves it open. Take t has `seed + t - 1`. Raises WrongCellError."""
    seed = int(read_input(model, "seed", raw))
    if seed in model.random_seeds:
        return None
    last = seed + takes - 1
    try:
        read_input(model, "seed", str(last))
    except WrongCellError as error:
        raise WrongCellError(f"with {takes} takes ends at {last}, which {error}") from None
    return seed


def _model(find: FindModel, raw: str) -> Model | None:
    try:
        model = find(raw)
    except WorkflowError as error:
        raise WrongCellError(str(error)) from None
    if model is None:
        known = f"is not one of {', '.join(MODELS)}"
        raise WrongCellError(known + nearest(raw, tuple(MODELS)))
    return model


def _transition(raw: str) -> str:
    if raw.lower() not in TRANSITIONS:
        known = f"is not one of {', '.join(TRANSITIONS)}"
        raise WrongCellError(known + nearest(raw, TRANSITIONS))
    return raw.lower()


def _transition_s(transition: str, raw: str) -> Decimal:
    seconds = _decimal(raw)
    if transition.lower() in ("", CUT):
        if seconds:
            raise WrongCellError(f"is not 0, and a {CUT} takes no time; leave it empty")
    elif not seconds:
        raise WrongCellError(f"is not more than 0; write {CUT} for a transition that takes no time")
    return seconds


def _decimal(raw: str) -> Decimal:
    if not DECIMAL.fullmatch(raw):
        raise WrongCellError("is not a number of seconds, such as 4 or 4.5")
    return Decimal(raw.replace(",", "."))


def _frames(model: Model, given: dict[str, Value], raw: str) -> int:
    """The whole number of frames nearest to a duration: 4.04 s at 24 a second are 97."""
    inputs = {**model.defaults, **given}
    rate = model.clip_rate(inputs)
    frames = floor(Fraction(_decimal(raw)) * rate + Fraction(1, 2))
    kind = model.inputs.get("num_frames")
    if kind is None:
        own = model.clip_frames(inputs)
        if frames != own:
            raise WrongCellError(
                f"is not {float(own / rate):g}, the length of every clip of {model.name}; "
                "leave it empty"
            )
        return frames
    count = f"is {frames} frames at {float(rate):g} a second"
    if given.get("num_frames", frames) != frames:
        raise WrongCellError(f"{count}, but num_frames is {given['num_frames']}; give one of them")
    try:
        read_as(kind, str(frames))
    except WrongCellError as error:
        raise WrongCellError(f"{count}, which {error}") from None
    return frames
