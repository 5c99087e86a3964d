"""What only a sandbox can tell: every charge, request, POST and download, and its fault rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import faults, jobs
from .jobs import Charge
from .studio import Studio
from .web import answer, body_json, iso


def statement(charges: list[Charge]) -> dict[str, Any]:
    """Everything charged and refunded, with totals; units and amounts are decimal strings."""
    return {
        "currency": "USD",
        "units": _text(sum((charge.units for charge in charges), Decimal(0))),
        "cost_usd": _text(sum((charge.cost_usd for charge in charges), Decimal(0))),
        "charges": [
            {
                "service": charge.job.service,
                "request_id": charge.job.request_id,
                "endpoint": charge.job.endpoint,
                "inputs": charge.job.inputs,
                "units": _text(charge.units),
                "cost_usd": _text(charge.cost_usd),
                "at": iso(charge.at),
                "kind": charge.kind,
            }
            for charge in charges
        ],
    }


def _text(amount: Decimal) -> str:
    """1.50 and 1.5 and 15E-1 are one amount and get one text."""
    plain = format(amount.normalize(), "f")
    return "0" if plain == "-0" else plain


class Control:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def routes(self) -> list[Route]:
        methods = ["GET", "POST", "PUT", "DELETE"]
        return [
            Route("/sandbox/charges", self.charges),
            Route("/sandbox/requests", self.requests),
            Route("/sandbox/posts", self.posts),
            Route("/sandbox/media-downloads", self.downloads),
            Route("/sandbox/quotes", self.quotes),
            Route("/sandbox/faults", self.faults, methods=methods),
            Route("/sandbox/models", self.models, methods=methods),
        ]

    async def charges(self, request: Request) -> Response:
        return answer(statement(self._studio.charges()))

    async def requests(self, request: Request) -> Response:
        now = self._studio.now()
        num_posts = self._studio.store.posts_of_requests()
        rows = [
            {
                "service": job.service,
                "api": job.api,
                "request_id": job.request_id,
                "endpoint": job.endpoint,
                "inputs": job.inputs,
                "seed": job.seed,
                "state": jobs.phase(job, now),
                "status_code": job.status_code if jobs.phase(job, now) == "ended" else None,
                "accepted_at": iso(job.accepted_at),
                "posts": num_posts.get(job.request_id, 0),
            }
            for job in self._studio.store.jobs()
        ]
        return answer({"requests": rows})

    async def posts(self, request: Request) -> Response:
        rows = self._studio.store.posts()
        total = sum(row["posts"] for row in rows)
        return answer({"total": total, "posts": rows})

    async def downloads(self, request: Request) -> Response:
        return answer({"downloads": self._studio.store.downloads()})

    async def quotes(self, request: Request) -> Response:
        return answer({"quotes": [*self._studio.quoted]})

    async def faults(self, request: Request) -> Response:
        """GET lists the rules with their counts, POST adds, PUT replaces, DELETE removes all."""
        book = self._studio.store.faults
        if request.method in ("POST", "PUT"):
            try:
                rules = faults.parse(await body_json(request))
            except faults.FaultError as error:
                return answer({"error": str(error)}, 400)
            if request.method == "POST":
                book.add(rules)
            else:
                book.replace(rules)
        if request.method == "DELETE":
            book.clear()
        return answer({"faults": book.told()})

    async def models(self, request: Request) -> Response:
        """GET lists what is sold; POST sells the model of a card, by its schema from now on;
        DELETE (`?service=fal&endpoint=ID`) retires one."""
        sold = self._studio.models
        if request.method == "POST":
            card = await body_json(request)
            try:
                sold.add(card if isinstance(card, dict) else {})
            except (KeyError, TypeError) as error:
                return answer({"error": f"no card: {error}"}, 400)
        if request.method == "DELETE":
            query = request.query_params
            sold.retire(query.get("service", ""), query.get("endpoint", ""))
        every = [*sold.of("fal"), *sold.of("wavespeed")]
        return answer({"models": [{"service": m.family, "endpoint": m.endpoint} for m in every]})
