"""What the Prefect UI shows of a run: the plan, the progress, the bill. Nothing outside a run."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.artifacts import (
    acreate_image_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.context import FlowRunContext

from blocks.money import cents, short, units_text, usd
from flows.costs.statement import Statement, reason_of
from flows.planning.forecast import Outlook
from flows.planning.plan import Plan
from flows.report.forecast import NEEDS, markdown
from flows.report.markdown import table
from flows.report.progress import Progress
from flows.shots import Problem

MAX_ROWS = 2_000
"""A table artifact travels as one JSON and is shown as one page."""

EVERY_S = 2.0
TELL_EVERY_S = 10
"""How finely the time is told: each telling is a request to Prefect."""

SHOW_S = 10.0
PAUSE_S = 60.0


@dataclass
class Pause:
    until_s: float = 0.0


_pause = Pause()

T = TypeVar("T")


async def shown(call: Coroutine[Any, Any, T]) -> T | None:
    """Prefect shows a run; where it cannot, the run goes on: its clips are paid for.

    Its client asks a server that is gone again for a minute, each time: a call has less, and for a
    while after one that came to nothing there is no other.
    """
    if monotonic() < _pause.until_s:
        call.close()
        return None
    try:
        async with asyncio.timeout(SHOW_S):
            return await call
    except (httpx.HTTPError, TimeoutError):
        _pause.until_s = monotonic() + PAUSE_S
        return None


@asynccontextmanager
async def progress_of(progress: Progress, plan: Plan) -> AsyncIterator[None]:
    """Show the plan, then how much of the work is done, until the block ends."""
    if FlowRunContext.get() is None:
        yield
        return
    artifact_id, _ = await asyncio.gather(
        shown(acreate_progress_artifact(_percent(progress), "clips", describe(progress))),
        show_plan(plan),
    )
    updates = asyncio.create_task(_update(artifact_id, progress))
    try:
        yield
    finally:
        updates.cancel()
        await asyncio.gather(updates, return_exceptions=True)
        if artifact_id:
            await shown(
                aupdate_progress_artifact(artifact_id, _percent(progress), describe(progress))
            )


async def _update(artifact_id: UUID | None, progress: Progress) -> None:
    words = describe(progress)
    while True:
        await asyncio.sleep(EVERY_S)
        if artifact_id and describe(progress) != words:
            words = describe(progress)
            await shown(aupdate_progress_artifact(artifact_id, _percent(progress), words))


def _percent(progress: Progress) -> float:
    return 100.0 * progress.share


def describe(progress: Progress) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(progress.counts.items()))
    minutes, seconds = divmod(int(progress.elapsed_s) // TELL_EVERY_S * TELL_EVERY_S, 60)
    return (
        f"{progress.doing}; {counts or 'no clips'}; "
        f"ordered for {usd(progress.spent_usd)} in this run; {minutes}:{seconds:02} min"
    )


async def show_plan(plan: Plan) -> None:
    rows: list[dict[str, Any]] = [
        {
            "shot": line.job.name,
            "USD": cents(line.cost_usd),
            "units": short(line.units),
            "need": NEEDS[line.need],
            "model": line.job.shot.model,
            "fingerprint": line.job.fingerprint[:12],
        }
        for line in plan.lines[:MAX_ROWS]
    ]
    sums = {"USD": cents(plan.cost_usd), "units": units_text(plan.units_of)}
    rows.append({"shot": "total", **sums})
    title = _cut("What would be bought", len(plan.lines))
    await shown(acreate_table_artifact(rows, "plan", title))


async def show_outlook(outlook: Outlook) -> None:
    title = "What changed, what other models would ask, how long it takes"
    await shown(acreate_markdown_artifact(markdown(outlook), "outlook", title))


async def show_bill(accounts: Statement) -> None:
    if FlowRunContext.get() is None:
        return
    items = accounts.items
    rows: list[dict[str, Any]] = [
        {
            "shot": f"{i.sequence}/{i.shot}" + (f" take {i.take}" if i.take > 1 else ""),
            "USD": cents(i.cost_usd),
            "units": short(i.units),
            "state": i.state,
            "in film": i.in_film,
            "model": i.model,
            "counted by": i.source,
            "request": i.request_id,
        }
        for i in items[:MAX_ROWS]
    ]
    sums = {"USD": cents(accounts.cost_usd), "units": units_text(accounts.units_of)}
    rows.append({"shot": "total", **sums})
    title = _cut("What the film has cost", len(items))
    await shown(acreate_table_artifact(rows, "bill", title))


async def show_accounts(accounts: Statement) -> None:
    """Where the bill differs from the estimate, and what of it is not in the film; if any."""
    if FlowRunContext.get() is None:
        return
    rows: list[dict[str, Any]] = [
        {
            "shot": each.name,
            "USD": cents(each.cost_usd),
            "estimate": cents(each.estimate_usd),
            "why": each.why,
            "request": each.request_id,
        }
        for each in accounts.differences
    ]
    rows += [
        {
            "shot": each.name,
            "USD": cents(each.cost_usd),
            "why": reason_of(each),
            "request": each.request_id,
        }
        for each in accounts.not_in_film
    ]
    if rows:
        title = _cut("Estimate against actual, and what is not in the film", len(rows))
        await shown(acreate_table_artifact(rows[:MAX_ROWS], "differences", title))


async def show_problems(problems: Sequence[Problem]) -> None:
    """What is wrong with a list, a row a problem."""
    if FlowRunContext.get() is None:
        return
    rows: list[dict[str, Any]] = [
        {
            "row": problem.row if problem.row is not None else "",
            "column": problem.column,
            "value": problem.value,
            "what is wrong": problem.reason,
        }
        for problem in problems[:MAX_ROWS]
    ]
    title = _cut("What is wrong with the shot list", len(problems))
    await shown(acreate_table_artifact(rows, "problems", title))


async def show_summary(
    summary: str, accounts: Statement, files: Sequence[Path], review: str
) -> None:
    """The files by their paths: a browser opens no file:// link of a page that a server served.

    `review` is the command that opens the cutting room, which has no address before.
    """
    if FlowRunContext.get() is None:
        return
    sums = (
        (t.key, cents(t.cost_usd), units_text(t.units_of), str(t.attempts))
        for t in accounts.by("sequence")
    )
    lines = [summary, "", *table(("sequence", " USD", " units", " clips"), sums)]
    lines += ["", *(f"- `{file.absolute()}`" for file in files if file.exists())]
    if review:
        lines += ["", "The cutting room, to compare takes, choose, mark and ask for more:"]
        lines += ["", *(f"    {line}" for line in review.splitlines())]
    await shown(acreate_markdown_artifact("\n".join(lines), "film", "The film and what it cost"))


async def show_sheet(jpeg: bytes) -> None:
    if FlowRunContext.get() is None:
        return
    url = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
    await shown(acreate_image_artifact(url, "contact-sheet", "A frame of every shot"))


async def show_stills(jpeg: bytes) -> None:
    if FlowRunContext.get() is None:
        return
    url = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
    await shown(acreate_image_artifact(url, "stills", "Pictures that wait for approval"))


async def show_seams(rows: Sequence[dict[str, Any]]) -> None:
    if FlowRunContext.get() is None:
        return
    title = _cut("What is seen where one shot follows another", len(rows))
    await shown(acreate_table_artifact(list(rows[:MAX_ROWS]), "seams", title))


def _cut(title: str, count: int) -> str:
    return title if count <= MAX_ROWS else f"{title} (the first {MAX_ROWS} of {count})"
