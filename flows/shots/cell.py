"""One cell of a row: raw text -> typed value, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from blocks.providers.cards.roles import is_never_sent
from blocks.providers.catalogue import MODELS
from blocks.providers.model import InputType, Model, Value
from flows.shots.columns import INPUT_PREFIX
from flows.shots.table import Cells

T = TypeVar("T")

MAX_NAMED = 4
"""Other models that are named where one does not take an input."""


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

    def check(self, column: str, act: Callable[[], T]) -> T | None:
        """What `act` gives; None where it finds the cell wrong."""
        try:
            return act()
        except WrongCellError as error:
            self.faults.append(Fault(column, self.cells[column], str(error)))
            return None


def read_as(kind: InputType, raw: str) -> Value:
    """Raises WrongCellError with what is allowed."""
    try:
        return kind.read(raw)
    except ValueError:
        raise WrongCellError(f"is not {kind.allowed}") from None


def read_input(model: Model, column: str, raw: str) -> Value:
    """Raises WrongCellError, also where the model takes no such input."""
    return read_as(model.inputs[input_name(model, column)], raw)


def read_of_any(column: str, raw: str) -> None:
    """For a row whose model is not known. Raises WrongCellError where no model takes the value."""
    names = ((model, model.input_of(column)) for model in MODELS.values())
    kinds = [model.inputs[name] for model, name in names if name is not None]
    for kind in kinds:
        try:
            kind.read(raw)
        except ValueError:
            continue
        return
    if kinds:
        raise WrongCellError(f"is not {kinds[0].allowed}, nor what another model takes")


def taken_as(model: Model, column: str) -> str | None:
    """The provider's name of what a column sets; None where the model takes no such thing."""
    if not column.startswith(INPUT_PREFIX):
        return model.input_of(column)
    name = column.removeprefix(INPUT_PREFIX)
    return name if name in model.inputs else None


def input_name(model: Model, column: str) -> str:
    """The provider's name of what a column sets. Raises WrongCellError where there is none."""
    name = taken_as(model, column)
    if name is not None:
        return name
    if is_never_sent(column.removeprefix(INPUT_PREFIX)):
        raise WrongCellError("is never sent: leave it empty")
    others = [other.name for other in MODELS.values() if taken_as(other, column)]
    named = " or ".join(others[:MAX_NAMED]) + (" or others" if others[MAX_NAMED:] else "")
    choose = f" or choose {named}" if others else ""
    raise WrongCellError(f"is set, but {model.name} takes no {column}; leave it empty{choose}")


def check_free(model: Model, taken: Mapping[str, str], column: str, name: str) -> None:
    """Raises WrongCellError where another column of the row sets the same input.

    `taken` are columns by the inputs that they set.
    """
    if name in taken:
        raise WrongCellError(
            f"sets {name} of {model.name}, and so does {taken[name]}; give one of them"
        )
