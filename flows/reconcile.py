"""The flow that matches the ledger with the providers' billing feeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from blocks import settings, timing
from blocks.ledger import Attempt, Ledger
from blocks.providers.base import Bill, NoFeed, Provider, Ticket
from blocks.providers.base import Failed as FailedJob
from blocks.providers.catalogue import MODELS
from blocks.providers.clock import CLOCK_SKEW
from blocks.providers.services import service_name
from flows import parameters
from flows.costs.feed import read_feed
from flows.costs.matching import Finding, Matched, match_bills, unknown_charges
from flows.costs.variance import Why, why
from flows.report.findings import announce, show_findings
from flows.report.notification import notified
from flows.run.opening import has_account, open_run
from flows.served import served_flow

SOLD_BY = ("fal", "wavespeed")
DEFAULT_SINCE_DAYS = 30
MAX_SINCE_DAYS = 89
"""fal's billing can be asked for 90 days."""

FEED_LAG_S = 86_400.0
"""How late a feed may be (SHOTREEL_FEED_LAG_S). fal calls its events eventually consistent and
names no bound; a day is what its own listing shows by default."""

MAX_TOLD = 50
"""Findings in one notification."""


@dataclass(frozen=True)
class Correction:
    """A difference that was written into the ledger as a row of its own."""

    name: str
    request_id: str
    before_usd: Decimal
    after_usd: Decimal
    why: Why

    @property
    def difference_usd(self) -> Decimal:
        return self.after_usd - self.before_usd


@dataclass(frozen=True)
class Reconciled:
    """One account. `unread` says why its feed could not be read; nothing was changed then.

    `billed_usd` is what the feed says of the ledger's requests; `confirmed` counts those of which
    it says what the ledger had said.
    """

    service: str
    account: str
    unread: str = ""
    remedy: str = ""
    requests: int = 0
    billed_usd: Decimal = Decimal(0)
    confirmed: int = 0
    waiting: int = 0
    corrections: tuple[Correction, ...] = ()
    findings: tuple[Finding, ...] = ()


@served_flow(name="reconcile", persist_result=False)
async def reconcile(
    live: parameters.Live = False,
    since_days: Annotated[
        int, Field(ge=1, le=MAX_SINCE_DAYS), parameters.titled("Days back")
    ] = DEFAULT_SINCE_DAYS,
    notify: parameters.Notify = None,
) -> State[None]:
    """Hold estimate, provider's count and billing feed against each other, request by request.

    Args:
        live: The real accounts. Off: the sandbox's.
        since_days: How many days back.
        notify: The Prefect notification block to tell of findings, such as slack-webhook/team.
    """
    async with notified("reconcile", notify) as notification:
        accounts = await reconcile_all(live=live, since_days=since_days)
        findings, unread = findings_of(accounts), [a for a in accounts if a.unread]
        await show_findings(findings)
        announce(findings)
        sentences = [*map(sentence, findings), *(f"{a.service}: {a.unread}" for a in unread)]
        if sentences:
            notification.subject = f"{len(sentences)} things about the bill need a look"
            notification.body = "\n".join(sentences[:MAX_TOLD])
    corrections = sum(len(account.corrections) for account in accounts)
    words = f"{len(findings)} findings, {corrections} corrections, {len(unread)} feeds not read."
    return Failed(message=words) if sentences else Completed(message=words)


def sentence(finding: Finding) -> str:
    return f"{finding.kind}: request {finding.request_id}: {finding.what}. {finding.remedy}"


async def reconcile_all(*, live: bool, since_days: int = DEFAULT_SINCE_DAYS) -> list[Reconciled]:
    """Every account that sells clips. Run again, it writes nothing more."""
    until = timing.now()
    since = until - timedelta(days=since_days)
    names = [name for name in SOLD_BY if not live or await has_account(name)]
    services = {service_name(name, live=live) for name in names}
    found = []
    async with open_run(services) as run:
        for provider in run.providers.values():
            found.append(await reconcile_account(run.ledger, provider, since, until))
    return found


