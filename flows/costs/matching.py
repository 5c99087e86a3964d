"""The ledger held against an account's billing feed, as pure rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from blocks.ledger import Attempt, Cost
from blocks.ledger.proof import is_absurd
from blocks.money import in_nano, usd
from blocks.providers.base import Bill
from flows.costs.feed import Feed

Kind = Literal["unknown charge", "absurd charge", "not in the feed", "unreadable"]
ENDED = ("ready", "stored", "lost", "failed", "released")


@dataclass(frozen=True)
class Finding:
    """An amount that nobody can explain, until a person has looked at it."""

    kind: Kind
    service: str
    account: str
    request_id: str
    model: str
    cost_usd: Decimal
    at: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Matched:
    """How an account's attempts match its billing feed.

    `bills` are to be written into the ledger; `unpaid` are failures and losses that the feed,
    whole and past its lag, does not list, so that they were free; `waiting` counts the requests
    that it is too early for.
    """

    bills: tuple[tuple[Attempt, Bill], ...]
    unpaid: tuple[Attempt, ...]
    waiting: int
    findings: tuple[Finding, ...]


def match_bills(
    attempts: Iterable[Attempt],
    costs: Mapping[str, Cost],
    bills: Mapping[str, Bill | None],
    *,
    since: datetime,
    until: datetime,
    lag: timedelta,
    refund: timedelta,
) -> Matched:
    """Match attempts with `bills`: what the feed says of each request, None: unreadable.

    `lag` is how late the feed may be, `refund` how long after a failure money may come back.
    """
    written: list[tuple[Attempt, Bill]] = []
    unpaid: list[Attempt] = []
    findings: list[Finding] = []
    waiting = 0
    for attempt in attempts:
        if attempt.request_id is None or attempt.price_source == "no_price":
            continue
        # A ledger of an earlier version knows of a loss, and not when.
        ended_at = attempt.ended_at or (attempt.posted_at if attempt.state == "lost" else None)
        if attempt.state not in ENDED or ended_at is None:
            waiting += 1
            continue
        open_failure = attempt.state == "failed" and attempt.charged == "unknown"
        open_loss = attempt.state == "lost" and attempt.charged is None
        cost = costs.get(attempt.id)
        if attempt.request_id in bills:
            bill = bills[attempt.request_id]
            if bill is None:
                findings.append(unreadable(attempt, cost))
            elif open_failure and bill.cost_usd and ended_at + refund > until:
                waiting += 1
            elif open_failure or not confirmed(cost, bill, attempt):
                written.append((attempt, bill))
                if is_absurd(attempt.cost_quoted_usd, bill.cost_usd):
                    findings.append(absurd(attempt, bill))
            continue
        if attempt.posted_at is None or attempt.posted_at < since:
            continue  # before the time that the feed was asked for
        if ended_at + lag > until:
            waiting += 1
        elif open_failure or open_loss:
            unpaid.append(attempt)
        elif cost is not None and cost.cost_usd > 0:
            findings.append(not_listed(attempt, cost))
    return Matched(tuple(written), tuple(unpaid), waiting, tuple(findings))


def confirmed(cost: Cost | None, bill: Bill, attempt: Attempt) -> bool:
    """Whether the ledger has the feed's own word already, to the billionth."""
    if cost is None:
        return bill.cost_usd == 0 and attempt.charged == "no"
    same_units = bill.units is None or cost.units == in_nano(bill.units)
    same_cost = cost.cost_usd == in_nano(bill.cost_usd)
    return cost.source == "billing_feed" and same_cost and same_units


def unknown_charges(
    feed: Feed,
    known: Collection[str],
    sold: Collection[str],
    service: str,
    account: str,
    *,
    posting_since: datetime | None,
) -> list[Finding]:
    """Charges of requests that the ledger does not know.

    Only of endpoints that are `sold` here: what else the account buys was never this ledger's.
    `posting_since`: since then a living process waits for the answer to a request, so that a
    charge after it may be about to be written down.
    """
    findings = []
    for request_id, rows in feed.rows.items():
        if request_id in known or rows[0].endpoint not in sold:
            continue
        if posting_since is not None and not before(rows[0].at, posting_since):
            continue
        bill = feed.bill(request_id)
        if bill is not None and bill.cost_usd == 0:
            continue  # charged and given back, or free
        amount = bill.cost_usd if bill else Decimal(0)
        findings.append(
            Finding(
                "unknown charge" if bill else "unreadable",
                service,
                account,
                request_id,
                rows[0].endpoint,
                amount,
                rows[0].at,
                f"{service} charged {usd(amount)} for a request that the ledger does not know",
                "Run `shotreel recover`: it may be a request whose answer was lost. Else look it "
                "up on the provider's page: another program uses the account, or another ledger.",
            )
        )
    return findings


def before(at: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(at) < moment
    except (ValueError, TypeError):  # unreadable, or without a zone
        return False


def absurd(attempt: Attempt, bill: Bill) -> Finding:
    """Said once, when the bill is written down: what was charged is charged."""
    return _finding(
        "absurd charge",
        attempt,
        bill.cost_usd,
        f"{attempt.service} charged {usd(bill.cost_usd)} for what it had quoted at "
        f"{usd(attempt.cost_quoted_usd)}",
        "The ledger says what was charged. Show the request to the provider: no price explains it.",
    )


def not_listed(attempt: Attempt, cost: Cost) -> Finding:
    return _finding(
        "not in the feed",
        attempt,
        cost.cost_usd,
        f"the ledger says {usd(cost.cost_usd)} ({cost.source}); the billing feed does not list it",
        "Look the request up on the provider's page. Where it was free, the next feed that lists "
        "it corrects the ledger.",
    )


def unreadable(attempt: Attempt, cost: Cost | None) -> Finding:
    amount = cost.cost_usd if cost else Decimal(0)
    return _finding(
        "unreadable",
        attempt,
        amount,
        "the billing feed lists it with an amount that cannot be read",
        "The ledger was left as it is. Look the request up on the provider's page.",
    )


def _finding(kind: Kind, attempt: Attempt, cost_usd: Decimal, what: str, remedy: str) -> Finding:
    assert attempt.request_id is not None
    return Finding(
        kind,
        attempt.service,
        attempt.account,
        attempt.request_id,
        attempt.model,
        cost_usd,
        attempt.posted_at.isoformat() if attempt.posted_at else "",
        f"{attempt.shot_name}: {what}",
        remedy,
    )
