"""The life of an attempt: from wherever it stands, to the clip in the store.

Every step reads the attempt from the ledger, does one thing, and writes what came of it. So a
step can be cut off anywhere, by anything, and the next process goes on from the same place.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from functools import partial

from blocks import timing
from blocks.errors import (
    FailedError,
    OverchargedError,
    SetupError,
    UnreachableError,
)
from blocks.ledger import Attempt, Intent, fallback
from blocks.ledger.proof import is_absurd
from blocks.ledger.states import UNFINISHED
from blocks.money import in_nano, usd
from blocks.providers.base import Bill, Empty, Failed, Gone, Polled, Provider, Ready, Waiting
from blocks.providers.retry import again_until, backoff
from blocks.providers.services import provider_name
from flows.generate.buy import buy
from flows.generate.fetch import fetch, lost, too_old
from flows.generate.generation import Generation
from flows.generate.settle import settle_unknown
from flows.run.context import Clip
from flows.shots.job import Job, model_of

MAX_ATTEMPTS = 3
"""New attempts of one clip in one run, where the ones before failed unpaid and may succeed."""

WORK_PATIENCE_S = 3600.0
POLL_PATIENCE_S = 120.0
WATCH_S = 0.5
BILL_PATIENCE_S = 20.0
BILL_LOOK_S = 2.0
CALL_OFF_S = 3.0
CALLED_OFF = "called off: the run was stopped"
GONE_S = 30.0
"""How long a request that is not known is asked for again, however long ago it was sent."""

EMPTY_S = 15.0
"""How long one that ended well is asked for a clip that its result does not name."""

IN_PROGRESS = ("reserved", *UNFINISHED)


async def obtain(run: Generation, job: Job, intent: Intent) -> Clip:
    """The job's clip: from the store, from the provider that still has it, or newly bought.

    Raises a ProviderError (or ClipError, BudgetError) that says what was paid and what to do.
    """
    try:
        return await obtain_here(run, job, intent)
    except asyncio.CancelledError:
        if intent.quote.source == "no_price":
            await call_off(run, job)
        raise


async def obtain_here(run: Generation, job: Job, intent: Intent) -> Clip:
    run.driven.add(job.fingerprint)
    try:
        return await until_stored(run, job, intent)
    finally:
        run.driven.discard(job.fingerprint)


async def until_stored(run: Generation, job: Job, intent: Intent) -> Clip:
    held: Attempt | None = None
    bought = 0
    try:
        while True:
            held = await run.ledger.book(run.ledger.holder, job.fingerprint)
            if held is None:
                held = await reserve_again(run, job, intent, bought)
            if job.fingerprint in run.orphans:
                await asyncio.sleep(WATCH_S)
                continue
            if held.state in IN_PROGRESS and not run.ledger.is_mine(held):
                mine = await taken_over(run, held)
                if mine is None:
                    run.watcher.state(job.fingerprint, held.state, "another run is on it")
                    await asyncio.sleep(WATCH_S)
                    continue
                held = mine
            bought += held.state == "reserved"
            if clip := await advance(run, job, held):
                return clip
    except SetupError:
        if held:
            keep_request(held if held.ticket else run.sent.get(held.id, held))
        raise


async def reserve_again(run: Generation, job: Job, intent: Intent, bought: int) -> Attempt:
    if bought == MAX_ATTEMPTS:
        raise FailedError(
            f"{job.name} failed {MAX_ATTEMPTS} times in ways that may pass.",
            remedy="Nothing is owed for it. Run the same command again later.",
        )
    reserved = await run.ledger.book(run.ledger.reserve, [intent], run.run_id)
    return reserved[job.fingerprint]


def keep_request(attempt: Attempt) -> None:
    """Where the ledger fails under a request, its id is kept beside it: its file may be gone."""
    if attempt.ticket and attempt.state in UNFINISHED:
        with suppress(OSError):
            fallback.note(attempt.id, attempt.ticket, attempt.fingerprint)


async def taken_over(run: Generation, held: Attempt) -> Attempt | None:
    """The attempt, from now on this process's; None where a living one, or a task of this
    run, is on it."""
    async with run.taking:
        if held.fingerprint in run.orphans:
            return None
        return await run.ledger.book(run.ledger.take_over, held, run.run_id)


async def make_room(run: Generation, service: str) -> None:
    """Finish, beside all else, what dead processes have ordered: it holds the account's room.

    Else everyone would wait for it, also the one that is to take up the work of the dead.
    """
    async with run.taking:
        account = run.providers[service].account
        for orphan in await run.ledger.book(run.ledger.orphans, service, account):
            mine = await run.ledger.book(run.ledger.take_over, orphan, run.run_id)
            if mine is not None:
                orphan_task = asyncio.create_task(finish_orphan(run, mine))
                run.orphans[mine.fingerprint] = orphan_task


async def finish_orphan(run: Generation, attempt: Attempt) -> None:
    try:
        while attempt.state in UNFINISHED:
            await advance(run, None, attempt)
            attempt = await run.ledger.book(run.ledger.get, attempt.id)
    except Exception:  # noqa: BLE001, S110 - it is told to whoever wants the clip
        pass
    finally:
        del run.orphans[attempt.fingerprint]


async def advance(run: Generation, job: Job | None, attempt: Attempt) -> Clip | None:
    """One step of an attempt that this process owns; the clip where it was the last one.

    Only a reservation needs its `job`: nothing else buys.
    """
    run.watcher.state(attempt.fingerprint, attempt.state)
    match attempt.state:
        case "reserved" if job is not None:
            await buy(run, job, attempt, partial(make_room, run))
        case "posting":
            # This process owns it and is not waiting for its answer: that was lost with a crash.
            await run.ledger.book(
                run.ledger.mark_unknown, attempt, "the process ended while the request was sent"
            )
        case "unknown":
            await settle_unknown(run, attempt)
        case "submitted":
            await follow(run, attempt)
        case "ready":
            return await fetch(run, attempt)
        case "stored":
            return await from_store(run, attempt)
        case "lost" if attempt.price_source == "no_price":
            await run.ledger.book(run.ledger.release, attempt, "it cost nothing: it is made again")
        case "failed" | "lost":
            if not await known_again(run, attempt):
                await explain_end(run, attempt)
        case "reserved" | "released":
            return None
    return None


async def follow(run: Generation, attempt: Attempt) -> None:
    """submitted -> ready, failed or lost: look until the provider says how it ended.

    Raises FailedError for an unpaid failure that the same inputs would meet again.
    """
    provider, ticket = run.provider_of(attempt), attempt.ticket
    assert ticket is not None
    model = model_of(attempt)
    name = attempt.asked_of
    pace = run.paces[attempt.service]

    async def look() -> Polled:
        async with pace.room:
            return await provider.poll(model, ticket)

    begun = timing.monotonic()
    doubts = Doubts(attempt, provider)
    pace.following += 1
    try:
        while True:
            outcome: Waiting | Ready | Failed | Empty | Gone = await again_until(
                POLL_PATIENCE_S, look, name, paid="unknown", request_id=ticket.request_id
            )
            waited = timing.monotonic() - begun
            if isinstance(outcome, Empty | Gone) and (pause_s := doubts.pause_s(outcome)):
                run.watcher.state(attempt.fingerprint, "submitted", outcome.reason)
                await asyncio.sleep(pause_s)
                continue
            if not isinstance(outcome, Waiting):
                break
            doubts.clear()
            if waited > WORK_PATIENCE_S:
                raise UnreachableError(
                    f"{name} is still not ready after {waited / 60:.0f} minutes.",
                    paid="unknown",
                    request_id=ticket.request_id,
                    remedy="It is not lost: run `shotreel recover`, or the same command again; to "
                    f"give it up, `shotreel recover --release {attempt.id}`.",
                )
            place = outcome.queue_position
            run.watcher.state(
                attempt.fingerprint,
                "submitted",
                "at work" if place is None else f"queued, {place} ahead",
            )
            await asyncio.sleep(pace.next_s(attempt.model, waited, provider.poll_s))
    except UnreachableError as error:
        if not too_old(run, attempt):
            raise
        outcome = Gone(error.message)
    finally:
        pace.following -= 1
    if isinstance(outcome, Ready) and attempt.id in run.sent:
        pace.ended(attempt.model, waited)
    ended = await record(run, attempt, outcome)
    run.gates[attempt.service].free()
    if ended.state == "failed" and ended.charged == "no" and not may_pass(outcome):
        raise FailedError(
            f"{name}: {ended.cause}",
            request_id=ticket.request_id,
            remedy="Nothing is owed for it. Change the shot, or run the same command again.",
        )


class Doubts:
    """How long an answer is asked again that may be a replica's that lags, or a proxy's."""

    def __init__(self, attempt: Attempt, provider: Provider) -> None:
        sent_at = attempt.posted_at or attempt.created_at
        sent_ago_s = (provider.clock.now() - sent_at).total_seconds()
        self._gone_s = max(provider.gone_s - sent_ago_s, min(provider.gone_s, GONE_S))
        self._empty_s = min(provider.gone_s, EMPTY_S)
        self.clear()

    def clear(self) -> None:
        self._tries, self._since = 0, timing.monotonic()

    def pause_s(self, outcome: Empty | Gone) -> float | None:
        """Seconds until it is worth another look; None: it stands."""
        self._tries += 1
        longest = self._empty_s if isinstance(outcome, Empty) else self._gone_s
        left_s = longest - (timing.monotonic() - self._since)
        return min(backoff(self._tries), max(left_s, 0.1)) if left_s > 0 else None


def may_pass(outcome: Ready | Failed | Empty | Gone) -> bool:
    """Whether the same inputs may succeed in a new attempt."""
    return isinstance(outcome, Gone) or (isinstance(outcome, Failed) and outcome.transient)


async def call_off(run: Generation, job: Job) -> None:
    """A run that is stopped frees a machine of one's own; what is paid for goes on, and is kept."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CALL_OFF_S):
            held = await run.ledger.book(run.ledger.holder, job.fingerprint)
            if held is None or held.state != "submitted" or not run.ledger.is_mine(held):
                return
            assert held.ticket is not None
            await run.provider_of(held).cancel(model_of(held), held.ticket)
            await record(run, held, Failed(CALLED_OFF, "no"))


