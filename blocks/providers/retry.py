"""The one retry loop of the program, and the pure rule for how long it waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from blocks.errors import Paid, UnreachableError
from blocks.providers.base import Again

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
ASKED_PATIENCE_S = 600.0

T = TypeVar("T")


def backoff(tries: int, after_s: float | None = None, jitter: float = 0.0) -> float:
    """Seconds to wait after `tries` failed tries (1, 2, ...).

    What the service asks for (`after_s`, Retry-After) is a floor. `jitter` in [0, 1) spreads
    callers that failed together over the upper half of the wait.
    """
    wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * float(2 ** min(tries - 1, 10)))
    wait *= 0.5 + jitter / 2
    return max(wait, after_s or 0.0)


async def again_until(
    patience_s: float,
    step: Callable[[], Awaitable[T | Again]],
    what: str,
    *,
    paid: Paid = "no",
    request_id: str | None = None,
) -> T:
    """Call `step` until it answers something other than `Again`.

    Raises UnreachableError with the last reason when its waits would come to more than
    `patience_s`; waits that the service asks for (Retry-After) to more than ASKED_PATIENCE_S.
    Only waits count: a step may stand in line for as long as that takes.
    """
    tries, waited = 0, 0.0
    while True:
        outcome = await step()
        if not isinstance(outcome, Again):
            return outcome
        tries += 1
        wait = backoff(tries, outcome.after_s, random.random())  # noqa: S311 - spreads load
        waited += wait
        if waited > (patience_s if outcome.after_s is None else max(patience_s, ASKED_PATIENCE_S)):
            raise UnreachableError(
                f"{what}: gave up after {tries} tries; the last one said: {outcome.reason}.",
                paid=paid,
                request_id=request_id,
                remedy="Run the same command again: what was bought is kept and found again.",
            )
        await asyncio.sleep(wait)
