"""What a row sets beside its names and its prompt: model, inputs, takes, transition.

Rows of a list repeat each other here, so it is read once for each combination of cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import floor

from blocks.providers.catalogue import DEFAULT_MODEL, MODELS, ModelError, find_model
from blocks.providers.model import InputType, Model, Text, Value, Whole, files_in, seconds_in
from flows.shots.cell import (
    CellReader,
    Fault,
    WrongCellError,
    check_free,
    input_name,
    read_as,
    read_input,
    read_of_any,
    taken_as,
)
from flows.shots.columns import INPUTS, is_for_people
from flows.shots.table import Cells, nearest

TAKES = Whole(1, 20)
CUT = "cut"
TRANSITIONS = (CUT, "dissolve", "fade", "wipe", "slide")
TRANSITION_S = Decimal("0.5")
TIMES = frozenset({"model", "num_frames", "frames_per_second", "duration_s"})
"""Columns that say how long a clip is."""
USD = re.compile(r"\$? ?([0-9]{1,6}(?:[.,][0-9]{1,9})?)")
# A German or French spreadsheet writes 4,5; a shooting list 4 s.
DECIMAL = re.compile(r"([0-9]{1,6}(?:[.,][0-9]{1,30})?)(?: ?(?:s|sec|seconds))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """`inputs` are by the provider's names, without prompt and seed; files stand in them as the
    list names them. `columns` says which column gave an input. `model` is None if there is none of
    that name. `duration_s` is how long the clip is expected to be, None where the list does not say
    it.

    Cells that are in `faults` count as empty.
    """

    model: Model | None
    inputs: dict[str, Value]
    takes: int
    transition: str
    transition_s: Decimal
    faults: tuple[Fault, ...]
    duration_s: Fraction | None = None
    max_usd: Decimal | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    names_files: bool = False
    together: dict[tuple[bool, ...], list[Fault]] = field(default_factory=dict)
    """What is wrong with all cells together, by which of the row's own there are."""


FindModel = Callable[[str], Model | None]


def read_settings(cells: Cells, find: FindModel = find_model) -> Settings:
    """Read the cells of `cells.settings`; never raises, what is wrong is in `faults`.

    `find` is `find_model` for the folder of the list.
    """
    cell = CellReader(cells)
    model = cell.read(
        "model", partial(_film_model, find), None if cells["model"] else MODELS[DEFAULT_MODEL]
    )
    takes = cell.read("takes", lambda raw: int(read_as(TAKES, raw)), 1)
    max_usd = cell.read("max_usd", read_usd, None)
    transition = cell.read("transition", _transition, CUT)
    default_s = Decimal(0) if transition == CUT else TRANSITION_S
    transition_s = cell.read("transition_s", partial(_transition_s, cells["transition"]), default_s)
    inputs: dict[str, Value] = {}
    columns: dict[str, str] = {}
    duration_s: Fraction | None = None
    if model is None:
        for column in INPUTS:
            cell.read(column, partial(read_of_any, column), None)
        cell.read("duration_s", _decimal, None)
    else:
        _check_takes(cell, model, takes)
        others = (name for name, _ in cells.inputs)
        for column in (*INPUTS, *others):
            if is_for_people(column) and taken_as(model, column) is None:
                continue
            named = cell.read(column, partial(_named, model, columns, column), None)
            if named is not None:
                name, inputs[name] = named
                columns[name] = column
        length = cell.read("duration_s", partial(_length, model, columns, inputs), None)
        if length is not None:
            name, value = length
            columns[name] = "duration_s"
            if name in model.inputs:
                inputs[name] = value
        inputs = {**model.defaults, **inputs}
        inputs.pop(model.input_of("seed") or "", None)
        if not any(fault.column in TIMES for fault in cell.faults):
            duration_s = model.clip_frames(inputs) / model.clip_rate(inputs)
    return Settings(
        model,
        inputs,
        takes,
        transition,
        transition_s,
        tuple(cell.faults),
        duration_s,
        max_usd,
        columns,
        names_files=any(files_in(inputs)),
    )


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


