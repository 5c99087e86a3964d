"""fal's wire, as pure functions: requests out, replies in.

Sources: fal docs (Queue API, Common parameters, Request errors, Errors, Pricing), the official
Python client 1.0.3, the platform's OpenAPI description. What it says about money: billing.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from blocks.errors import Paid
from blocks.money import read_amount
from blocks.providers.base import (
    Accepted,
    Again,
    Failed,
    Found,
    Gone,
    Order,
    Paused,
    Polled,
    Ready,
    Refused,
    Submitted,
    Ticket,
    Unknown,
    Waiting,
)
from blocks.providers.http import (
    SUBMIT_TIMEOUT_S,
    Answer,
    AnswerLost,
    Call,
    Reply,
    Undelivered,
    leaves_open,
    origin,
    plain,
    read_id,
    read_time,
    text,
)

TOP_UP = "Top up at fal.ai/dashboard/billing, then run the same command again."
CHECK_KEY = "Set FAL_KEY to a key from fal.ai/dashboard/keys, then run the same command again."

WORK_TIMEOUT_S = 1800.0
"""How long a direct call may work once it has started."""

MEDIA, BILLED = "media_url", "billable_units"
"""What a direct call's ticket holds beside its id."""

TRANSIENT_TYPES = frozenset(
    {
        "request_timeout",
        "startup_timeout",
        "runner_scheduling_failure",
        "runner_connection_timeout",
        "runner_disconnected",
        "runner_connection_refused",
        "runner_connection_error",
        "runner_incomplete_response",
        "runner_server_error",
        "internal_error",
    }
)
"""fal docs, Request errors: "transient and worth retrying"."""


def app_of(endpoint: str) -> str:
    """`owner/alias`: status, result and cancel URLs leave the rest of the endpoint out."""
    parts = endpoint.split("/")
    return "/".join(parts[:3] if parts[0] in ("workflows", "comfy") else parts[:2])


def submit_call(base_url: str, order: Order, headers: Mapping[str, str]) -> Call:
    """The one POST of an attempt, to the queue.

    `X-Fal-Request-Timeout` bounds when the request may start, so that an outcome that stays
    unknown can be released after it; the fallback is off, since another endpoint has another
    price.
    """
    return Call(
        "POST",
        f"{base_url}/{order.model.endpoint}",
        headers={
            **headers,
            "X-Fal-Request-Timeout": str(order.start_timeout_s),
            "x-app-fal-disable-fallback": "true",
        },
        json=order.model.body(order.inputs),
        timeout_s=SUBMIT_TIMEOUT_S,
    )


def direct_call(run_url: str, order: Order, headers: Mapping[str, str]) -> Call:
    """The one POST of an attempt that is held open until its clip is there."""
    call = submit_call(run_url, order, headers)
    return replace(call, timeout_s=order.start_timeout_s + WORK_TIMEOUT_S)


def classify_submit(answer: Answer) -> Submitted:
    if isinstance(answer, Undelivered):
        return Again(answer.reason)
    if isinstance(answer, AnswerLost):
        return Unknown(answer.reason)
    status = answer.status
    if answer.ok:
        ticket = read_ticket(answer.object())
        return Accepted(ticket) if ticket else Unknown(f"HTTP {status} without a request id")
    what = f"HTTP {status}: {detail_of(answer)}"
    if status == 429:
        return Again(what, answer.retry_after_s)
    if status == 401:
        return Paused(what, CHECK_KEY)
    if status in (402, 403):
        broke = status == 402 or "balance" in what.lower()
        return Paused(what, TOP_UP if broke else CHECK_KEY)
    if leaves_open(status):
        return Unknown(what)
    return Refused(what)


