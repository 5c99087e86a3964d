"""Who runs the flow from a program: what no form can hold, and so is no parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flows.approval import Ask
from flows.deliver import Made
from flows.report.progress import View


@dataclass(frozen=True)
class Caller:
    """`view` shows the progress; `ask` asks a person, and may block; `made` is told what the run
    has come to, also where Prefect does not take the run's end down."""

    view: View | None = None
    ask: Ask | None = None
    made: Callable[[Made], object] = bool


NOBODY = Caller()
