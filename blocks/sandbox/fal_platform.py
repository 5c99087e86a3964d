"""fal's platform API (https://api.fal.ai/v1): prices, request history, billing.

Replies follow fal's Platform API OpenAPI. A request is listed once it has started, for the
schema requires the times when it was sent and started.
"""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import fal, jobs
from .documents import fal_item
from .faults import Facts, Rule
from .jobs import Charge, Job
from .studio import Studio, bearer
from .web import AnswerError, answer, body_object, iso, own_url, unix

CREDIT_USD = Decimal(1000)
"""What the account starts with."""
_DAY_S = 86400.0
Row = TypeVar("Row")
_STATUS_TEXTS = ("success", "error", "user_error")


def listed(
    job: Job, now: float, url: str, payloads: bool, place: str = "/video/url"
) -> dict[str, Any]:
    """A row of the request history."""
    item: dict[str, Any] = {
        "request_id": job.request_id,
        "endpoint_id": job.endpoint,
        "started_at": iso(job.starts_at),
        "sent_at": iso(job.accepted_at),
        "ended_at": None,
        "status_code": None,
        "duration": None,
    }
    ended = jobs.phase(job, now) == "ended"
    if ended:
        duration = round(job.ends_at - job.accepted_at, 3)
        item |= {"ended_at": iso(job.ends_at), "status_code": job.status_code}
        item |= {"duration": duration}
    if payloads:
        item["json_input"] = job.inputs
        if ended:
            good = fal.output(job, url, None, place)
            item["json_output"] = good if job.succeeds else fal.error_body(job)
    return item


def told(item: dict[str, Any], rule: Rule | None) -> dict[str, Any]:
    """A row, or what a rule makes of it."""
    if rule is None:
        return item
    if rule.do == "no_output":
        return {name: value for name, value in item.items() if name != "json_output"}
    if rule.do == "rewritten" and "json_input" in item:
        prompt = str(item["json_input"].get("prompt", ""))
        return {**item, "json_input": {**item["json_input"], "prompt": f" {prompt}\n"}}
    if rule.do == "failed" and item["ended_at"]:
        code = int(rule.number("status", 500))
        return {**item, "status_code": code, "json_output": {"detail": "Injected"}}
    return item


def stranger(now: float, name: str) -> dict[str, Any]:
    """A row of a request that nobody here has made."""
    at = iso(now)
    return {
        "request_id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "started_at": at,
        "sent_at": at,
        "ended_at": None,
        "json_input": {"prompt": f"A stranger's {name}.", "seed": 0},
    }


def status_text(job: Job, now: float) -> str | None:
    if jobs.phase(job, now) != "ended":
        return None
    if job.succeeds:
        return "success"
    return "error" if job.status_code >= 500 else "user_error"


def billing_event(charge: Charge, *, refunded: bool) -> dict[str, Any]:
    """fal's schema knows no negative amounts: money that was given back is a discount."""
    discount = charge.cost_usd if refunded else Decimal(0)
    return {
        "request_id": charge.job.request_id,
        "endpoint_id": charge.job.endpoint,
        "timestamp": iso(charge.at),
        "output_units": float(charge.units),
        "unit_price": float(charge.job.unit_price_usd),
        "percent_discount": 100 if refunded else None,
        "cost_subtotal": float(charge.cost_usd),
        "cost_discount": float(discount),
        "cost_total": float(charge.cost_usd - discount),
        "cost_estimate_nano_usd": int((charge.cost_usd - discount) * 10**9),
    }


