"""How a flow ends that cannot do its part: Failed, in words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

from prefect.states import Failed

from blocks.errors import ShotreelError
from flows.report import artifacts
from flows.shots import ShotListError

P = ParamSpec("P")


def ends_in_words(
    run: Callable[P, Coroutine[Any, Any, Any]],
) -> Callable[P, Coroutine[Any, Any, Any]]:
    """The body of a flow whose errors become the message of its state, and no traceback.

    The error itself stays the state's data, for whoever called the flow. What is wrong with a
    shot list is shown as a table too.
    """

    @wraps(run)
    async def run_in_words(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return await run(*args, **kwargs)
        except ShotreelError as error:
            if isinstance(error, ShotListError):
                await artifacts.show_problems(error.problems)
            # On one line: Prefect logs the state with its message quoted.
            return Failed(message=str(error).replace("\n", "; "), data=error)

    # Prefect looks the names in annotations up where the function is defined, which is here.
    run_in_words.__signature__ = signature(run, eval_str=True)  # type: ignore[attr-defined]
    return run_in_words
