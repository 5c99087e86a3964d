"""An event loop in which time is what the next timer says, and the seed says who runs next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

MOST_STEPS_NOW = 500
"""At one moment: who takes more goes round in circles."""


class StalledError(Exception):
    """Nothing is ready and nothing is timed: everyone waits for someone who does not come."""


class EndlessError(Exception):
    """More steps than any world that ends."""


class _Selector:
    """Stands where a loop asks the sockets: here waiting is a jump of the clock."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise StalledError
        self._loop.skip(timeout)
        return []

    def close(self) -> None:
        pass


class SimulatedLoop(asyncio.BaseEventLoop):
    """Blocking work runs at once, in its place: a file on this machine takes no virtual time."""

    def __init__(self, rank: Callable[[asyncio.Handle], float], most_steps: int) -> None:
        super().__init__()
        self._rank, self.most_steps = rank, most_steps
        self._seconds = 0.0
        self._selector = _Selector(self)
        self.steps = 0
        self._steps_now = 0
        self.errors: list[BaseException] = []
        self.set_exception_handler(lambda _, context: self._note(context))

    def _note(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.errors.append(error)

    def time(self) -> float:
        return self._seconds

    def skip(self, seconds: float) -> None:
        if seconds > 0:
            self._seconds += seconds
            self._steps_now = 0

    def _run_once(self) -> None:
        self.steps += 1
        self._steps_now += 1
        if self.steps > self.most_steps or self._steps_now > MOST_STEPS_NOW:
            raise EndlessError
        ready: deque[Any] = self._ready  # type: ignore[attr-defined]
        if len(ready) > 1:
            mixed = sorted(ready, key=self._rank)
            ready.clear()
            ready.extend(mixed)
        super()._run_once()  # type: ignore[misc]

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            done.set_exception(error)
        return done
