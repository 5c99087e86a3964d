"""Bring a clip home: from wherever its attempt stands, to the store.

Every step reads the attempt from the ledger, does one thing, and writes what came of it. So a
step can be cut off anywhere, by anything, and the next process goes on from the same place.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from blocks.errors import FailedError, LostError, ShotreelError, UnreachableError
from blocks.ledger import Attempt, Intent
from blocks.ledger.states import UNFINISHED
from blocks.providers.base import Failed, Gone, Polled, Ready, Waiting
from blocks.providers.retry import again_until
from flows.generate.buy import buy
from flows.generate.fetch import fetch
from flows.generate.settle import settle_unknown
from flows.run.context import Clip, RunContext
from flows.shots.job import Job, model_of

MAX_ATTEMPTS = 3
"""New attempts of one clip in one run, where the ones before failed unpaid and may succeed."""

WORK_PATIENCE_S = 3600.0
POLL_PATIENCE_S = 120.0
WATCH_S = 0.5
CALL_OFF_S = 5.0
IN_PROGRESS = ("reserved", *UNFINISHED)


async def bring_home(shop: RunContext, job: Job, intent: Intent) -> Clip:
    """The job's clip: from the store, from the provider that still has it, or newly bought.

    Raises a ProviderError (or ClipError, BudgetError) that says what was paid and what to do.
    """
    try:
        return await until_home(shop, job, intent)
    except asyncio.CancelledError:
        if intent.quote.source == "no_price":
            await call_off(shop, job)
        raise


async def until_home(shop: RunContext, job: Job, intent: Intent) -> Clip:
    bought = 0
    while True:
        held = (await shop.book(shop.ledger.holders, [job.fingerprint])).get(job.fingerprint)
        if held is None:
            if bought == MAX_ATTEMPTS:
                raise FailedError(
                    f"{job.name} failed {MAX_ATTEMPTS} times in ways that may pass.",
                    remedy="Nothing is owed for it. Run the same command again later.",
                )
            reserved = await shop.book(shop.ledger.reserve, [intent], shop.run_id)
            held = reserved[job.fingerprint]
        if job.fingerprint in shop.errands:
            await asyncio.sleep(WATCH_S)
            continue
        if held.state in IN_PROGRESS and not shop.ledger.is_mine(held):
            mine = await taken_over(shop, held)
            if mine is None:
                shop.watcher.state(job.fingerprint, held.state, "another run is on it")
                await asyncio.sleep(WATCH_S)
                continue
            held = mine
        bought += held.state == "reserved"
        clip = await advance(shop, job, held)
        if clip is not None:
            return clip


async def taken_over(shop: RunContext, held: Attempt) -> Attempt | None:
    """The attempt, from now on this process's; None where a living one is on it, or an errand."""
    async with shop.taking:
        if held.fingerprint in shop.errands:
            return None
        return await shop.book(shop.ledger.take_over, held, shop.run_id)


async def make_room(shop: RunContext, service: str) -> None:
    """Bring home, beside all else, what dead processes have ordered: it holds the account's room.

    Else everyone would wait for it, also the one that is to take up the work of the dead.
    """
    async with shop.taking:
        account = shop.providers[service].account
        for orphan in await shop.book(shop.ledger.orphans, service, account):
            mine = await shop.book(shop.ledger.take_over, orphan, shop.run_id)
            if mine is not None:
                errand = asyncio.create_task(see_home(shop, mine))
                shop.errands[mine.fingerprint] = errand


async def see_home(shop: RunContext, attempt: Attempt) -> None:
    try:
        while attempt.state in UNFINISHED:
            await advance(shop, None, attempt)
            attempt = await shop.book(shop.ledger.get, attempt.id)
    except ShotreelError:
        pass  # it is told to whoever wants the clip
    finally:
        del shop.errands[attempt.fingerprint]


async def advance(shop: RunContext, job: Job | None, attempt: Attempt) -> Clip | None:
    """One step of an attempt that this process owns; the clip where it was the last one.

    Only a reservation needs its `job`: nothing else buys.
    """
    shop.watcher.state(attempt.fingerprint, attempt.state)
    match attempt.state:
        case "reserved" if job is not None:
            await buy(shop, job, attempt, partial(make_room, shop))
        case "posting":
            # This process owns it and is not waiting for its answer: that was lost with a crash.
            await shop.book(
                shop.ledger.mark_unknown, attempt, "the process ended while the request was sent"
            )
        case "unknown":
            await settle_unknown(shop, attempt)
        case "submitted":
            await follow(shop, attempt)
        case "ready":
            return await fetch(shop, attempt)
        case "stored":
            return await from_store(shop, attempt)
        case "failed":
            await explain_failure(shop, attempt)
        case "lost" if attempt.price_source == "no_price":
            await shop.book(shop.ledger.release, attempt, "it cost nothing: it is made again")
        case "lost":
            raise lost(attempt)
        case "reserved" | "released":
            return None
    return None


