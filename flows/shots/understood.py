"""How a list was read: what `plan` says of its file, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flows.shots.problem import shown
from flows.shots.table import Table

SEPARATED_BY = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Understood:
    """`encoding` and `separator` of CSV, `sheet` of a workbook. `columns` are the headers that are
    called otherwise than their column, `left_aside` those that are not sent, `files` the names that
    not every disk takes, with those that their files have."""

    label: str
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    left_aside: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, label: str, table: Table, *, encoding: str = "", sheet: str = "") -> Understood:
        return cls(label, encoding, table.separator, sheet, table.header.meanings)

    def with_rows(self, left_aside: tuple[str, ...], renamed: Mapping[str, str]) -> Understood:
        return replace(self, left_aside=left_aside, files=dict(renamed))

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.label,
            "format": "xlsx" if self.sheet else "csv",
            "encoding": self.encoding or None,
            "separator": self.separator or None,
            "sheet": self.sheet or None,
            "columns": dict(self.columns),
            "left_aside": list(self.left_aside),
            "files": dict(self.files),
        }

    def sentences(self) -> Iterator[str]:
        """In words, a sentence a line."""
        if self.sheet:
            yield f'{self.label}: sheet "{shown(self.sheet)}" of a workbook.'
        else:
            by = SEPARATED_BY.get(self.separator, shown(self.separator))
            yield f"{self.label}: CSV in {self.encoding}, separated by {by}."
        if self.columns:
            read = (f'"{shown(header)}" is {name}' for header, name in self.columns.items())
            yield f"Read as: {', '.join(read)}."
        if self.left_aside:
            aside = ", ".join(f'"{shown(header)}"' for header in self.left_aside)
            yield f"Not sent to any model: {aside}. What a clip is to show belongs in the prompt."
        for name, file in self.files.items():
            yield f'The files of "{shown(name)}" are called "{file}", a name that every disk takes.'
