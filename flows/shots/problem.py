"""What is wrong with a shot list, gathered until all of it is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from blocks.errors import InputError

MAX_SHOWN = 50
MAX_VALUE_CHARS = 60
# A list can be wrong in millions of cells; nobody reads more than the first ones.
MAX_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """`row` is None for the list as a whole; `value` is shortened and safe to print."""

    row: int | None
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row is not None else ""
        place = ", ".join(filter(None, (row, self.column)))
        value = f'"{self.value}"' if self.value else ""
        said = " ".join(filter(None, (value, self.reason)))
        return f"{place}: {said}" if place else said


class ShotListError(InputError):
    """The shot list is wrong. `problems` are the first thousand; the message counts them all."""

    def __init__(
        self, message: str, *, remedy: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.problems = problems


@dataclass
class Problems:
    """The problems found so far in the list that messages call `label`."""

    label: str
    count: int = 0
    kept: list[Problem] = field(default_factory=list)

    def add(self, row: int | None, column: str, value: str, reason: str) -> None:
        self.count += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(Problem(row, shown(column), shown(value), reason))

    def stop(
        self, reason: str, *, row: int | None = None, column: str = "", remedy: str = ""
    ) -> NoReturn:
        """Add a problem behind which nothing more can be read, and raise ShotListError."""
        self.add(row, column, "", reason)
        raise self._error(remedy)

    def raise_any(self) -> None:
        """Raise ShotListError if there are problems."""
        if self.count:
            raise self._error("")

    def _error(self, remedy: str) -> ShotListError:
        problems = tuple(sorted(self.kept, key=lambda problem: problem.row or 0))
        lines = [str(problem) for problem in problems[:MAX_SHOWN]]
        if self.count > len(lines):
            lines.append(f"and {self.count - len(lines):,} more")
        noun = "problem" if self.count == 1 else "problems"
        lines.append(f"{self.label} has {self.count:,} {noun}; nothing was bought.")
        remedy = remedy or "Correct the list and run again."
        return ShotListError("\n".join(lines), remedy=remedy, problems=problems)


def shown(text: str, max_chars: int = MAX_VALUE_CHARS) -> str:
    """`text` on one line, shortened, with nothing in it that could steer a terminal."""
    cut = text if len(text) <= max_chars else text[: max_chars - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
