"""Who runs the flow from a program: what no form can hold, and so is no parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flows.approval import Ask
from flows.deliver import Made
from flows.report.progress import View


@dataclass(frozen=True)
class Caller:
    """`view` shows the progress; `ask` asks a person, and may block; `shown` is called when film
    and page are in place, while the rest is still being handed over; `made` is told what the run
    has come to, also where Prefect does not take the run's end down. `lists_stored` says whether
    Prefect is to show what is in the store already: it takes a second for 60 clips."""

    view: View | None = None
    ask: Ask | None = None
    shown: Callable[[], object] = bool
    lists_stored: bool = True
    made: Callable[[Made], object] = bool


NOBODY = Caller()
