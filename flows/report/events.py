"""Prefect events about a run's clips, for automations: how many, which, and what they cost.

    shotreel.clip.bought    paid, and here         shotreel.clip.failed    it will not come
    shotreel.clip.unknown   may have been paid

Clips of a kind share an event, every few seconds: a thousand clips are not a thousand messages.
"""

from __future__ import annotations

from decimal import Decimal
from time import monotonic
from typing import Any

from prefect.context import FlowRunContext
from prefect.events import emit_event

from blocks.money import plain
from flows.report.log import logged
from flows.report.progress import Progress, Row, View

EVERY_S = 10.0
MAX_NAMES = 200
"""Names in one event: an event is a message, not a manifest."""

KINDS = {"stored": "bought", "failed": "failed", "unknown": "unknown"}


class Events:
    """Events about what has become of clips that this run had to bring."""

    def __init__(self, run_id: str, name: str, beside: View | None = None) -> None:
        self._resource = {
            "prefect.resource.id": f"shotreel.run.{run_id}",
            "prefect.resource.name": name,
        }
        self._beside = beside
        self._told: dict[str, str] = {}
        self._waiting: dict[str, list[Row]] = {}
        self._last_s = monotonic()

    def changed(self, progress: Progress, fingerprint: str | None) -> None:
        if self._beside:
            self._beside.changed(progress, fingerprint)
        row = progress.rows.get(fingerprint) if fingerprint else None
        if row and fingerprint and row.state in KINDS and self._told.get(fingerprint) != row.state:
            self._told[fingerprint] = row.state
            self._waiting.setdefault(KINDS[row.state], []).append(row)
        if progress.phase == "done" or monotonic() - self._last_s > EVERY_S:
            self.send(progress)

    def send(self, progress: Progress) -> None:
        self._last_s = monotonic()
        for kind, rows in self._waiting.items():
            cost_usd = sum((row.cost_usd for row in rows if row.bought_here), Decimal(0))
            payload: dict[str, Any] = {
                "count": len(rows),
                "clips": [row.name for row in rows[:MAX_NAMES]],
                "spent_usd": plain(progress.spent_usd),
            }
            if kind == "bought":
                payload["cost_usd"] = plain(cost_usd)
            else:
                payload["why"] = {row.name: row.note for row in rows[:MAX_NAMES]}
            emit_event(f"shotreel.clip.{kind}", self._resource, payload=payload)
        self._waiting = {}


def reported(view: View | None = None) -> Progress:
    """The progress of a run, told to the view, to the flow run's log, and in its events."""
    return Progress(signalled(logged(view)))


def signalled(view: View | None) -> View | None:
    """The view, and beside it the events of the flow run, where there is one."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return view
    return Events(str(context.flow_run.id), context.flow_run.name, view)