def read_take(raw: str, takes: int) -> int:
    """Which of its takes is in the film. Raises WrongCellError."""
    take = int(read_as(TAKES, raw))
    if take > takes:
        has = "1 take" if takes == 1 else f"{takes} takes"
        raise WrongCellError(f"is not one of its takes: the shot has {has}; raise takes")
    return take


def _check_takes(cell: CellReader, model: Model, takes: int) -> None:
    """Every take is another clip: of another seed, which the model has to have."""
    if takes > model.most_takes and not cell.cells["seed"]:
        why = (
            f"{model.name} takes no seed, so that all takes would be one and the same clip"
            if model.repeats
            else f"{model.name} has {model.most_takes:,} seeds"
        )
        cell.faults.append(Fault("takes", str(takes), f"is more than it can give: {why}"))


def _film_model(find: FindModel, raw: str) -> Model:
    model = read_model(find, raw)
    if model.makes == "image":
        raise WrongCellError("makes pictures; name it in the column image_model")
    return model


def read_model(find: FindModel, raw: str) -> Model:
    """Raises WrongCellError."""
    try:
        model = find(raw)
    except ModelError as error:
        raise WrongCellError(str(error)) from None
    if model is None:
        known = f"is no model that shotreel has a card of{nearest(raw, tuple(MODELS))}"
        raise WrongCellError(f"{known} (`shotreel models search WORDS` and `models add ID`)")
    return model


def read_usd(raw: str) -> Decimal:
    amount = USD.fullmatch(raw)
    if amount is None or not Decimal(amount[1].replace(",", ".")):
        raise WrongCellError("is not an amount in USD above 0, such as 1.50")
    return Decimal(amount[1].replace(",", "."))


def _named(model: Model, taken: Mapping[str, str], column: str, raw: str) -> tuple[str, Value]:
    """The input that a column sets, and its value. Raises WrongCellError."""
    name = input_name(model, column)
    check_free(model, taken, column, name)
    return name, read_as(model.inputs[name], raw)


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


def _length(
    model: Model, taken: Mapping[str, str], given: Mapping[str, Value], raw: str
) -> tuple[str, Value]:
    """The input that decides how long the clip is, and its value: seconds or frames.

    Nothing is rounded to the nearest length that the model takes. Raises WrongCellError.
    """
    name = model.input_of("duration_s")
    if name is None:
        frames = model.roles.get("num_frames", "num_frames")
        return frames, _frames(model, frames, given, raw)
    check_free(model, taken, "duration_s", name)
    return name, _seconds(model.inputs[name], model.defaults.get(name), raw)


def _seconds(kind: InputType, usual: Value, raw: str) -> Value:
    """As the model writes seconds: 5, "5", "5s"; or a word of its own, such as auto."""
    seconds = seconds_in(raw.replace(",", "."))
    if seconds is None:
        return read_as(kind, raw)
    if isinstance(kind, Text):
        return f"{seconds.normalize():f}" + ("s" if str(usual).endswith("s") else "")
    return read_as(kind, f"{seconds.normalize():f}")


def _frames(model: Model, name: str, given: Mapping[str, Value], raw: str) -> Value:
    """The whole number of frames nearest to a duration: 4.04 s at 24 a second are 97."""
    inputs = {**model.defaults, **given}
    rate = model.clip_rate(inputs)
    frames = floor(Fraction(_decimal(raw)) * rate + Fraction(1, 2))
    kind = model.inputs.get(name)
    if kind is None:
        if not model.num_frames:
            raise WrongCellError(
                f"is set, but nothing says how long clips of {model.name} are; leave it empty"
            )
        own = model.clip_frames(inputs)
        if frames != own:
            raise WrongCellError(
                f"is not {float(own / rate):g}, the length of every clip of {model.name}; "
                "leave it empty"
            )
        return frames
    count = f"is {frames} frames at {float(rate):g} a second"
    if given.get(name, frames) != frames:
        raise WrongCellError(f"{count}, but {name} is {given[name]}; give one of them")
    try:
        return read_as(kind, str(frames))
    except WrongCellError as error:
        raise WrongCellError(f"{count}, which {error}") from None
