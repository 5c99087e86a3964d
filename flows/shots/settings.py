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
from flows.shots.cell import (
    CellReader,
    Fault,
    WrongCellError,
    read_as,
    read_input,
    read_of_any,
)
from flows.shots.columns import INPUTS
from flows.shots.table import Cells, nearest

TAKES = Whole(1, 20)
CUT = "cut"
TRANSITIONS = (CUT, "dissolve", "fade", "wipe", "slide")
TRANSITION_S = Decimal("0.5")
TIMES = frozenset({"model", "num_frames", "frames_per_second", "duration_s"})
"""Columns that say how long a clip is."""
# A German or French spreadsheet writes 4,5; a shooting list 4 s.
DECIMAL = re.compile(r"([0-9]{1,6}(?:[.,][0-9]{1,30})?)(?: ?(?:s|sec|seconds))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """`inputs` lacks prompt, seed and files; `model` is None if there is none of that name.
    `duration_s` is how long the clip is expected to be, None where the list does not say it.

    Cells that are in `faults` count as empty.
    """

    model: Model | None
    inputs: dict[str, Value]
    takes: int
    transition: str
    transition_s: Decimal
    faults: tuple[Fault, ...]
    duration_s: Fraction | None = None


FindModel = Callable[[str], Model | None]


def read_settings(cells: Cells, find: FindModel = find_model) -> Settings:
    """Read the cells of `cells.settings`; never raises, what is wrong is in `faults`.

    `find` is `find_model` for the folder of the list.
    """
    cell = CellReader(cells)
    nothing: Value | None = None
    model = cell.read(
        "model", partial(_model, find), None if cells["model"] else MODELS[DEFAULT_MODEL]
    )
    takes = cell.read("takes", lambda raw: int(read_as(TAKES, raw)), 1)
    transition = cell.read("transition", _transition, CUT)
    default_s = Decimal(0) if transition == CUT else TRANSITION_S
    transition_s = cell.read("transition_s", partial(_transition_s, cells["transition"]), default_s)
    inputs: dict[str, Value] = {}
    duration_s: Fraction | None = None
    if model is None:
        for column in INPUTS:
            cell.read(column, partial(read_of_any, column), None)
        cell.read("duration_s", _decimal, None)
    else:
        _check_takes(cell, model, takes)
        for column in INPUTS:
            value = cell.read(column, partial(read_input, model, column), nothing)
            if value is not None:
                inputs[column] = value
        frames = cell.read("duration_s", partial(_frames, model, inputs), nothing)
        if frames is not None and "num_frames" in model.inputs:
            inputs["num_frames"] = frames
        inputs = {**model.defaults, **inputs}
        for column in ("seed", *FILE_COLUMNS):
            inputs.pop(column, None)
        if not any(fault.column in TIMES for fault in cell.faults):
            duration_s = model.clip_frames(inputs) / model.clip_rate(inputs)
    faults = tuple(cell.faults)
    return Settings(model, inputs, takes, transition, transition_s, faults, duration_s)


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


def _check_takes(cell: CellReader, model: Model, takes: int) -> None:
    """Every take is another clip: of another seed, which the model has to have."""
    if takes > model.most_takes and not cell.cells["seed"]:
        why = (
            f"{model.name} takes no seed, so that all takes would be one and the same clip"
            if model.repeats
            else f"{model.name} has {model.most_takes:,} seeds"
        )
        cell.faults.append(Fault("takes", str(takes), f"is more than it can give: {why}"))


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
    number = DECIMAL.fullmatch(raw)
    if number is None:
        raise WrongCellError("is not a number of seconds, such as 4 or 4.5")
    return Decimal(number[1].replace(",", "."))


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
