"""From a world that fails to the fewest of its events with which it still does: delta debugging."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from tests.simulation.books import DAY_S
from tests.simulation.world import NUM_FILMS, Report, play

TOGETHER = (
    *(rf"film[- ]{number}\b" for number in range(NUM_FILMS)),
    "recover",
    "reconcile",
    "(a )?stranger",
    "tasks go on",
    "fal's listing",
    ".* is listed",
    ".* (is not found|times out|has no)",
    ".* (is refused a connection|is lost|comes too soon)",
    ".* is answered by a gateway",
    ".* loses its answer",
    ".* has a wrong clock",
    ".* is interrupted",
    ".* is killed",
    ".* fails",
)
"""Events of one actor or of one kind: they are left out together before they are one by one."""

SLACK_S = 3600.0
"""A shorter world may fail later than the longer one, by so much."""

Play = Callable[[frozenset[str] | None, Report | None], Report]
"""A world in which these events alone come to pass (None: all that the seed has), shorter than
another that fails."""


def of_seed(seed: int) -> Play:
    def played(only: frozenset[str] | None, than: Report | None) -> Report:
        most_s = than.virtual_s + SLACK_S if than else 90 * DAY_S
        return play(seed, only=only, to_the_end=False, most_s=most_s)

    return played


def shrink(played: Play, seconds: float, tell: Callable[[Report], None]) -> None:
    """Tell of a world that fails, and of each shorter one that is found in so many seconds of work.

    What comes after the first broken invariant is not played; of the rest, actors and kinds of
    events are left out, then halves, quarters, ..., single events.
    """
    ends = time.process_time() + seconds
    shortest = played(None, None)
    if shortest.held:
        return
    tell(shortest)

    def without(left_out: set[str]) -> bool:
        nonlocal shortest
        if not left_out.intersection(shortest.happened) or time.process_time() > ends:
            return False
        report = played(frozenset(shortest.happened) - left_out, shortest)
        if report.held:
            return False
        shortest = report
        tell(shortest)
        return True

    for kind in TOGETHER:
        without({event for event in shortest.happened if re.match(kind, event)})
    size = len(shortest.happened)
    while size > 1 and time.process_time() < ends:
        size = min(-(-size // 2), len(shortest.happened))
        shorter = True
        while shorter:
            tried = [without(part) for part in parts(shortest.happened, size)]
            shorter = size == 1 and any(tried)


def parts(events: list[str], size: int) -> Iterator[set[str]]:
    """From the last to the first: what came late was brought about by what came before it."""
    return (set(events[max(end - size, 0) : end]) for end in range(len(events), 0, -size))
