"""A sequence has one title card, whichever of its rows names it."""

from __future__ import annotations

from flows.shots.problem import Problems, shown


class Titles:
    """The titles given so far, by sequence."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._titles: dict[str, tuple[str, int]] = {}

    def note(self, row: int, sequence: str, title: str) -> None:
        """Adds to the problems where another row of the sequence says something else."""
        if not title:
            return
        known, first = self._titles.setdefault(sequence, (title, row))
        if known != title:
            reason = f'contradicts "{shown(known)}" in row {first}; a sequence has one title'
            self._problems.add(row, "sequence_title", title, reason)