class FalPlatform:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def routes(self) -> list[Route]:
        root = "/fal/platform"
        return [
            Route(f"{root}/models", self.catalogue),
            Route(f"{root}/models/pricing", self.pricing),
            Route(f"{root}/models/pricing/estimate", self.estimate, methods=["POST"]),
            Route(f"{root}/models/requests/by-endpoint", self.by_endpoint),
            Route(f"{root}/models/requests/search", self.search),
            Route(f"{root}/models/billing-events", self.billing_events),
            Route(f"{root}/account/billing", self.account),
        ]

    # catalogue --------------------------------------------------------------------------------

    async def catalogue(self, request: Request) -> Response:
        """The public list; no key is needed. Only `expand=openapi-3.0` brings schemas."""
        await self._studio.trouble("catalogue", Facts("fal"))
        query = request.query_params
        wanted, words = _many(request, "endpoint_id"), query.get("q", "").lower().split()
        sold = [
            model
            for model in self._studio.models.of("fal")
            if (not wanted or model.endpoint in wanted)
            and all(word in model.endpoint for word in words)
            and query.get("status") in (None, "active")
        ]
        number = query.get("cursor", "")
        first, size = int(number) if number.isdigit() else 0, 50
        expanded = "openapi-3.0" in query.getlist("expand")
        page = [fal_item(each, expanded=expanded) for each in sold[first : first + size]]
        more = first + size < len(sold)
        cursor = str(first + size) if more else None
        return answer({"models": page, "next_cursor": cursor, "has_more": more})

    # prices -----------------------------------------------------------------------------------

    async def pricing(self, request: Request) -> Response:
        _require_key(request)
        wanted = _many(request, "endpoint_id")
        one = wanted[0] if len(wanted) == 1 else ""
        rule = await self._studio.trouble("pricing", Facts("fal", one))
        if not 1 <= len(wanted) <= 50:
            raise _error(400, "validation_error", "endpoint_id takes 1 to 50 ids")
        prices = []
        for endpoint in wanted:
            model = self._studio.models.get("fal", endpoint)
            if model is None:
                raise _error(404, "not_found", f"Endpoint {endpoint} not found")
            counted = "unit" if "magi" in endpoint else "seconds"
            unit_price, unit, currency = float(model.unit_price_usd), counted, "USD"
            if rule:
                unit_price = rule.number("unit_price_usd", unit_price)
                unit, currency = rule.text("unit", unit), rule.text("currency", currency)
            price = {"endpoint_id": endpoint, "unit_price": unit_price}
            prices.append({**price, "unit": unit, "currency": currency})
        return answer({"prices": prices, "next_cursor": None, "has_more": False})

    async def estimate(self, request: Request) -> Response:
        _require_key(request)
        await self._studio.trouble("pricing", Facts("fal"))
        body = await body_object(request)
        endpoints = body.get("endpoints")
        if body.get("estimate_type") not in ("unit_price", "historical_api_price") or not (
            isinstance(endpoints, dict) and endpoints
        ):
            raise _error(400, "validation_error", "estimate_type and endpoints are required")
        total = Decimal(0)
        for endpoint, quantity in endpoints.items():
            model = self._studio.models.get("fal", endpoint)
            if model is None:
                raise _error(404, "not_found", f"Endpoint {endpoint} not found")
            # A call of unknown inputs is priced as one with the defaults, which is 4 units.
            units = quantity.get("unit_quantity") or 4 * quantity.get("call_quantity", 0)
            total += Decimal(str(units)) * model.unit_price_usd
        kind = body["estimate_type"]
        return answer({"estimate_type": kind, "total_cost": float(total), "currency": "USD"})

    # history ----------------------------------------------------------------------------------

    async def by_endpoint(self, request: Request) -> Response:
        _require_key(request)
        query = request.query_params
        wanted = _many(request, "endpoint_id")
        if not 1 <= len(wanted) <= 50:
            raise _error(400, "validation_error", "endpoint_id takes 1 to 50 ids")
        status, request_id = query.get("status"), query.get("request_id")
        if status is not None and status not in _STATUS_TEXTS:
            raise _error(400, "validation_error", "status is success, error or user_error")
        limit = _limit(request, 50, 100)
        start, end = _window(request, 90 * _DAY_S if request_id else _DAY_S)
        now = self._studio.now()

        def is_wanted(job: Job) -> bool:
            return (
                job.endpoint in wanted
                and request_id in (None, job.request_id)
                and status in (None, status_text(job, now))
            )

        rule = await self._studio.trouble("listing", Facts("fal"))
        if query.get("sort_by") == "duration":
            rows = list(filter(is_wanted, self._history(rule, start, end)))
            rows.sort(key=lambda job: job.ends_at - job.accepted_at, reverse=True)
            page, paging = _page(request, rows, limit)
        else:
            page, paging = self._newest(request, rule, (start, end), limit, is_wanted)
        payloads = "payloads" in _many(request, "expand")
        items = [told(item, rule) for item in self._listed(request, page, payloads)]
        if rule and rule.do == "endless":
            items = [stranger(now, f"{number}") for number in range(limit)]
            paging = {"next_cursor": base64.b64encode(b"1").decode(), "has_more": True}
        return answer({"items": items, **paging})

    def _newest(
        self,
        request: Request,
        rule: Rule | None,
        window: tuple[float, float],
        limit: int,
        is_wanted: Callable[[Job], bool],
    ) -> tuple[list[Job], dict[str, Any]]:
        """One page of a long history, without reading all of it; the cursor is where it ended."""
        below = _cursor(request, 2**62)
        rows: list[Job] = []
        while len(rows) <= limit:
            batch = self._history(rule, *window, below, limit + 1)
            rows += filter(is_wanted, batch)
            if len(batch) <= limit:
                break
            below = batch[-1].seq
        page, more = rows[:limit], len(rows) > limit
        following = base64.b64encode(str(page[-1].seq).encode()).decode() if more else None
        return page, {"next_cursor": following, "has_more": more}

    async def search(self, request: Request) -> Response:
        """The filtered browse, newest first; the semantic modes are not offered."""
        _require_key(request)
        query = request.query_params
        if any(query.get(name) for name in ("query", "image_url", "video_url")):
            raise _error(400, "validation_error", "The sandbox has no semantic search")
        wanted = _many(request, "endpoint_id") or _many(request, "endpoint")
        rule = await self._studio.trouble("listing", Facts("fal"))
        rows = self._history(rule, 0.0, self._studio.now() + 1)
        rows = [job for job in rows if not wanted or job.endpoint in wanted]
        if query.get("exclude_api_requests") == "true":
            rows = []
        page, paging = _page(request, rows, _limit(request, 50, 100))
        return answer({"results": self._listed(request, page, True), **paging})

    def _history(
        self,
        rule: Rule | None,
        start: float,
        end: float,
        below_seq: int = 2**62,
        limit: int = -1,
    ) -> list[Job]:
        """The requests that started in [start, end), newest first, as far as they are listed."""
        if rule and rule.do == "hidden":
            return []
        now = self._studio.now()
        lag_s = rule.number("lag_s", 60.0) if rule and rule.do == "lag" else 0.0
        end = min(end, now - lag_s + 1e-6)
        rows = self._studio.store.jobs_started("fal", start, end, below_seq=below_seq, limit=limit)
        if rule and rule.do == "duplicate" and rows and below_seq == 2**62:
            twin_id = str(uuid.uuid5(uuid.NAMESPACE_OID, rows[0].request_id))
            rows.insert(0, replace(rows[0], request_id=twin_id))
        return rows

    def _listed(self, request: Request, rows: list[Job], payloads: bool) -> list[dict[str, Any]]:
        now, base_url, studio = self._studio.now(), own_url(request), self._studio
        return [
            listed(job, now, studio.clip_url(job, base_url), payloads, studio.output_of(job))
            for job in rows
        ]

    # billing ----------------------------------------------------------------------------------

    async def billing_events(self, request: Request) -> Response:
        _require_admin(request)
        rule = await self._studio.trouble("billing", Facts("fal"))
        lag_s = rule.number("lag_s", 60.0) if rule else 0.0
        start, end = _window(request, _DAY_S)
        end = min(end, self._studio.now() - lag_s)
        endpoints, requests = _many(request, "endpoint_id"), _many(request, "request_id")
        charges = self._studio.charges("fal")
        refunded = {c.job.request_id for c in charges if c.kind == "refund"}
        rows = [
            charge
            for charge in reversed(charges)
            if start <= charge.at <= end
            and charge.kind == "charge"
            and (not endpoints or charge.job.endpoint in endpoints)
            and (not requests or charge.job.request_id in requests)
        ]
        page, paging = _page(request, rows, _limit(request, 50, 10000))
        events = [billing_event(c, refunded=c.job.request_id in refunded) for c in page]
        return answer({"billing_events": events, **paging})

    async def account(self, request: Request) -> Response:
        _require_admin(request)
        await self._studio.trouble("billing", Facts("fal"))
        body: dict[str, Any] = {"username": "sandbox"}
        if "credits" in _many(request, "expand"):
            spent = sum((charge.cost_usd for charge in self._studio.charges("fal")), Decimal(0))
            balance = max(Decimal(0), CREDIT_USD - spent)
            body["credits"] = {"current_balance": float(balance), "currency": "USD"}
        return answer(body)


