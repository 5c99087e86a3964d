"""What fal says about money, as pure functions: prices, what is left, the billing events.

Source: the platform's OpenAPI description (Model pricing, Account billing, Billing events).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from blocks.money import MAX_AMOUNT, read_amount
from blocks.providers.base import Again, Bill, BillingPage, BillingRow, ListPrice, NoFeed, sum_of
from blocks.providers.fal.wire import detail_of
from blocks.providers.http import Answer, Reply, plain, text

ADMIN_KEY = "fal shows its billing to an admin key: make one at fal.ai/dashboard/keys."


def read_list_price(answer: Answer, endpoint: str) -> ListPrice | None:
    """What one unit costs, as the account's pricing names it; None where it does not."""
    if not isinstance(answer, Reply) or not answer.ok:
        return None
    prices = answer.object().get("prices")
    for row in prices if isinstance(prices, list) else []:
        if not isinstance(row, dict) or row.get("endpoint_id") != endpoint:
            continue
        price = read_amount(row.get("unit_price"))
        currency = text(row.get("currency"))
        if price is not None and price > 0 and currency:
            return ListPrice(plain(row.get("unit")), price, plain(currency))
    return None


def read_balance(answer: Answer) -> Decimal | None:
    """USD that are left; None without an admin key."""
    credits = answer.object().get("credits") if isinstance(answer, Reply) and answer.ok else None
    return read_amount(credits.get("current_balance")) if isinstance(credits, dict) else None


def read_bill(answer: Answer, request_id: str) -> Bill | None:
    """The sum of the billing events of one request; None where there are none, or no access."""
    if not isinstance(answer, Reply) or not answer.ok:
        return None
    events = answer.object().get("billing_events")
    rows = [
        e
        for e in (events if isinstance(events, list) else [])
        if isinstance(e, dict) and e.get("request_id") == request_id
    ]
    return sum_of([read_event(row) for row in rows])


def read_event(row: Mapping[str, Any]) -> BillingRow:
    """A billing event. Its units may be null: it then speaks of money alone."""
    # nano USD are whole numbers; cost_total is the same amount as a binary fraction.
    nano = read_amount(row.get("cost_estimate_nano_usd"), 10**9 * MAX_AMOUNT)
    counted = row.get("output_units")
    units = None if counted is None else read_amount(counted)
    readable = nano is not None and (counted is None or units is not None)
    return BillingRow(
        text(row.get("request_id")),
        plain(row.get("endpoint_id")),
        plain(row.get("timestamp")),
        units,
        nano / 10**9 if nano is not None and readable else None,
    )


def read_billing(answer: Answer) -> BillingPage | NoFeed | Again:
    """A page of the billing events (platform API, "Billing events")."""
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if answer.status in (401, 403):
        return NoFeed(f"HTTP {answer.status}: {detail_of(answer)}", ADMIN_KEY)
    if not answer.ok:
        if answer.is_passing:
            return Again(f"HTTP {answer.status} from the billing", answer.retry_after_s)
        return NoFeed(f"HTTP {answer.status}: {detail_of(answer)}")
    body = answer.object()
    events, cursor = body.get("billing_events"), body.get("next_cursor")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        return Again(f"HTTP {answer.status} with an unreadable billing")
    return BillingPage(tuple(map(read_event, events)), text(cursor) or None)
