"""The run's log in the Prefect UI: what has become of each shot, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from blocks.money import usd
from flows.report.progress import FINISHED, Progress, View


class LogView:
    """A line when a clip is here or has failed, and the totals; nothing twice."""

    def __init__(self, logger: Any, beside: View | None = None) -> None:
        self._logger = logger
        self._beside = beside
        self._said: dict[str, str] = {}
        self._planned = False
        self._messages = 0

    def changed(self, progress: Progress, fingerprint: str | None) -> None:
        if self._beside:
            self._beside.changed(progress, fingerprint)
        if fingerprint is not None:
            self._shot(progress, fingerprint)
        elif progress.rows and not self._planned:
            self._planned = True
            rows = progress.rows.values()
            here = sum(row.state == "stored" for row in rows)
            cost_usd = sum(
                (row.cost_usd for row in rows if row.bought_here), 0 * progress.spent_usd
            )
            self._logger.info(
                "%d clips: %d in the store, %d to come; %s to buy",
                *(len(rows), here, len(rows) - here, usd(cost_usd)),
            )
        for message in progress.messages[self._messages :]:
            self._logger.info("%s", message)
        self._messages = len(progress.messages)

    def _shot(self, progress: Progress, fingerprint: str) -> None:
        row = progress.rows[fingerprint]
        say: Callable[..., None] = self._logger.info
        if row.state == "unknown":
            say = self._logger.warning
        elif row.state == "failed":
            say = self._logger.error
        elif row.state not in FINISHED:
            return
        if self._said.get(fingerprint) == row.state:
            return
        self._said[fingerprint] = row.state
        done = sum(r.state in FINISHED for r in progress.rows.values())
        paid = f", {usd(row.cost_usd)}" if row.bought_here and row.state == "stored" else ""
        say("%s: %s%s (%d of %d)", row.name, row.words, paid, done, len(progress.rows))


def logged(view: View | None) -> View | None:
    """The view, and beside it the log of the flow run, where there is one."""
    context = FlowRunContext.get()
    return LogView(get_run_logger(context), view) if context else view
