"""unknown -> submitted or released: ask the provider what became of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from blocks import settings, timing
from blocks.errors import OutcomeUnknownError
from blocks.ledger import Attempt
from blocks.ledger.states import Adopt, AskPerson, KeepAsking, Release, Settlement, settle
from blocks.providers.base import (
    Again,
    BillingRow,
    Findings,
    Found,
    NoFeed,
    Order,
    Provider,
    Ticket,
)
from blocks.providers.clock import CLOCK_SKEW
from blocks.providers.http import SUBMIT_TIMEOUT_S, read_time
from flows.generate.generation import Generation
from flows.shots.job import model_of

ASK_S = (1.0, 15.0)
WAIT_IN_RUN_S = 900.0
"""The longest a run waits for silence to prove something; `recover` finds it later."""

LISTING_LAG_S = 60.0
"""How long a listing may take to show a request, where silence proves nothing however long."""

SILENCES = 2
"""Readings of a listing, one after another, in which a request has to be missing."""

UNREAD_S, UNREAD_LEAST_S = 60.0, 10.0
"""How long a listing that cannot be read is asked for in a run: no longer than a silent one, and
shortly where the run does not wait for silence either."""

REFUSAL_S = 5.0
"""How long listing and bill are asked about a refusal that may have come after the work."""

MAX_COMPARED = 100
"""Candidates that are looked at one by one."""

MAX_SHOWN = 10
MAX_BILL_PAGES = 20


async def settle_unknown(run: Generation, attempt: Attempt) -> None:
    """Ask until one request is found, or silence proves that there is none.

    Raises OutcomeUnknownError where only a person, or more time, can tell.
    """
    pause, longest = ASK_S
    silences, read_at = 0, timing.monotonic()
    unread_s = patience_s(run.provider_of(attempt).quiet_s)
    while True:
        settlement = await ask(run, attempt)
        if isinstance(settlement, Release):
            silences += 1  # one empty listing may be a replica's that lags
            settlement = await confirmed(run, attempt, settlement, silences)
        if not (isinstance(settlement, KeepAsking) and settlement.unread):
            read_at = timing.monotonic()
        match settlement:
            case Adopt(found):
                if await adopted(run, attempt, found):
                    return
                continue
            case Release(cause):
                await run.ledger.book(run.ledger.release, attempt, cause)
                run.gates[attempt.service].free()
                return
            case KeepAsking(_, unread) if unread and timing.monotonic() - read_at > unread_s:
                raise unsettled(
                    attempt,
                    unread,
                    "Run `shotreel recover` when that is mended; or, where the provider's page "
                    f"shows its request, `shotreel recover --attempt {attempt.id} --adopt "
                    f"REQUEST`, and where it shows none `shotreel recover --release {attempt.id}`.",
                )
            case KeepAsking(for_s, unread) if unread or worth_waiting(run, attempt, for_s):
                note = f"asking the provider for it: {unread}" if unread else "asking for it"
                run.watcher.state(attempt.fingerprint, "unknown", note)
                await asyncio.sleep(pause if for_s is None else min(pause, for_s))
                pause = min(longest, pause * 1.5)
            case AskPerson(candidates):
                raise unsettled(
                    attempt,
                    f"these requests could be it: {', '.join(map(shown, candidates[:MAX_SHOWN]))}",
                    f"Look at them, then run `shotreel recover --attempt {attempt.id} --adopt "
                    f"REQUEST` or `shotreel recover --release {attempt.id}`.",
                )
            case KeepAsking():
                clock = run.provider_of(attempt).clock
                raise unsettled(
                    attempt,
                    "the provider lists no such request, which proves nothing yet"
                    + ("" if clock.agrees else f": {clock}"),
                    "Run `shotreel recover` later, or, where the provider's page shows that there "
                    f"is none, `shotreel recover --release {attempt.id}`.",
                )


async def adopted(run: Generation, attempt: Attempt, found: Found) -> bool:
    """False where another attempt was faster to adopt it: ask again without it."""
    cause = "found among the provider's requests"
    try:
        await run.ledger.book(run.ledger.mark_submitted, attempt, found.ticket, cause)
    except ValueError:
        return False
    return True


def shown(candidate: Found) -> str:
    at = f" sent {candidate.sent_at:%Y-%m-%d %H:%M:%S %Z}" if candidate.sent_at else ""
    return f"{candidate.ticket.request_id}{at}"


async def confirmed(
    run: Generation, attempt: Attempt, silence: Release, times: int
) -> Release | AskPerson | KeepAsking:
    """A silent listing is one source: the bill, where it can be read, is the other."""
    if times < SILENCES:
        return KeepAsking(ASK_S[0])
    charged = await charged_unnamed(run, attempt)
    if isinstance(charged, Again):
        return KeepAsking(None, charged.reason)
    return AskPerson(charged) if charged else silence


async def charged_unnamed(run: Generation, attempt: Attempt) -> tuple[Found, ...] | Again:
    """Charges of the model since the request was sent, of requests that nobody here knows.

    Without those that the listing shows to be another's. Empty, too, where the account is not shown
    its bill; Again where the bill could not be read to its end this time.
    """
    provider = run.provider_of(attempt)
    since, until = sent_at(attempt) - CLOCK_SKEW, provider.clock.now() + CLOCK_SKEW
    rows = await billed_since(provider, model_of(attempt).endpoint, since, until)
    if isinstance(rows, Again):
        return rows
    order = order_of(attempt)
    known = await known_of(run, attempt, [*rows])
    others = (await provider.find(order, sent_at(attempt))).others if rows.keys() - known else ()
    found = []
    for request_id in sorted(rows.keys() - known - set(others)):
        row = Found(Ticket(request_id), read_time(rows[request_id].at), certain=False)
        if possible(attempt, row) and (like := await provider.compare(order, row)):
            found.append(like)
    return tuple(found)


async def billed_since(
    provider: Provider, endpoint: str, since: datetime, until: datetime
) -> dict[str, BillingRow] | Again:
    """The bill's rows of a model by request; none where the account is not shown its bill."""
    rows: dict[str, BillingRow] = {}
    cursor: str | None = None
    for _ in range(MAX_BILL_PAGES):
        page = await provider.billing(since, until, cursor)
        if isinstance(page, Again):
            return Again(f"the bill cannot be read: {page.reason}")
        if isinstance(page, NoFeed):
            return {}
        rows |= {row.request_id: row for row in page.rows if row.endpoint == endpoint}
        cursor = page.cursor
        if cursor is None:
            return rows
    return Again(f"the bill goes on after {MAX_BILL_PAGES} pages")


