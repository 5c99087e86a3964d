"""The flow that downloads every paid clip that is not stored, and settles what is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import uuid4

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from blocks import timing
from blocks.errors import ShotreelError
from blocks.ledger import Attempt, Ledger
from blocks.ledger.fallback import adopt_noted_requests
from blocks.ledger.states import ENDED, UNFINISHED
from blocks.providers.base import Ready
from blocks.providers.services import provider_name
from blocks.storage.places import ledger_place
from flows import parameters
from flows.generate.fetch import too_old
from flows.generate.generation import Generation
from flows.generate.lifecycle import advance
from flows.report.notification import notified
from flows.report.progress import Progress
from flows.run.opening import open_run
from flows.served import served_flow
from flows.shots.job import model_of

AT_ONCE = 32

KEPT = {"fal": timedelta(days=7), "wavespeed": timedelta(days=7)}
"""How long a provider keeps media: WaveSpeed seven days; fal "at least 7 days by default"."""

ASKED = (*UNFINISHED, *ENDED)

Result = Literal["stored", "released", "charged failure", "unpaid failure", "lost", "unsettled"]


@dataclass(frozen=True)
class Rescued:
    """What has become of one attempt."""

    attempt: Attempt
    result: Result
    error: ShotreelError | None = None
    left: timedelta | None = None
    """Until the provider may delete it, where it is paid and not here."""
    note: str = ""


@served_flow(name="recover", persist_result=False)
async def recover(notify: parameters.Notify = None) -> object:
    """Fetch what is paid and not stored; ask the providers about unknown outcomes.

    Args:
        notify: The Prefect notification block to tell of findings, such as slack-webhook/team.
    """
    async with notified("recover", notify) as notification:
        rescued = await rescue_all()
        log_all(rescued)
        if findings := [r for r in rescued if r.error]:
            notification.subject = f"{len(findings)} attempts need a look"
            notification.body = "\n".join(map(sentence, findings))
    open_ends = [r for r in rescued if r.error]
    if open_ends:
        return Failed(message=f"{len(open_ends)} of {len(rescued)} attempts need a look.")
    return Completed(message=f"{len(rescued)} attempts recovered.")


def log_all(rescued: Sequence[Rescued]) -> None:
    context = FlowRunContext.get()
    if context:
        logger = get_run_logger(context)
        for r in rescued:
            (logger.error if r.error else logger.info)("%s", sentence(r))


def sentence(rescued: Rescued) -> str:
    attempt = rescued.attempt
    left = f" {rescued.left.days} days are left to fetch it." if rescued.left else ""
    why = (
        f": {rescued.error}{left}" if rescued.error else f": {rescued.note}" if rescued.note else ""
    )
    return f"{attempt.shot_name}: {rescued.result}{why}"


async def rescue_all(adopted: str | None = None) -> list[Rescued]:
    """Drive every unfinished attempt that no living process drives, and ask again about what was
    lost, or failed at a cost, while its provider may have it.

    `adopted` is an attempt that a person has just found a request for: where its clip was bought
    again, the request's charge is booked and no more.
    """
    with closing(Ledger(await ledger_place())) as ledger:
        adopt_noted_requests(ledger)
        named = ledger.find(adopted) if adopted else None
        services = {a.service for a in (*ledger.in_states(ASKED), *([named] if named else ()))}
    if not services:
        return []
    run_id = uuid4().hex
    async with open_run(services, run_id=run_id) as opened:
        run = Generation(**vars(opened), watcher=Progress())
        await run.ledger.book(run.ledger.start_run, run_id, "recover", None)
        pending = await run.ledger.book(run.ledger.in_states, ASKED)
        room = asyncio.Semaphore(AT_ONCE)

        async def one(attempt: Attempt) -> Rescued | None:
            async with room:
                return await rescue(run, attempt)

        wanted = (attempt for attempt in pending if worth_asking(run, attempt))
        found = await asyncio.gather(*map(one, wanted))
        if named and named.state in ("released", "failed") and not named.holds:
            found.append(await booked(run, named))
        return [rescued for rescued in found if rescued]


async def booked(run: Generation, attempt: Attempt) -> Rescued:
    """Book what the request of an ended attempt has cost: its clip is another attempt's."""
    assert attempt.ticket is not None
    provider = run.provider_of(attempt)
    bill = await provider.billed(attempt.ticket)
    if bill is not None:
        await run.ledger.book(run.ledger.apply_bill, attempt, bill)
    else:
        outcome = await provider.poll(model_of(attempt), attempt.ticket)
        if isinstance(outcome, Ready):
            await run.ledger.book(run.ledger.note_charge, attempt, outcome.units)
    holder = (await run.ledger.book(run.ledger.holders, [attempt.fingerprint]))[attempt.fingerprint]
    cost = (await run.ledger.book(run.ledger.costs, [attempt.id])).get(attempt.id)
    cost_words = f"${cost.cost_usd} is booked" if cost else "its cost comes with the bill"
    note = f"it was bought again meanwhile as attempt {holder.id}; {cost_words}"
    return Rescued(attempt, "released", note=note)


def worth_asking(run: Generation, attempt: Attempt) -> bool:
    if attempt.state == "failed" and attempt.charged in (None, "unknown"):
        return True
    if attempt.state in ENDED:
        return attempt.charged != "no" and not too_old(run, attempt)
    return True


async def rescue(run: Generation, seen: Attempt) -> Rescued | None:
    """Go on with an attempt until it has ended.

    None where a living process is on it, and where a failure that was charged is still just that.
    """
    attempt = seen
    try:
        while True:
            attempt = await run.ledger.book(run.ledger.get, attempt.id)
            ended = result_of(attempt)
            if ended and (attempt.state not in ENDED or attempt.charged == "no"):
                return Rescued(attempt, ended, overcharge_of(run, attempt))
            if attempt.state in UNFINISHED and not run.ledger.is_mine(attempt):
                mine = await run.ledger.book(run.ledger.take_over, attempt, run.run_id)
                if mine is None:
                    return None
                attempt = mine
            await advance(run, None, attempt)
    except ShotreelError as error:
        attempt = await run.ledger.book(run.ledger.get, attempt.id)
        if attempt == seen and result_of(seen) == "charged failure":
            return None
        return Rescued(attempt, result_of(attempt) or "unsettled", error, time_left(attempt))


def overcharge_of(run: Generation, attempt: Attempt) -> ShotreelError | None:
    found = run.overcharged.values()
    return next((error for error in found if error.request_id == attempt.request_id), None)


def result_of(attempt: Attempt) -> Result | None:
    match attempt.state:
        case "stored" | "released" | "lost":
            return attempt.state
        case "failed" if attempt.charged != "unknown":
            return "charged failure" if attempt.charged == "yes" else "unpaid failure"
    return None


def time_left(attempt: Attempt) -> timedelta | None:
    kept = KEPT.get(provider_name(attempt.service))
    if attempt.state not in (*UNFINISHED, "lost") or kept is None or attempt.posted_at is None:
        return None
    return attempt.posted_at + kept - timing.now()


def exit_code(rescued: Sequence[Rescued]) -> int:
    codes = {r.error.exit_code for r in rescued if r.error}
    return next((code for code in (5, 3) if code in codes), max(codes, default=0))
