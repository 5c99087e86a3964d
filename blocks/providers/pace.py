"""How often the requests of one account are looked at: seldom until the first can be ready.

A look costs the provider, the network and this process; a late one delays the film. fal's own
clients look every 0.1 to 0.5 s at each request; WaveSpeed asks for 5 s (documentation, Get result).
"""

from __future__ import annotations

import asyncio

LOOKS_PER_S = 50.0
"""Of all requests of an account together, while none of them can be ready."""

AT_ONCE = 8
"""Looks under way at one time: each needs a connection, and a larger pool costs more to search."""

EARLY = 0.9
"""The next request may be quicker than the quickest so far."""


def pause_s(
    waited_s: float, poll_s: tuple[float, float], following: int, quickest_s: float = 0.0
) -> float:
    """Seconds to the next look at a request.

    `poll_s` are the shortest and the longest pause, `following` the requests that are looked at,
    `quickest_s` what the quickest of its kind took in this run (0: none has ended yet). A look may
    be late by a tenth of what the clip took.
    """
    shortest, longest = poll_s
    longest = max(longest, following / LOOKS_PER_S)
    early = EARLY * quickest_s - waited_s
    return min(longest, max(shortest, early if early > 0 else waited_s / 10))


class Pace:
    """Of one account, in one run."""

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(AT_ONCE)
        self.following = 0
        self._quickest_s: dict[str, float] = {}

    def next_s(self, model: str, waited_s: float, poll_s: tuple[float, float]) -> float:
        return pause_s(waited_s, poll_s, self.following, self._quickest_s.get(model, 0.0))

    def ended(self, model: str, took_s: float) -> None:
        """A request of the model was seen to be ready so long after it was sent."""
        self._quickest_s[model] = min(took_s, self._quickest_s.get(model, took_s))
