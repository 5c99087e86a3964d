"""What a reconciliation has found, told to people: a table in the UI, an event for automations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from prefect.artifacts import acreate_table_artifact
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from blocks.money import plain
from flows.costs.matching import Finding
from flows.report.artifacts import MAX_ROWS, shown

EVENT = "shotreel.reconcile.finding"
MAX_EVENTS = 500
"""The table holds all; nobody reads a thousand messages."""


async def show_findings(findings: Sequence[Finding]) -> None:
    """A table artifact, also where there is nothing: that is worth a look too."""
    if FlowRunContext.get() is None:
        return
    rows: list[dict[str, Any]] = [
        {
            "finding": f.kind,
            "USD": plain(f.cost_usd),
            "account": f"{f.service}/{f.account}",
            "request": f.request_id,
            "at": f.at,
            "what": f.what,
            "what to do": f.remedy,
        }
        for f in findings[:MAX_ROWS]
    ]
    title = f"{len(findings)} amounts that nobody can explain" if findings else "The bill adds up"
    await shown(acreate_table_artifact(rows or [{"finding": "none"}], "findings", title))


def announce(findings: Sequence[Finding]) -> None:
    """An event each, once a day, where there is a server that an automation can run on."""
    if FlowRunContext.get() is None and not PREFECT_API_URL.value():
        return
    today = datetime.now(UTC).date().isoformat()
    for f in findings[:MAX_EVENTS]:
        about = f"{f.service}/{f.account}/{f.request_id}"
        emit_event(
            EVENT,
            {"prefect.resource.id": f"shotreel.request/{about}", "prefect.resource.name": f.what},
            payload={
                "kind": f.kind,
                "service": f.service,
                "account": f.account,
                "request_id": f.request_id,
                "model": f.model,
                "cost_usd": plain(f.cost_usd),
                "at": f.at,
                "what": f.what,
                "remedy": f.remedy,
            },
            id=uuid5(NAMESPACE_URL, f"{EVENT}/{about}/{f.kind}/{plain(f.cost_usd)}/{today}"),
        )
