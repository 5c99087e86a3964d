"""Flows that travel to another process, and one that gives its caller what it has made."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.client.schemas.objects import State

P = ParamSpec("P")
R = TypeVar("R")


class ServedFlow(Flow[P, R]):
    """Pickled by its name, as functions are.

    Where a program serves a flow, Prefect pickles it for the process of each run: by value, with
    all that it names, and neither ContextVars nor the names in its annotations survive that.
    """

    def __reduce__(self) -> Any:
        module, name = self.fn.__module__, self.fn.__name__
        if getattr(sys.modules[module], name, None) is self:
            return _found, (module, name)
        return super().__reduce__()  # with options of the caller's


def _found(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


class FilmFlow(ServedFlow[P, R]):
    """To a caller the film is a result also where it is not whole: its `exit_code` says so.

    The run has failed then, and for a failed run Prefect would raise and keep the result. What is
    raised is what has kept the run from its end: a ShotreelError, mostly.
    """

    def __call__(self, *args: Any, return_state: bool = False, **kwargs: Any) -> Any:  # type: ignore[override]
        state: Any = super().__call__(*args, return_state=True, **kwargs)
        return state if return_state else _result_of(state)


async def _result_of(coming: Awaitable[State[Any]]) -> Any:
    result = await (await coming).aresult(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return result


def film_flow(**options: Any) -> Callable[[Callable[P, R]], FilmFlow[P, R]]:
    """Prefect's `@flow`, with the same options, for a flow that gives its caller its film."""

    def decorate(run: Callable[P, R]) -> FilmFlow[P, R]:
        return FilmFlow(run, **options)

    return decorate


def served_flow(**options: Any) -> Callable[[Callable[P, R]], ServedFlow[P, R]]:
    """Prefect's `@flow`, with the same options, for a flow that travels by its name."""

    def decorate(run: Callable[P, R]) -> ServedFlow[P, R]:
        return ServedFlow(run, **options)

    return decorate