async def record(
    run: Generation, attempt: Attempt, outcome: Ready | Failed | Empty | Gone
) -> Attempt:
    """Write down how a submitted request ended."""
    free = attempt.price_source == "no_price"
    match outcome:
        case Ready(media_url, units):
            run.fresh.add(attempt.id)
            bill = await first_bill(run, attempt, BILL_PATIENCE_S if units is None else 0.0)
            stop_where_absurd(run, attempt, units, bill)
            return await run.ledger.book(run.ledger.mark_ready, attempt, media_url, units, bill)
        case Failed():
            stop_where_absurd(run, attempt, outcome.units)
        case Gone(reason) if not free:
            return await run.ledger.book(run.ledger.mark_lost, attempt, reason)
        case Empty(reason) | Gone(reason):
            outcome = Failed(reason, "no" if free else "unknown")
    return await run.ledger.book(run.ledger.mark_failed, attempt, outcome)


async def first_bill(run: Generation, attempt: Attempt, patience_s: float) -> Bill | None:
    """What was charged, by the bill, for the first of a kind, and for one that nobody has counted
    and whose share of the budget rests on what another was charged.

    None for all others, or where the bill does not list the first within `patience_s`, the other at
    once: until it does, the ledger has an estimate.
    """
    if attempt.price_source == "no_price":
        return None
    first = await run.ledger.book(run.ledger.awaits_count, attempt)
    above_quote = attempt.cost_reserved_usd > attempt.cost_quoted_usd
    guessed = patience_s > 0 and (above_quote or attempt.price_source == "counted")
    if not first and not guessed:
        return None
    assert attempt.ticket is not None
    ends = timing.monotonic() + (patience_s if first else 0.0)
    while True:
        bill = await run.provider_of(attempt).billed(attempt.ticket)
        if bill is not None or timing.monotonic() >= ends:
            return bill
        await asyncio.sleep(BILL_LOOK_S)


