"""What the seed decides: each matter has draws of its own, so that one left out alters no other."""

from __future__ import annotations

from collections.abc import Callable
from random import Random


class Chance:
    """`only`: of what the seed has come to pass, these events do; None: all of them."""

    def __init__(self, seed: int, only: frozenset[str] | None, tell: Callable[[str], None]) -> None:
        self._seed, self._only, self._tell = seed, only, tell
        self.happened: dict[str, None] = {}
        """In their order: what a shorter world can do without is looked for among them."""

    def of(self, matter: str) -> Random:
        """The draws of a matter, from the first on."""
        return Random(f"{self._seed} {matter}")

    def happens(self, event: str) -> bool:
        """Whether an event that was drawn comes to pass."""
        if self._only is not None and event not in self._only:
            return False
        if event not in self.happened:
            self.happened[event] = None
            self._tell(f"- {event}")
        return True
