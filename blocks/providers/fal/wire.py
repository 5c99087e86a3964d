"""fal's wire, as pure functions: requests out, replies in.

Sources: fal docs (Queue API, Common parameters, Request errors, Errors, Pricing), the official
Python client 1.0.3, the platform's OpenAPI description. What it says about money: billing.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from blocks.errors import Paid
from blocks.money import read_amount
from blocks.providers.base import (
    Accepted,
    Again,
    Empty,
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
from blocks.providers.likeness import likeness
from blocks.providers.outputs import clip_url, why_empty

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
        last_look=order.last_look,
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
    # What was refused before any work says so: without the units header it may be charged (fal's
    # own framework, `api.py`; FAQ: "422 may still be charged if a runner spent GPU time").
    return Refused(what, proven=read_units(answer) == 0)


def classify_direct(answer: Answer, base_url: str = "", place: str = "") -> Submitted:
    """A direct call has the clip in its answer; the ticket takes it along for `poll`.

    There is no queue: "429 `concurrent_requests_limit`" is the account's limit (fal docs,
    Concurrency limits). A request that could not start in time never starts (Common parameters).
    A 400 or 422 without the units header may come from a model that has worked: it is unknown.
    """
    if not isinstance(answer, Reply):
        return classify_submit(answer)
    what = f"HTTP {answer.status}: {detail_of(answer)}"
    units = read_units(answer)
    if answer.ok:
        request_id = answer.headers.get("x-fal-request-id", "")
        url = clip_url(answer.json(), base_url, place)
        ticket = read_ticket({"request_id": request_id})
        if ticket is None:
            return Unknown(f"HTTP {answer.status} without a request id")
        if url is None:
            return Accepted(ticket)  # the listing may say more
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


@dataclass(frozen=True)
class Doubted:
    """A failure of which the result alone speaks: it is held against the request listing."""

    failed: Failed


@dataclass(frozen=True)
class EndedWell:
    """The listing knows that it has ended well, and does not say where its clip is."""


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


def classify_result(
    answer: Answer, done: StatusDone, base_url: str = "", place: str = ""
) -> Polled | Doubted:
    """What a COMPLETED request came to. 5xx of a model are never billed (fal docs, Pricing).

    A failure counts where status and result both name it. A 5xx alone may be a gateway's, whatever
    its body says: the clip is there, and only its fetch failed.
    """
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if answer.ok:
        return classify_output(answer, base_url, place)
    if "still in progress" in detail_of(answer).lower():
        return Waiting()
    told = read_error_type(answer)
    reason = f"HTTP {answer.status}: {detail_of(answer) or done.error or done.error_type or told}"
    if answer.status in (401, 403, 408, 429):
        return Again(reason, answer.retry_after_s)
    if answer.status == 404 or answer.status < 400:
        return Gone(reason)
    units = read_units(answer)
    if answer.status >= 500:
        kind = told or done.error_type
        retryable = answer.headers.get("x-fal-retryable", "").lower() == "true"
        charged: Paid = "yes" if units else "no"
        failed = Failed(reason, charged, units, kind in TRANSIENT_TYPES or retryable)
        agreed = done.failed and (
            done.error_type in TRANSIENT_TYPES or (told and told == (done.error_type or told))
        )
    else:
        paid: Paid = "unknown" if units is None else "yes" if units else "no"
        failed, agreed = Failed(reason, paid, units), done.failed
    return failed if agreed else Doubted(failed)


def classify_output(reply: Reply, base_url: str, place: str) -> Ready | Empty | Gone:
    body = reply.json()
    if url := clip_url(body, base_url, place):
        return Ready(url, read_units(reply))
    if isinstance(body, dict):
        return Empty(why_empty(body))
    return Gone(f"HTTP {reply.status} with an unreadable result")


def read_error_type(reply: Reply) -> str:
    """The kind of an error: of a platform's by name, of a model's that of its first detail."""
    body = reply.object()
    detail = body.get("detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    listed = text(first.get("type")) if isinstance(first, dict) else ""
    return plain(
        text(body.get("error_type")) or reply.headers.get("x-fal-error-type", "") or listed
    )


def weigh(told: Gone | Doubted, listed: Polled | EndedWell, done: StatusDone | None) -> Polled:
    """What the result, or its absence, and the request listing come to together.

    A failure needs two that name it: of status, result and listing. `done` is the status, None
    where that does not know the request.
    """
    reason = told.failed.reason if isinstance(told, Doubted) else told.reason
    match listed:
        case Ready() | Empty():
            return listed
        case Failed() if isinstance(told, Doubted):
            # A gateway's 5xx in the place of the result says nothing of what a refusal has cost.
            agreed = told.failed.units is not None or told.failed.charged == listed.charged
            failed = told.failed if agreed else replace(listed, charged="unknown")
            return replace(failed, reason=f"{reason}; the listing: {listed.reason}")
        case Failed():
            return listed if done and done.failed else replace(listed, charged="unknown")
        case Waiting() | Again() if done is None:
            return listed
        case EndedWell():
            return Gone(f"it ended well, says the listing, and its result cannot be had: {reason}")
        case Gone():
            return Gone(f"{reason}; {listed.reason}")
    return Gone(reason)


def read_units(reply: Reply) -> Decimal | None:
    """`X-Fal-Billable-Units`: "billing units charged for this request" (fal docs)."""
    units = read_amount(reply.headers.get("x-fal-billable-units"))
    return units if units is not None and units >= 0 else None


def classify_history(
    answer: Answer, request_id: str, base_url: str = "", place: str = ""
) -> Polled | EndedWell:
    """The request listing, asked for one request."""
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if not answer.ok:
        if answer.is_passing:
            return Again(f"HTTP {answer.status} from the request listing", answer.retry_after_s)
        return Gone(f"the request listing says HTTP {answer.status}")
    items = items_of(answer)
    if items is None:
        return Again(f"HTTP {answer.status} with an unreadable request listing")
    for item in items:
        if item.get("request_id") == request_id:
            output = item.get("json_output")
            url = clip_url(output, base_url, place)
            if url:
                return Ready(url)
            code = item.get("status_code")
            if isinstance(code, int) and code >= 400:
                return Failed(f"ended with HTTP {code}", "no" if code >= 500 else "unknown")
            if not text(item.get("ended_at")):
                return Waiting()
            return Empty(why_empty(output)) if isinstance(output, dict) else EndedWell()
    return Gone("the request listing does not know it")


def items_of(reply: Reply) -> list[dict[str, Any]] | None:
    """The rows of a listing; None for a reply that is no listing, which proves nothing."""
    items = reply.object().get("items")
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else None


def cursor_of(reply: Reply, _: object) -> str | None:
    return text(reply.object().get("next_cursor")) or None


def matches(
    items: list[dict[str, Any]], sent: Mapping[str, object]
) -> tuple[list[Found], frozenset[str]]:
    """Listed requests that may be what was sent, and the ids of those that are not."""
    found, others = [], set()
    for item in items:
        request_id = read_id(item.get("request_id"))
        if request_id is None:
            continue
        like = likeness(item.get("json_input"), sent)
        if like == "other":
            others.add(request_id)
        else:
            sent_at = read_time(item.get("sent_at"))
            found.append(Found(Ticket(request_id), sent_at, certain=like == "same"))
    return found, frozenset(others)


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