def stop_where_absurd(
    run: Generation, attempt: Attempt, units: Decimal | None, bill: Bill | None = None
) -> None:
    """Stop the attempt's model, before its charge is seen, where it is far above its quote."""
    if bill is not None:
        cost_usd, units = bill.cost_usd, bill.units
    elif units is not None:
        cost_usd = units * attempt.unit_price_usd
    else:
        return
    if attempt.price_source == "no_price" or not is_too_much(attempt, cost_usd):
        return
    counted = "" if units is None else f" ({units.normalize():f} units)"
    model = (attempt.service, attempt.model)
    run.overcharged[model] = OverchargedError(
        f"{attempt.shot_name} was charged {usd(cost_usd)}{counted} and quoted at "
        f"{usd(attempt.cost_quoted_usd)} ({attempt.units_quoted} units); this run buys no more of "
        f"{attempt.model}.",
        paid="yes",
        request_id=attempt.request_id,
        remedy=f"Show the request to {provider_name(attempt.service)}. `shotreel reconcile` "
        "corrects the ledger by the bill; until then plans reckon with this charge.",
    )


def is_too_much(attempt: Attempt, cost_usd: Decimal) -> bool:
    """Above a ceiling that the user has named; or what no reading of a price explains."""
    if attempt.price_source == "ceiling":
        return in_nano(cost_usd) > in_nano(attempt.cost_quoted_usd)
    return is_absurd(attempt.cost_quoted_usd, cost_usd)