def classify_direct(answer: Answer) -> Submitted:
    """A direct call has the clip in its answer; the ticket takes it along for `poll`.

    There is no queue: "429 `concurrent_requests_limit`" is the account's limit (fal docs,
    Concurrency limits). A request that could not start in time never starts (Common parameters).
    A 400 or 422 is a refusal only where the units header says that it was free: without it a
    model may have worked, and the request listing is asked.
    """
    if not isinstance(answer, Reply):
        return classify_submit(answer)
    what = f"HTTP {answer.status}: {detail_of(answer)}"
    units = read_units(answer)
    if answer.ok:
        request_id = answer.headers.get("x-fal-request-id", "")
        url = media_url_of(answer.json())
        ticket = read_ticket({"request_id": request_id})
        if ticket is None or url is None:
            return Unknown(f"HTTP {answer.status} without a clip or a request id")
        counted = {} if units is None else {BILLED: str(units)}
        return Accepted(Ticket(ticket.request_id, {MEDIA: url, **counted}))
    if answer.status == 504 and "x-fal-request-timeout-type" in answer.headers:
        return Again(f"{what} (not started in time)", answer.retry_after_s)
    outcome = classify_submit(answer)
    if answer.status in (400, 422) and units != 0:
        return Unknown(what)
    return outcome


def delivered(ticket: Ticket) -> Ready | None:
    """What a direct call has brought along with its ticket."""
    url = ticket.urls.get(MEDIA)
    return Ready(url, read_amount(ticket.urls.get(BILLED))) if url else None


def read_ticket(body: Mapping[str, Any]) -> Ticket | None:
    request_id = read_id(body.get("request_id"))
    if request_id is None:
        return None
    names = ("status_url", "response_url", "cancel_url")
    return Ticket(request_id, {n: body[n] for n in names if text(body.get(n))})


def request_url(queue_url: str, endpoint: str, ticket: Ticket, name: str) -> str:
    """The URL that the submit named, where it is on the account's own host; else rebuilt.

    The key goes along with these calls, so a reply cannot send it anywhere else; and a saved URL
    outlives a move of the service (a proxy, a sandbox on another port).
    """
    given = ticket.urls.get(name, "")
    if given and origin(given) == origin(queue_url) and given.startswith(queue_url):
        return given
    suffix = {"status_url": "/status", "response_url": "", "cancel_url": "/cancel"}[name]
    return f"{queue_url}/{app_of(endpoint)}/requests/{quote(ticket.request_id, safe='')}{suffix}"


class StatusDone:
    """COMPLETED: the result says whether it is a clip. `failed`: the status names an error."""

    def __init__(self, error: str, error_type: str) -> None:
        self.error, self.error_type = error, error_type
        self.failed = bool(error or error_type)


def classify_status(answer: Answer) -> Waiting | StatusDone | Gone | Again:
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    body = answer.object()
    if answer.ok:
        match body.get("status"):
            case "IN_QUEUE":
                position = body.get("queue_position")
                return Waiting(position if isinstance(position, int) else 0)
            case "IN_PROGRESS":
                return Waiting()
            case "COMPLETED" | "FAILED" | "CANCELLED":
                error, error_type = body.get("error") or "", text(body.get("error_type"))
                return StatusDone(plain(error), plain(error_type))
        return Again(f"HTTP {answer.status} with an unreadable status")
    if answer.status == 404:
        return Gone(f"HTTP 404: {detail_of(answer)}")
    return Again(f"HTTP {answer.status}: {detail_of(answer)}", answer.retry_after_s)