def patience_s(quiet_s: float | None) -> float:
    """How long a run asks for a listing that cannot be read."""
    if quiet_s is None:
        return UNREAD_S
    if quiet_s > WAIT_IN_RUN_S:
        return UNREAD_LEAST_S
    return min(UNREAD_S, max(quiet_s, UNREAD_LEAST_S))


def worth_waiting(run: Generation, attempt: Attempt, for_s: float | None) -> bool:
    if for_s is not None:
        return for_s <= WAIT_IN_RUN_S
    return silent_s(run, attempt) < LISTING_LAG_S


def sent_at(attempt: Attempt) -> datetime:
    """By the service's clock: the machine that asks need not be the one that has sent it."""
    return attempt.posted_at or attempt.created_at


def silent_s(run: Generation, attempt: Attempt) -> float:
    return (run.provider_of(attempt).clock.now() - sent_at(attempt)).total_seconds()


def possible(attempt: Attempt, candidate: Found) -> bool:
    """Whether it was made early enough to be the attempt's.

    Days later a listing is full of requests that other runs and other people have made.
    """
    latest = sent_at(attempt) + timedelta(seconds=SUBMIT_TIMEOUT_S) + CLOCK_SKEW
    return candidate.certain or candidate.sent_at is None or candidate.sent_at <= latest


async def listed(run: Generation, attempt: Attempt) -> Findings:
    """What the provider lists that may be the attempt's request, and that no attempt has."""
    provider, order = run.provider_of(attempt), order_of(attempt)
    findings = await provider.find(order, sent_at(attempt))
    ids = [c.ticket.request_id for c in findings.candidates]
    known = await known_of(run, attempt, ids)
    unnamed = {c.ticket.request_id: c for c in findings.candidates if possible(attempt, c)}
    candidates = []
    for number, request_id in enumerate(unnamed.keys() - known):
        like: Found | None = unnamed[request_id]
        if like and not like.certain and number < MAX_COMPARED:
            like = await provider.compare(order, like)
        if like:
            candidates.append(like)
    return replace(findings, candidates=tuple(candidates))


async def ask(run: Generation, attempt: Attempt) -> Settlement:
    """One question to the provider, held against what the ledger knows."""
    provider = run.provider_of(attempt)
    findings = await listed(run, attempt)
    return settle(
        findings,
        silent_s=silent_s(run, attempt),
        quiet_s=provider.quiet_s,
        clocks_agree=provider.clock.agrees,
    )


async def refusal_stands(run: Generation, attempt: Attempt, *, of_account: bool = False) -> bool:
    """Whether neither listing nor bill knows a request that was refused.

    Asked for a few seconds only: what says no in the service's own words was seldom taken. A no to
    the account, its key or its balance, falls only where what is listed is this very request: such
    a key may read neither listing nor bill.
    """
    until = timing.monotonic() + REFUSAL_S
    while True:
        findings = await listed(run, attempt)
        if any(found.certain or not of_account for found in findings.candidates):
            return False
        if timing.monotonic() >= until:
            proved = findings.complete and not await charged_unnamed(run, attempt)
            return of_account or proved
        await asyncio.sleep(ASK_S[0])


def order_of(attempt: Attempt) -> Order:
    model = model_of(attempt)
    return Order(attempt.id, model, attempt.inputs, settings.start_timeout_s())


async def known_of(run: Generation, attempt: Attempt, ids: Sequence[str]) -> set[str]:
    return await run.ledger.book(run.ledger.request_ids, attempt.service, attempt.account, ids)


def unsettled(attempt: Attempt, what: str, remedy: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"{attempt.shot_name} may have been bought ({attempt.cause}); {what}. "
        "It is not sent again.",
        paid="unknown",
        remedy=remedy,
    )