async def follow(shop: RunContext, attempt: Attempt) -> None:
    """submitted -> ready, failed or lost: look until the provider says how it ended.

    Raises FailedError for an unpaid failure that the same inputs would meet again.
    """
    provider, ticket = shop.provider_of(attempt), attempt.ticket
    assert ticket is not None
    model = model_of(attempt)
    name = attempt.asked_of
    pace = shop.paces[attempt.service]

    async def look() -> Polled:
        async with pace.room:
            return await provider.poll(model, ticket)

    begun = monotonic()
    pace.following += 1
    try:
        while True:
            outcome: Waiting | Ready | Failed | Gone = await again_until(
                POLL_PATIENCE_S, look, name, paid="unknown", request_id=ticket.request_id
            )
            waited = monotonic() - begun
            if not isinstance(outcome, Waiting):
                break
            if waited > WORK_PATIENCE_S:
                raise UnreachableError(
                    f"{name} is still not ready after {waited / 60:.0f} minutes.",
                    paid="unknown",
                    request_id=ticket.request_id,
                    remedy="It is not lost: run `shotreel recover`, or the same command again.",
                )
            place = outcome.queue_position
            shop.watcher.state(
                attempt.fingerprint,
                "submitted",
                "at work" if place is None else f"queued, {place} ahead",
            )
            await asyncio.sleep(pace.next_s(attempt.model, waited, provider.poll_s))
    finally:
        pace.following -= 1
    if isinstance(outcome, Ready) and attempt.id in shop.sent:
        pace.ended(attempt.model, waited)
    ended = await record(shop, attempt, outcome)
    shop.gates[attempt.service].freed.set()
    if isinstance(outcome, Failed) and ended.charged == "no" and not outcome.transient:
        raise FailedError(
            f"{name}: {ended.cause}",
            request_id=ticket.request_id,
            remedy="Nothing is owed for it. Change the shot, or run the same command again.",
        )


async def call_off(shop: RunContext, job: Job) -> None:
    """A run that is stopped frees a machine of one's own; what is paid for goes on, and is kept."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CALL_OFF_S):
            held = (await shop.book(shop.ledger.holders, [job.fingerprint])).get(job.fingerprint)
            if held is None or held.state != "submitted" or not shop.ledger.is_mine(held):
                return
            assert held.ticket is not None
            await shop.provider_of(held).cancel(model_of(held), held.ticket)
            await record(shop, held, Failed("called off: the run was stopped", "no"))


async def record(shop: RunContext, attempt: Attempt, outcome: Ready | Failed | Gone) -> Attempt:
    """Write down how a submitted request ended."""
    match outcome:
        case Ready(media_url, units):
            shop.fresh.add(attempt.id)
            return await shop.book(shop.ledger.mark_ready, attempt, media_url, units)
        case Failed():
            return await shop.book(shop.ledger.mark_failed, attempt, outcome)
        case Gone(reason):
            return await shop.book(shop.ledger.mark_lost, attempt, reason)


async def from_store(shop: RunContext, attempt: Attempt) -> Clip | None:
    """The stored clip; where the store has lost or altered it, the attempt is ready again."""
    assert attempt.clip_sha256 is not None and attempt.num_frames is not None
    path = await asyncio.to_thread(shop.store.path, attempt.clip_sha256)
    if path is None:
        await shop.book(
            shop.ledger.mark_missing, attempt, "the store's file is gone or was altered"
        )
        return None
    return Clip(attempt.fingerprint, attempt.id, attempt.clip_sha256, attempt.num_frames, path)


async def explain_failure(shop: RunContext, attempt: Attempt) -> None:
    """Raise what a charged failure means; free the fingerprint where the bill says unpaid."""
    if attempt.charged == "unknown" and attempt.ticket:
        provider = shop.provider_of(attempt)
        bill = await provider.billed(attempt.ticket)
        if bill and bill.cost_usd and ended_ago_s(attempt) < provider.refund_s:
            raise FailedError(
                f"{attempt.shot_name}: {attempt.cause}",
                paid="unknown",
                request_id=attempt.request_id,
                remedy="The provider may still give the money back, for "
                f"{provider.refund_s / 3600:.0f} hours: run `shotreel recover` later.",
            )
        if bill is not None:
            await shop.book(shop.ledger.apply_bill, attempt, bill)
            if bill.cost_usd == 0:
                await shop.book(shop.ledger.release, attempt, "failed, and the bill says unpaid")
                return
            charged = Failed(attempt.cause, "yes")
            attempt = await shop.book(shop.ledger.mark_failed, attempt, charged)
    raise FailedError(
        f"{attempt.shot_name}: {attempt.cause}",
        paid=attempt.charged or "unknown",
        request_id=attempt.request_id,
        remedy="Change the shot; or, to buy the very same again, first run "
        f"`shotreel recover --release {attempt.id}`.",
    )


def ended_ago_s(attempt: Attempt) -> float:
    assert attempt.ended_at is not None
    return (datetime.now(UTC) - attempt.ended_at).total_seconds()


def lost(attempt: Attempt) -> LostError:
    return LostError(
        f"{attempt.shot_name}: {attempt.cause}",
        paid=attempt.charged or "unknown",
        request_id=attempt.request_id,
        remedy="Ask the provider for it. To buy the very same again, first run "
        f"`shotreel recover --release {attempt.id}`.",
    )
