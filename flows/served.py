"""Flows that travel to another process, and one that gives its caller what it has made."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from copy import copy
from decimal import Decimal
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import Any, ParamSpec, Self, TypeVar, cast

from prefect import Flow
from prefect.client.schemas.objects import State
from pydantic_core import to_jsonable_python

from flows.project import enter_project

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

    def __copy__(self) -> Self:
        """One beside it, where to pickle it by its name gives the same one."""
        beside = type(self).__new__(type(self))
        vars(beside).update(vars(self))
        return beside

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """As the run's page and its form show them. Prefect's own imports fastapi for it, which
        takes a third of a second and nothing else here needs."""
        return {name: _as_json(value) for name, value in parameters.items()}


def _as_json(value: Any) -> Any:
    """An amount is a number in the form, where pydantic writes a string."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return to_jsonable_python(value, serialize_unknown=True)


def _found(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


class FilmFlow(ServedFlow[P, R]):
    """A flow whose body takes, by keyword only, what no form can hold.

    To a caller the film is a result also where it is not whole: its `exit_code` says so.

    The run has failed then, and for a failed run Prefect would raise and keep the result. What is
    raised is what has kept the run from its end: a ShotreelError, mostly.
    """

    def with_arguments(self, **beside: Any) -> FilmFlow[P, R]:
        """The same flow for a caller in this process, with what only such a caller can give."""
        flow = copy(self)  # Prefect's `with_options` reads all parameters anew, for a plain Flow

        @wraps(self.fn)
        async def run(*args: Any, **kwargs: Any) -> Any:
            given: Any = self.fn
            return await given(*args, **kwargs, **beside)

        flow.fn = run  # type: ignore[assignment]
        return flow

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
        return FilmFlow(_in_project(run), **options)

    return decorate


def served_flow(**options: Any) -> Callable[[Callable[P, R]], ServedFlow[P, R]]:
    """Prefect's `@flow`, with the same options, for a flow that travels by its name."""

    def decorate(run: Callable[P, R]) -> ServedFlow[P, R]:
        return ServedFlow(_in_project(run), **options)

    return decorate


def _in_project(run: Callable[P, R]) -> Callable[P, R]:
    """The body of a flow, begun in the person's folder. A form has none of its keyword-only
    parameters."""

    @wraps(run)
    async def inside(*args: P.args, **kwargs: P.kwargs) -> Any:
        enter_project()
        coming: Any = run(*args, **kwargs)
        return await coming

    # Prefect looks the names in annotations up where the function is defined, which is here.
    whole = signature(run, eval_str=True)
    fields = [each for each in whole.parameters.values() if each.kind is not each.KEYWORD_ONLY]
    inside.__signature__ = whole.replace(parameters=fields)  # type: ignore[attr-defined]
    return cast(Callable[P, R], inside)
