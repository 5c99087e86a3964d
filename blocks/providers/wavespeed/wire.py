"""WaveSpeedAI's wire, as pure functions: requests out, replies in.

Sources: WaveSpeed docs (Submit task, Get result, Error codes, List predictions, Check billings,
Upload files), the official Python client 2.0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from blocks.money import read_amount
from blocks.providers.base import (
    Accepted,
    Again,
    Bill,
    BillingPage,
    BillingRow,
    Empty,
    Failed,
    Found,
    Gone,
    ListPrice,
    NoFeed,
    Order,
    Paused,
    Polled,
    Ready,
    Refused,
    Submitted,
    Ticket,
    Unknown,
    Waiting,
    sum_of,
)
from blocks.providers.http import (
    SUBMIT_TIMEOUT_S,
    Answer,
    AnswerLost,
    Call,
    Reply,
    Undelivered,
    leaves_open,
    plain,
    read_id,
    read_time,
    text,
)
from blocks.providers.likeness import likeness
from blocks.providers.outputs import clip_url, why_empty

TOP_UP = "Top up at wavespeed.ai, then run the same command again."
CHECK_KEY = "Set WAVESPEED_API_KEY to a key from wavespeed.ai/accesskey, then run it again."
NO_BALANCE = ("insufficient credit", "insufficient balance", "balance is not", "top up")

TRANSIENT_CODES = frozenset({5000, 5003, 5004})
"""WaveSpeed docs, Error codes: internal, unavailable, timeout: "retry with backoff"."""

TERMINAL = frozenset({"failed", "cancelled", "timeout", "deleted"})


def submit_call(base_url: str, order: Order, headers: Mapping[str, str]) -> Call:
    return Call(
        "POST",
        f"{base_url}/api/{order.model.api}/{order.model.endpoint}",
        headers=headers,
        json=order.model.body(order.inputs),
        timeout_s=SUBMIT_TIMEOUT_S,
        last_look=order.last_look,
    )


def classify_submit(answer: Answer) -> Submitted:
    if isinstance(answer, Undelivered):
        return Again(answer.reason)
    if isinstance(answer, AnswerLost):
        return Unknown(answer.reason)
    status = answer.status
    code = answer.object().get("code")
    if answer.ok:
        ticket = read_ticket(data_of(answer))
        if ticket:  # whatever else the envelope says: there is a prediction
            return Accepted(ticket)
        if isinstance(code, int) and 400 <= code < 600:
            status = code  # the envelope's own code; some errors come inside HTTP 200
    what = f"HTTP {status}: {message_of(answer)}"
    if 200 <= status < 300:
        return Unknown(f"HTTP {status} without a prediction id")
    if status == 429:
        return Again(what, answer.retry_after_s)
    if leaves_open(status):
        return Unknown(what)
    # The message may repeat the prompt: only where the status fits do its words count.
    if status == 402 or (status in (400, 403) and any(w in what.lower() for w in NO_BALANCE)):
        return Paused(what, TOP_UP)
    if status in (401, 403):
        return Paused(what, CHECK_KEY)
    return Refused(what, proven=False)


def read_ticket(data: Mapping[str, Any]) -> Ticket | None:
    request_id = read_id(data.get("id"))
    if request_id is None:
        return None
    urls = data.get("urls")
    get = text(urls.get("get")) if isinstance(urls, dict) else ""
    return Ticket(request_id, {"get": get} if get else {})


def classify_result(answer: Answer, base_url: str = "") -> Polled:
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if answer.status == 404:
        return Gone(f"HTTP 404: {message_of(answer)}")
    if not answer.ok:
        return Again(f"HTTP {answer.status}: {message_of(answer)}", answer.retry_after_s)
    return classify_prediction(data_of(answer), base_url, answer.status)


def classify_prediction(
    data: Mapping[str, Any], base_url: str = "", http_status: int = 200
) -> Polled:
    status = data.get("status")
    if status in ("created", "processing"):
        return Waiting()
    if status == "completed":
        url = clip_url(data.get("outputs"), base_url)
        return Ready(url) if url else Empty(why_empty(data))
    if isinstance(status, str) and status in TERMINAL:
        code = data.get("code")
        code = code if isinstance(code, int) else 0
        reason = plain(data.get("error") or status)
        # Money is deducted at the start and given back within hours: only the billing can say.
        return Failed(
            f"{status}{f' ({code})' if code else ''}: {reason}",
            "unknown",
            transient=code in TRANSIENT_CODES or status == "timeout",
        )
    return Again(f"HTTP {http_status} with an unreadable status")


def candidates(items: list[dict[str, Any]], endpoint: str) -> list[Found]:
    """Listed predictions of the model. Items need not hold inputs, so that none is certain."""
    found = []
    for item in items:
        ticket = read_ticket(item)
        if ticket and item.get("model", endpoint) == endpoint:
            found.append(Found(ticket, read_time(item.get("created_at")), certain=False))
    return found


def inputs_of(answer: Answer) -> dict[str, Any] | None:
    """What a prediction was asked, where it says so.

    The documentation does not promise `input` (webhooks have it, the official CLI types it as
    optional): where it is left out nobody but a person can tell whose it is.
    """
    data = data_of(answer) if isinstance(answer, Reply) and answer.ok else {}
    stored = data.get("input") or data.get("inputs")
    return stored if isinstance(stored, dict) else None


def compared(
    stored: Mapping[str, object], found: Found, sent: Mapping[str, object]
) -> Found | None:
    """The candidate, certain where it was asked what was sent. None: it is another's."""
    like = likeness(stored, sent)
    return None if like == "other" else replace(found, certain=like == "same")