async def from_store(run: Generation, attempt: Attempt) -> Clip | None:
    """The stored clip; where the store has lost or altered it, the attempt is ready again."""
    assert attempt.clip_sha256 is not None and attempt.num_frames is not None
    path = await asyncio.to_thread(run.store.path, attempt.clip_sha256)
    if path is None:
        await run.ledger.book(
            run.ledger.mark_missing, attempt, "the store's file is gone or was altered"
        )
        return None
    return Clip(attempt.fingerprint, attempt.id, attempt.clip_sha256, attempt.num_frames, path)


async def known_again(run: Generation, attempt: Attempt) -> bool:
    """Whether the provider says more of what was lost or has failed; asked while that may be.

    That there is a clip after all, or that a failure is unpaid of which only one source spoke.
    """
    provider = run.provider_of(attempt)
    if attempt.ticket is None or too_old(run, attempt):
        return False
    match await provider.poll(model_of(attempt), attempt.ticket):
        case Ready(media_url, units):
            found = await run.ledger.book(run.ledger.mark_ready, attempt, media_url, units)
            run.fresh.add(attempt.id)
        case Waiting():
            cause = "the provider is at work on it after all"
            found = await run.ledger.book(run.ledger.mark_known, attempt, cause)
        case Failed() as outcome if attempt.state == "lost" or (
            attempt.charged == "unknown" and outcome.charged == "no"
        ):
            found = await run.ledger.book(run.ledger.mark_failed, attempt, outcome)
        case _:
            return False
    return (found.state, found.charged) != (attempt.state, attempt.charged)


async def explain_end(run: Generation, attempt: Attempt) -> None:
    """Raise what a failure or a loss means; free the fingerprint where the bill says unpaid."""
    how = "failed" if attempt.state == "failed" else "lost"
    if attempt.charged in (None, "unknown") and attempt.ticket:
        provider = run.provider_of(attempt)
        bill = await provider.billed(attempt.ticket)
        may_come_back = how == "failed" and ended_ago_s(attempt) < provider.refund_s
        if bill and bill.cost_usd and may_come_back:
            raise FailedError(
                f"{attempt.shot_name}: {attempt.cause}",
                paid="unknown",
                request_id=attempt.request_id,
                remedy="The provider may still give the money back, for "
                f"{provider.refund_s / 3600:.0f} hours: run `shotreel recover` later.",
            )
        if bill is not None:
            await run.ledger.book(run.ledger.apply_bill, attempt, bill)
            if bill.cost_usd == 0:
                cause = f"{how}, and the bill says unpaid"
                await run.ledger.book(run.ledger.release, attempt, cause)
                return
            if how == "failed":
                charged = Failed(attempt.cause, "yes")
                attempt = await run.ledger.book(run.ledger.mark_failed, attempt, charged)
            else:
                attempt = await run.ledger.book(run.ledger.get, attempt.id)
    if how == "lost":
        raise lost(attempt)
    raise FailedError(
        f"{attempt.shot_name}: {attempt.cause}",
        paid=attempt.charged or "unknown",
        request_id=attempt.request_id,
        remedy="Change the shot; or, to buy the very same again, first run "
        f"`shotreel recover --release {attempt.id}`.",
    )


def ended_ago_s(attempt: Attempt) -> float:
    assert attempt.ended_at is not None
    return (timing.now() - attempt.ended_at).total_seconds()
