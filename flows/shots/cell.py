"""One cell of a row: raw text -> typed value, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from blocks.providers.cards.roles import is_never_sent
from blocks.providers.catalogue import MODELS
from blocks.providers.model import InputType, Model, Value
from flows.shots.table import INPUT_PREFIX, Cells

T = TypeVar("T")

MAX_NAMED = 4


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
        raw = self.cells.of(column)
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
            self.faults.append(Fault(column, self.cells.of(column), str(error)))
            return None


def read_as(kind: InputType, raw: str) -> Value:
    """Raises WrongCellError with what is allowed."""
    try:
        return kind.read(raw)
    except ValueError:
        raise WrongCellError(f"is not {kind.allowed}") from None


def read_input(model: Model, column: str, raw: str) -> Value:
    """Raises WrongCellError, also where the model takes no such input."""
    name = input_name(model, column)
    if name is None:
        raise WrongCellError(not_taken(model, column))
    return read_as(model.inputs[name], raw)


def input_name(model: Model, column: str) -> str | None:
    """The provider's name of what a column sets; None where the model takes no such thing."""
    if not column.startswith(INPUT_PREFIX):
        return model.input_of(column)
    name = column.removeprefix(INPUT_PREFIX)
    return name if name in model.inputs else None


def not_taken(model: Model, column: str) -> str:
    if is_never_sent(column.removeprefix(INPUT_PREFIX)):
        return "is never sent: leave it empty"
    others = [other.name for other in MODELS.values() if input_name(other, column)]
    named = " or ".join(others[:MAX_NAMED]) + (" or others" if others[MAX_NAMED:] else "")
    choose = f" or choose {named}" if others else ""
    return f"is set, but {model.name} takes no {column}; leave it empty{choose}"