def items_of(reply: Reply) -> list[dict[str, Any]] | None:
    """The rows of a listing; None for a reply that is no listing, which proves nothing."""
    items = data_of(reply).get("items")
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else None


def read_price(answer: Answer) -> ListPrice | None:
    """What one run costs, as the price endpoint quotes it; None where it does not."""
    if not isinstance(answer, Reply) or not answer.ok:
        return None
    data = data_of(answer)
    for name in ("discounted_price", "price", "unit_price"):
        price = read_amount(data.get(name))
        if price is not None and price > 0:
            return ListPrice("run", price, plain(data.get("currency", "USD")))
    return None


REFUNDS = ("refund", "return", "reverse")


def read_bill(answer: Answer, request_id: str) -> Bill | None:
    """Deductions less refunds of one prediction; None where the billing has no row of it."""
    if not isinstance(answer, Reply) or not answer.ok:
        return None
    rows = [
        item
        for item in items_of(answer) or []
        if isinstance(item.get("prediction"), dict) and item["prediction"].get("uuid") == request_id
    ]
    return sum_of([read_billing_row(row) for row in rows])


def read_billing_row(row: Mapping[str, Any]) -> BillingRow:
    """A row of the billings: money alone. What gives it back is known by its type's name."""
    prediction = row.get("prediction")
    about: Mapping[str, Any] = prediction if isinstance(prediction, dict) else {}
    price = read_amount(row.get("price"))
    if price is not None and any(w in plain(row.get("billing_type")).lower() for w in REFUNDS):
        price = -abs(price)
    return BillingRow(
        text(about.get("uuid")),
        plain(about.get("model_uuid")),
        plain(row.get("created_at")),
        None,
        price,
        plain(row.get("uuid") or ""),
    )


def read_billing(answer: Answer, page: int, page_size: int) -> BillingPage | NoFeed | Again:
    """A page of the billings (WaveSpeed docs, Check billings). A page that is full has a next."""
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if not answer.ok:
        if answer.is_passing:
            return Again(f"HTTP {answer.status} from the billings", answer.retry_after_s)
        return NoFeed(f"HTTP {answer.status}: {message_of(answer)}", CHECK_KEY)
    items = items_of(answer)
    if items is None:
        return Again(f"HTTP {answer.status} with unreadable billings")
    more = len(items) >= page_size
    return BillingPage(tuple(map(read_billing_row, items)), str(page + 1) if more else None)


def read_balance(answer: Answer) -> Decimal | None:
    """USD that are left; None where the account does not say."""
    return read_amount(data_of(answer).get("balance")) if isinstance(answer, Reply) else None


def data_of(reply: Reply) -> dict[str, Any]:
    data = reply.object().get("data")
    return data if isinstance(data, dict) else {}


def message_of(reply: Reply) -> str:
    body = reply.object()
    return plain(body.get("message") or body.get("error") or reply.excerpt)
