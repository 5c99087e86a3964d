"""Names of sequences and shots: they become folders and files on anybody's disk."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from flows.shots.problem import Problems, shown
from flows.shots.text import INVISIBLE

DEFAULT_SEQUENCE = "main"
MAX_NAME_BYTES = 100
ALLOWED = (
    f"a name for a file: at most {MAX_NAME_BYTES} bytes, no / \\ or control characters, "
    "no dot at either end"
)

# What Windows, and so exFAT and many a share, takes in no name
# (learn.microsoft.com/windows/win32/fileio/naming-a-file).
RESERVED_CHARACTERS = re.compile(r'[<>:"|?*]')
RESERVED_NAMES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])( *(?:\..*)?)",
    re.IGNORECASE | re.DOTALL,
)
# Within emoji, and in Persian and Indic words; between Latin letters nobody means them.
JOINERS = "\u200c\u200d\ufe0e\ufe0f"
JOINABLE = ("Lo", "Mn", "Mc", "So", "Sk", "Sm")

TAKE_NAME = re.compile(r"(.+)\.t([1-9][0-9]?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Named:
    """`position` counts from 1 within the sequence."""

    sequence: str
    shot: str
    position: int


@lru_cache(100_000)
def file_name(name: str) -> str:
    """What the files of a sequence or shot are called, on every disk: `Dawn_` for `Dawn?`."""
    portable = RESERVED_CHARACTERS.sub("_", name) if RESERVED_CHARACTERS.search(name) else name
    if reserved := RESERVED_NAMES.fullmatch(portable):
        portable = f"{reserved[1]}_{reserved[2]}"
    return portable


class Names:
    """Every name given so far. macOS and Windows take `Dawn` and `dawn` for one file."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._positions: Counter[str] = Counter()
        self._sequences: dict[str, tuple[str, int]] = {}
        self._shots: dict[tuple[str, str], tuple[str, int, int]] = {}
        self.renamed: dict[str, str] = {}
        """Names that not every disk takes, with those that their files have."""

    def next_name(self, sequence: str, shot: str) -> str:
        """What the next row is called, `harbour/1`, where the list calls it so."""
        sequence = sequence or DEFAULT_SEQUENCE
        return f"{sequence}/{shot or f'{self._positions[sequence] + 1:03}'}"

    def place(self, row: int, sequence: str, shot: str, takes: int) -> Named:
        """Give the row its names, by default `main` and its position; adds to the problems."""
        sequence = sequence or DEFAULT_SEQUENCE
        self._positions[sequence] += 1
        position = self._positions[sequence]
        named = Named(sequence, shot or f"{position:03}", position)
        if position == 1:
            self._check_sequence(row, sequence)
        if shot:
            self._check_name(row, "shot", shot)
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
        self._check_name(row, "sequence", sequence)
        spelling, first = self._sequences.setdefault(_fold(sequence), (sequence, row))
        if spelling != sequence:
            self._problems.add(
                row,
                "sequence",
                sequence,
                f'and "{shown(spelling)}" in row {first} are one folder on some disks; '
                "spell them alike, or name them differently",
            )

    def _check_name(self, row: int, column: str, name: str) -> None:
        if not _is_safe(name):
            self._problems.add(row, column, name, f"is not {ALLOWED}")
        elif hidden := hidden_in(name):
            self._problems.add(row, column, name, f"holds {hidden}, which nobody sees; remove it")
        if (portable := file_name(name)) != name:
            self.renamed[name] = portable

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


def hidden_in(name: str) -> str:
    """The first character that is not seen, or that turns the reading of others; "" for none."""
    for found in INVISIBLE.finditer(name):
        at, character = found.start(), found[0]
        before = unicodedata.category(name[at - 1]) if at else ""
        joins = character in JOINERS and before in JOINABLE
        if not joins or (at + 1 == len(name) and character in JOINERS[:2]):
            code = f"U+{ord(character):04X}"
            return f"{code} {unicodedata.name(character, '')}".strip()
    return ""


def _fold(name: str) -> str:
    """The same for names that are one file somewhere, or that nobody can tell apart."""
    name = file_name(name)
    if not name.isascii():
        name = INVISIBLE.sub("", name)
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded)
