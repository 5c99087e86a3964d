"""Names of sequences and shots: they become folders and files on anybody's disk."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from flows.shots.problem import Problems, shown

DEFAULT_SEQUENCE = "main"
MAX_NAME_BYTES = 100
ALLOWED = (
    f"a name for a file: at most {MAX_NAME_BYTES} bytes, no / \\ or control characters, "
    "no dot at either end"
)

TAKE_NAME = re.compile(r"(.+)\.t([1-9][0-9]?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Named:
    """`position` counts from 1 within the sequence."""

    sequence: str
    shot: str
    position: int


class Names:
    """Every name given so far. macOS and Windows take `Dawn` and `dawn` for one file."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._positions: Counter[str] = Counter()
        self._sequences: dict[str, tuple[str, int]] = {}
        self._shots: dict[tuple[str, str], tuple[str, int, int]] = {}

    def place(self, row: int, sequence: str, shot: str, takes: int) -> Named:
        """Give the row its names, by default `main` and its position; adds to the problems."""
        sequence = sequence or DEFAULT_SEQUENCE
        self._positions[sequence] += 1
        position = self._positions[sequence]
        named = Named(sequence, shot or f"{position:03}", position)
        if position == 1:
            self._check_sequence(row, sequence)
        if shot and not _is_safe(shot):
            self._problems.add(row, "shot", shot, f"is not {ALLOWED}")
        self._check_shot(row, named, takes)
        return named

    def check_takes(self) -> None:
        """`a` with two takes is stored as `a.t1` and `a.t2`, which no other shot may be."""
        for (sequence, folded), (name, row, takes) in self._shots.items():
            match = TAKE_NAME.fullmatch(folded)
            if match is None or takes > 1:
                continue
            other = self._shots.get((sequence, match[1]))
            if other is not None and 1 < other[2] >= int(match[2]):
                self._problems.add(
                    row,
                    "shot",
                    name,
                    f'is the file of take {match[2]} of "{shown(other[0])}" in row {other[1]}; '
                    "rename one of them",
                )

    def _check_sequence(self, row: int, sequence: str) -> None:
        if not _is_safe(sequence):
            self._problems.add(row, "sequence", sequence, f"is not {ALLOWED}")
        spelling, first = self._sequences.setdefault(_fold(sequence), (sequence, row))
        if spelling != sequence:
            self._problems.add(
                row,
                "sequence",
                sequence,
                f'and "{shown(spelling)}" in row {first} are one folder on some disks; '
                "spell them alike, or name them differently",
            )

    def _check_shot(self, row: int, named: Named, takes: int) -> None:
        key = (_fold(named.sequence), _fold(named.shot))
        spelling, first, _ = self._shots.setdefault(key, (named.shot, row, takes))
        if first != row:
            like = "" if spelling == named.shot else f' ("{shown(spelling)}")'
            self._problems.add(
                row, "shot", named.shot, f"is the name of row {first} too{like}; rename one of them"
            )


def _is_safe(name: str) -> bool:
    return not (
        name.startswith(".")
        or name.endswith((".", " "))
        or "/" in name
        or "\\" in name
        or len(name.encode()) > MAX_NAME_BYTES
        or (
            not name.isprintable()
            and any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in name)
        )
    )


def _fold(name: str) -> str:
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded)
