"""One cell of a row: raw text -> typed value, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from blocks.providers.catalogue import MODELS
from blocks.providers.model import InputType, Model, Value
from flows.shots.table import Cells

T = TypeVar("T")


class WrongCellError(ValueError):
    """The text is the reason, said of the value: "is not true or false"."""


@dataclass(frozen=True, slots=True)
class Fault:
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class CellReader:
    """Reads one cell of a row after the other and keeps what is wrong with them."""

    cells: Cells
    faults: list[Fault] = field(default_factory=list)

    def read(self, column: str, reader: Callable[[str], T], default: T) -> T:
        """The value of `column`; the default where it is empty, or wrong."""
        raw = self.cells.get(column, "")
        if not raw:
            return default
        try:
            return reader(raw)
        except WrongCellError as error:
            self.faults.append(Fault(column, raw, str(error)))
            return default


def read_as(kind: InputType, raw: str) -> Value:
    """Raises WrongCellError with what is allowed."""
    try:
        return kind.read(raw)
    except ValueError:
        raise WrongCellError(f"is not {kind.allowed}") from None


def read_input(model: Model, column: str, raw: str) -> Value:
    """Raises WrongCellError, also where the model takes no such input."""
    kind = model.inputs.get(column)
    if kind is None:
        raise WrongCellError(not_taken(model, column))
    return read_as(kind, raw)


def read_of_any(column: str, raw: str) -> None:
    """For a row whose model is not known. Raises WrongCellError where no model takes the value."""
    kinds = [model.inputs[column] for model in MODELS.values() if column in model.inputs]
    for kind in kinds:
        try:
            kind.read(raw)
        except ValueError:
            continue
        return
    if kinds:
        raise WrongCellError(f"is not {kinds[0].allowed}, nor what another model takes")


def not_taken(model: Model, column: str) -> str:
    others = [other.name for other in MODELS.values() if column in other.inputs]
    choose = f" or choose {' or '.join(others)}" if others else ""
    return f"is set, but {model.name} takes no {column}; leave it empty{choose}"