def classify_result(answer: Answer, done: StatusDone) -> Polled:
    """What a COMPLETED request came to. 5xx are never billed (fal docs, Pricing)."""
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    units = read_units(answer)
    if answer.ok:
        url = media_url_of(answer.json())
        if url:
            return Ready(url, units)
        return Again(f"HTTP {answer.status} with an unreadable result")
    if "still in progress" in detail_of(answer).lower():
        return Waiting()
    body = answer.object()
    error_type = plain(
        text(body.get("error_type"))
        or answer.headers.get("x-fal-error-type", "")
        or done.error_type
    )
    reason = f"HTTP {answer.status}: {detail_of(answer) or done.error or error_type}"
    if answer.status == 404 and not done.failed:
        return Gone(reason)
    considered = bool(done.failed or error_type or "detail" in body)
    if answer.status < 400 or not considered:
        # A gateway in front of the result store, not the model: the clip is there.
        return Again(reason, answer.retry_after_s)
    if answer.status in (401, 403, 408, 429) and not done.failed:
        return Again(reason, answer.retry_after_s)
    if answer.status >= 500:
        retryable = answer.headers.get("x-fal-retryable", "").lower() == "true"
        charged: Paid = "yes" if units else "no"
        return Failed(reason, charged, units, error_type in TRANSIENT_TYPES or retryable)
    return Failed(reason, "unknown" if units is None else "yes" if units else "no", units)


def read_units(reply: Reply) -> Decimal | None:
    """`X-Fal-Billable-Units`: "billing units charged for this request" (fal docs)."""
    units = read_amount(reply.headers.get("x-fal-billable-units"))
    return units if units is not None and units >= 0 else None


def media_url_of(output: object) -> str | None:
    video = output.get("video") if isinstance(output, dict) else None
    url = video.get("url") if isinstance(video, dict) else None
    return text(url) or None


def classify_history(answer: Answer, request_id: str) -> Polled:
    """The request listing, asked for a request that the queue no longer knows."""
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if not answer.ok:
        if answer.status in (408, 429) or answer.status >= 500:
            return Again(f"HTTP {answer.status} from the request listing", answer.retry_after_s)
        return Gone(f"the queue does not know it; the listing says HTTP {answer.status}")
    items = items_of(answer)
    if items is None:
        return Again(f"HTTP {answer.status} with an unreadable request listing")
    for item in items:
        if item.get("request_id") == request_id:
            url = media_url_of(item.get("json_output"))
            if url:
                return Ready(url)
            code = item.get("status_code")
            if isinstance(code, int) and code >= 400:
                return Failed(f"ended with HTTP {code}", "no" if code >= 500 else "unknown")
            if item.get("ended_at") is None:
                return Waiting()
    return Gone("neither the queue nor the request listing knows it")


def items_of(reply: Reply) -> list[dict[str, Any]] | None:
    """The rows of a listing; None for a reply that is no listing, which proves nothing."""
    items = reply.object().get("items")
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else None


def matches(items: list[dict[str, Any]], sent: Mapping[str, object]) -> list[Found]:
    """Listed requests whose stored input holds all that was sent, the pinned seed among it."""
    found = []
    for item in items:
        request_id, stored = item.get("request_id"), item.get("json_input")
        if not isinstance(request_id, str):
            continue
        sent_at = read_time(item.get("sent_at"))
        if not isinstance(stored, dict):
            found.append(Found(Ticket(request_id), sent_at, certain=False))
        elif all(_same(stored.get(name), value) for name, value in sent.items()):
            found.append(Found(Ticket(request_id), sent_at))
    return found


def _same(stored: object, sent: object) -> bool:
    return isinstance(stored, (str, int, float)) and (stored == sent or str(stored) == str(sent))


def detail_of(reply: Reply) -> str:
    """The service's own words, in one line of at most 200 characters."""
    body = reply.object()
    detail = body.get("detail") or body.get("error") or body.get("message")
    if isinstance(detail, list):
        parts = [
            f"{_place(d.get('loc'))}: {plain(d.get('msg', ''))} ({plain(d.get('type', ''))})"
            for d in detail
            if isinstance(d, dict)
        ]
        detail = "; ".join(parts)
    if isinstance(detail, dict):
        detail = detail.get("message")
    return plain(detail or reply.excerpt)


def _place(loc: object) -> str:
    return ".".join(map(plain, loc)) if isinstance(loc, list) else ""
