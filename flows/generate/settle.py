"""unknown -> submitted or released: ask the provider what became of a request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from blocks import settings
from blocks.errors import OutcomeUnknownError
from blocks.ledger import Attempt
from blocks.ledger.states import Adopt, AskPerson, KeepAsking, Release, Settlement, settle
from blocks.providers.base import Findings, Order
from blocks.providers.http import SUBMIT_TIMEOUT_S
from flows.run.context import RunContext
from flows.shots.job import model_of

ASK_S = (1.0, 15.0)
WAIT_IN_RUN_S = 900.0
"""The longest a run waits for silence to prove something; `recover` finds it later."""

LISTING_LAG_S = 60.0
"""How long a listing may take to show a request, where silence proves nothing however long."""

CLOCK_SKEW = timedelta(minutes=2)


async def settle_unknown(shop: RunContext, attempt: Attempt) -> None:
    """Ask until one request is found, or silence proves that there is none.

    Raises OutcomeUnknownError where only a person, or more time, can tell.
    """
    pause, longest = ASK_S
    while True:
        settlement = await ask(shop, attempt)
        match settlement:
            case Adopt(found):
                try:
                    await shop.book(
                        shop.ledger.mark_submitted,
                        attempt,
                        found.ticket,
                        "found among the provider's requests",
                    )
                except ValueError:
                    continue  # another attempt was faster to adopt it; ask again without it
                return
            case Release(cause):
                await shop.book(shop.ledger.release, attempt, cause)
                shop.gates[attempt.service].freed.set()
                return
            case KeepAsking(for_s) if worth_waiting(attempt, for_s):
                shop.watcher.state(attempt.fingerprint, "unknown", "asking the provider for it")
                await asyncio.sleep(pause if for_s is None else min(pause, for_s))
                pause = min(longest, pause * 1.5)
            case AskPerson(candidates):
                ids = ", ".join(c.ticket.request_id for c in candidates[:5])
                raise unsettled(
                    attempt,
                    f"several requests could be it: {ids}",
                    f"Look at them, then run `shotreel recover --attempt {attempt.id} --adopt "
                    f"REQUEST` or `shotreel recover --release {attempt.id}`.",
                )
            case KeepAsking():
                raise unsettled(
                    attempt,
                    "the provider lists no such request, which proves nothing yet",
                    "Run `shotreel recover` later, or, where the provider's page shows that there "
                    f"is none, `shotreel recover --release {attempt.id}`.",
                )


def worth_waiting(attempt: Attempt, for_s: float | None) -> bool:
    if for_s is not None:
        return for_s <= WAIT_IN_RUN_S
    return silent_s(attempt) < LISTING_LAG_S


def sent_at(attempt: Attempt) -> datetime:
    return attempt.posted_at or attempt.created_at


def silent_s(attempt: Attempt) -> float:
    return (datetime.now(UTC) - sent_at(attempt)).total_seconds()


def possible(attempt: Attempt, findings: Findings) -> Findings:
    """Without what was made too late to be the attempt's, where inputs cannot tell.

    Days later the listing is full of requests that other runs and other people have made.
    """
    if not findings.ambiguous:
        return findings
    latest = sent_at(attempt) + timedelta(seconds=SUBMIT_TIMEOUT_S) + CLOCK_SKEW
    kept = (c for c in findings.candidates if c.sent_at is None or c.sent_at <= latest)
    return replace(findings, candidates=tuple(kept))


async def ask(shop: RunContext, attempt: Attempt) -> Settlement:
    """One question to the provider, held against what the ledger knows."""
    provider = shop.provider_of(attempt)
    order = Order(attempt.id, model_of(attempt), attempt.inputs, settings.start_timeout_s())
    findings = possible(attempt, await provider.find(order, sent_at(attempt)))
    ids = [c.ticket.request_id for c in findings.candidates]
    known = await shop.book(shop.ledger.request_ids, attempt.service, attempt.account, ids)
    rivals = 0
    if findings.ambiguous:
        others = await shop.book(shop.ledger.in_states, ("posting", "unknown"), [attempt.service])
        # A listing is of an endpoint: what another version of its API has sent is in it too.
        same = (o for o in others if model_of(o).endpoint == order.model.endpoint)
        rivals = sum(other.id != attempt.id for other in same)
    return settle(
        findings,
        sorted(known),
        silent_s=silent_s(attempt),
        quiet_s=provider.quiet_s,
        rivals=rivals,
    )


def unsettled(attempt: Attempt, what: str, remedy: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"{attempt.shot_name} may have been bought ({attempt.cause}); {what}. "
        "It is not sent again.",
        paid="unknown",
        remedy=remedy,
    )