async def reconcile_account(
    ledger: Ledger, provider: Provider, since: datetime, until: datetime
) -> Reconciled:
    service, account = provider.service, provider.account
    # A sandbox's clock is this machine's; a provider's may be ahead, and its rows count too.
    feed = await read_feed(provider, since - CLOCK_SKEW, until + CLOCK_SKEW)
    clock = provider.clock
    if not clock.agrees:  # its answers have said so: the time that was asked for was another
        feed = await read_feed(provider, clock.at(since) - CLOCK_SKEW, clock.at(until) + CLOCK_SKEW)
    if isinstance(feed, NoFeed):
        return Reconciled(service, account, feed.reason, feed.remedy)
    # The ledger is read after the feed: what is written down meanwhile is known.
    requests = await ledger.book(ledger.requests, service, account, since, list(feed.rows))
    known = {attempt.request_id for attempt in requests if attempt.request_id}
    bills = {request_id: feed.bill(request_id) for request_id in feed.rows if request_id in known}
    for attempt in requests:
        if attempt.request_id in bills and (attempt.posted_at or until) < since:
            # Some of its rows may be from before the time that was asked for.
            whole = await provider.billed(Ticket(attempt.request_id))
            if whole is None:
                del bills[attempt.request_id]
            else:
                bills[attempt.request_id] = whole
    costs = await ledger.book(ledger.costs, [attempt.id for attempt in requests])
    matched = match_bills(
        requests,
        costs,
        bills,
        since=since,
        until=until,
        lag=timedelta(seconds=settings.seconds("SHOTREEL_FEED_LAG_S", FEED_LAG_S) or 0.0),
        refund=timedelta(seconds=provider.refund_s),
    )
    await ledger.book(write_down, ledger, matched)
    after = await ledger.book(ledger.costs, [attempt.id for attempt, _ in matched.bills])
    corrections = [
        Correction(
            f"{attempt.shot_name}.t{attempt.take}",
            attempt.request_id or "",
            costs[attempt.id].cost_usd if attempt.id in costs else Decimal(0),
            after[attempt.id].cost_usd if attempt.id in after else Decimal(0),
            why(attempt, after.get(attempt.id)),
        )
        for attempt, _ in matched.bills
    ]
    changed = tuple(c for c in corrections if c.difference_usd)
    strangers = unknown_charges(
        feed,
        known,
        {model.endpoint for model in MODELS.values()},
        service,
        account,
        posting_since=await ledger.book(posting_since, ledger, service),
    )
    return Reconciled(
        service,
        account,
        requests=len(bills),
        billed_usd=sum((bill.cost_usd for bill in bills.values() if bill), Decimal(0)),
        confirmed=len(matched.bills) - len(changed),
        waiting=matched.waiting,
        corrections=changed,
        findings=(*matched.findings, *strangers),
    )


def write_down(ledger: Ledger, matched: Matched) -> None:
    """Bills into the ledger; and what they, or their absence, say of failures."""
    ledger.apply_bills(matched.bills)
    for attempt, bill in matched.bills:
        if attempt.state == "failed" and attempt.charged == "unknown":
            settle_failure(ledger, attempt, bill)
    for attempt in matched.unpaid:
        settle_failure(ledger, attempt, None)


def settle_failure(ledger: Ledger, attempt: Attempt, bill: Bill | None) -> None:
    """A failure or a loss whose charge was not known: charged, or free to be bought again."""
    if bill is not None and bill.cost_usd:
        ledger.mark_failed(attempt, FailedJob(attempt.cause, "yes"))
    else:
        ledger.release(attempt, f"{attempt.state}, and the bill says unpaid")


def posting_since(ledger: Ledger, service: str) -> datetime | None:
    """When the oldest request was sent, by the service's clock, whose answer a living process
    waits for."""
    posting = ledger.in_states(("posting",), [service])
    times = [a.posted_at for a in posting if a.posted_at and ledger.owner_is_alive(a)]
    return min(times, default=None)


def findings_of(accounts: Iterable[Reconciled]) -> list[Finding]:
    return [finding for account in accounts for finding in account.findings]


def exit_code(accounts: Sequence[Reconciled]) -> int:
    """5: an amount that nobody can explain stays unsettled; 1: a feed could not be read."""
    if findings_of(accounts):
        return 5
    return 1 if any(account.unread for account in accounts) else 0