def _error(status: int, kind: str, message: str) -> AnswerError:
    return AnswerError(answer({"error": {"type": kind, "message": message}}, status))


def _require_key(request: Request) -> str:
    key = bearer(request, "Key")
    if key is None:
        raise _error(401, "authorization_error", "Authentication required")
    return key


def _require_admin(request: Request) -> None:
    """The sandbox's rule: a key that starts with `admin` is one."""
    if not _require_key(request).startswith("admin"):
        raise _error(403, "authorization_error", "An admin API key is required")


def _many(request: Request, name: str) -> list[str]:
    """A list parameter, comma-separated or repeated."""
    given = request.query_params.getlist(name)
    return [piece for text in given for piece in text.split(",") if piece]


def _limit(request: Request, default: int, most: int) -> int:
    text = request.query_params.get("limit", str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise _error(400, "validation_error", f"limit is a number from 1 to {most}")
    return int(text)


def _window(request: Request, default_s: float) -> tuple[float, float]:
    """[start, end) in unix seconds; the last `default_s` seconds without `start`."""
    now = time.time()
    bounds = {"start": now - default_s, "end": now + 1}
    for name in bounds:
        if text := request.query_params.get(name):
            # A + in a query is a space; an offset written without escaping is meant as one.
            moment = unix(text.replace(" ", "+"))
            if moment is None:
                raise _error(400, "validation_error", f"{name} is not an ISO 8601 date")
            bounds[name] = moment
    return bounds["start"], bounds["end"]


def _page(request: Request, rows: list[Row], limit: int) -> tuple[list[Row], dict[str, Any]]:
    """One page and its paging fields; the cursor encodes the page number."""
    number = _cursor(request, 1)
    last = number * limit
    more = len(rows) > last
    following = base64.b64encode(str(number + 1).encode()).decode() if more else None
    return rows[last - limit : last], {"next_cursor": following, "has_more": more}


def _cursor(request: Request, default: int) -> int:
    cursor = request.query_params.get("cursor")
    try:
        return int(base64.b64decode(cursor)) if cursor else default
    except (binascii.Error, ValueError):
        raise _error(400, "validation_error", "cursor is not one of ours") from None
