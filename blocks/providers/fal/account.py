"""A fal account, and the provider that speaks for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

import httpx
from pydantic import BaseModel, Field, SecretStr

from blocks import settings, timing
from blocks.errors import InputError
from blocks.fields import EmptyField, MonthlyBudget, service_url
from blocks.providers.base import (
    Again,
    Bill,
    BillingPage,
    Failed,
    Findings,
    Found,
    Gone,
    ListPrice,
    NoFeed,
    Order,
    Polled,
    Quote,
    Submitted,
    Ticket,
    Waiting,
)
from blocks.providers.cards.card import Card
from blocks.providers.cards.check import require_current
from blocks.providers.clock import ServiceClock
from blocks.providers.fal import billing, wire
from blocks.providers.fal.catalogue import Catalogue
from blocks.providers.fal.upload import Upload
from blocks.providers.http import Call, origin, send
from blocks.providers.listing import Closed, Listing, Page, read_page
from blocks.providers.model import Inputs, Model
from blocks.providers.prices import quote_of, shipped
from blocks.providers.services import is_sandboxed

QUIET_GRACE_S = 60.0
KEPT = timedelta(days=30)
"""How long payloads, and with them results, are stored (fal docs, Data retention)."""

LOOK_BACK = timedelta(days=1)
"""How much older listed requests are looked at: no clock and no time zone is so wrong, and seed
and inputs tell requests apart."""

BILLING_PAGE_SIZE = 5_000  # fal takes 10,000; a reply has to stay below MAX_REPLY_BYTES

Transport = Literal["queue", "direct"]
IN_FLIGHT = {"queue": 10, "direct": 2}
NO_KEY = "none"
"""Stands for the key where a plan is made without one."""

NO_RETRY = {"X-Fal-No-Retry": "1"}


class FalAccount(BaseModel):
    """A fal account: its key, its URLs, its limits."""

    key: SecretStr = Field(title="Key", description="From fal.ai/dashboard/keys.")
    max_in_flight: Annotated[int | None, EmptyField("integer", 1, 10_000)] = Field(
        default=None,
        ge=1,
        le=10_000,
        title="Requests in flight",
        description=(
            "Requests that may be at fal at one time, over all runs. A new account works on 2 at "
            "a time. The queue keeps the rest: 10 keep it busy and start inside the start timeout. "
            "A direct call above the account's limit is turned away. Default: 10, direct 2."
        ),
    )
    transport: Transport = Field(
        default_factory=lambda: cast(
            Transport, settings.choice("FAL_TRANSPORT", get_args(Transport))
        ),
        title="Transport",
        description=(
            "queue: a request is handed in and looked at (queue.fal.run). direct: it is held open "
            "until its clip is there (fal.run)."
        ),
    )
    platform_retries: bool = Field(
        default=True,
        title="Platform retries",
        description="fal starts a request again whose runner broke; off sends X-Fal-No-Retry.",
    )
    monthly_budget_usd: MonthlyBudget = None
    run_url: str = service_url("FAL_RUN_URL", "Direct calls")
    queue_url: str = service_url("FAL_QUEUE_URL", "Queue")
    platform_url: str = service_url("FAL_PLATFORM_URL", "Platform")
    rest_url: str = service_url("FAL_REST_URL", "Uploads")
    media_url: str = service_url("FAL_MEDIA_URL", "Media")

    key_env: ClassVar[str] = "FAL_KEY"
    limits: ClassVar[set[str]] = {
        "max_in_flight",
        "monthly_budget_usd",
        "platform_retries",
        "transport",
    }
    """Fields that a run against the sandbox keeps."""

    @classmethod
    def from_environment(cls, **overrides: Any) -> FalAccount:
        """Raises InputError where no key is set."""
        key = overrides.pop("key", None) or os.environ.get("FAL_KEY", "").strip()
        pair = (
            os.environ.get("FAL_KEY_ID", "").strip(),
            os.environ.get("FAL_KEY_SECRET", "").strip(),
        )
        if not key and all(pair):
            key = ":".join(pair)
        if not key:
            raise InputError(
                "FAL_KEY is not set, and no fal account is saved in Prefect.",
                remedy="Get a key at fal.ai/dashboard/keys and run: export FAL_KEY=<key>",
            )
        return cls(key=SecretStr(key), **overrides)

    def provider(self, client: httpx.AsyncClient, service: str, name: str) -> Fal:
        return Fal(self, client, service, name)


@dataclass
class _Reading:
    """One reading of an endpoint's requests, for everyone who waits for it.

    Each page is held against the bodies that were sent, by attempt, and forgotten.
    """

    since: datetime
    bodies: dict[str, Inputs] = field(default_factory=dict)
    found: dict[str, list[Found]] = field(default_factory=dict)
    others: dict[str, set[str]] = field(default_factory=dict)
    unread: str = ""
    is_done: bool = False


class Fal:
    """fal, spoken for one account: its queue or its direct calls.

    `service` names it in the ledger.
    """

    def __init__(
        self, block: FalAccount, client: httpx.AsyncClient, service: str, account: str
    ) -> None:
        self.block = block
        self.account = account
        self.client = client
        self.service = service
        self.poll_s = (1.0, 5.0)
        self.max_in_flight = block.max_in_flight or IN_FLIGHT[block.transport]
        self.max_per_minute: int | None = None  # fal documents none
        self.monthly_budget_usd = block.monthly_budget_usd
        self.quiet_s = settings.seconds(
            "SHOTREEL_QUIET_S", settings.start_timeout_s() + QUIET_GRACE_S
        )
        self.gone_s = float(settings.start_timeout_s())  # until then it may be in no listing
        self.kept = KEPT
        self.refund_s = 0.0  # what is not billed is never charged
        urls = (block.queue_url, block.run_url, block.media_url, block.rest_url)
        self.clock = ServiceClock()
        self.trusted_hosts = frozenset(origin(url)[1:] for url in urls)
        self.uploads_kept = timedelta(days=6)
        self.quotes_bodies = False
        self.price_book = shipped()
        self._prices: dict[str, asyncio.Task[ListPrice | None]] = {}
        self._readings: dict[str, _Reading] = {}
        self._reads: dict[str, asyncio.Lock] = {}
        self._secret = block.key.get_secret_value()
        self._auth = {"Authorization": f"Key {self._secret}"}
        # Without a key it gives less in a minute; a plan has none to give.
        keyed = self._auth if self._secret != NO_KEY else {}
        self.catalogue = Catalogue(client, block.platform_url, keyed, self._secret)

    async def preflight(self, models: Sequence[Model]) -> None:
        """Hold the cards against the catalogue, where money is. Raises InputError."""
        held = [model.endpoint for model in models if isinstance(model, Card)]
        if not is_sandboxed(self.service):
            require_current(models, await self.catalogue.cards(list(dict.fromkeys(held))))

    async def submit(self, order: Order) -> Submitted:
        headers = {**self._auth, **({} if self.block.platform_retries else NO_RETRY)}
        if self.block.transport == "direct":
            call = wire.direct_call(self.block.run_url, order, headers)
            answer = await send(self.client, call, self._secret)
            return wire.classify_direct(answer, call.url, order.model.output)
        call = wire.submit_call(self.block.queue_url, order, headers)
        return wire.classify_submit(await send(self.client, call, self._secret))

    async def poll(self, model: Model, ticket: Ticket) -> Polled:
        if ready := wire.delivered(ticket):
            return ready
        status = wire.classify_status(await self._get(self._url(model, ticket, "status_url")))
        if isinstance(status, Waiting | Again):
            return status
        done = status if isinstance(status, wire.StatusDone) else None
        told: Polled | wire.Doubted
        if isinstance(status, wire.StatusDone):
            told = await self._result(model, ticket, status)
        else:
            told = status
        if not isinstance(told, Gone | wire.Doubted):
            return told
        listed = await self._history(model, ticket)
        if done is None and isinstance(listed, wire.EndedWell):
            result = await self._result(model, ticket, wire.StatusDone("", ""))
            if not isinstance(result, Gone | wire.Doubted):
                return result
        outcome = wire.weigh(told, listed, done)
        if isinstance(told, wire.Doubted) and isinstance(outcome, Failed):
            bill = await self.billed(ticket)
            if bill and bill.cost_usd:
                return Gone(f"{outcome.reason}; but the bill says that it was charged")
        return outcome

    async def cancel(self, model: Model, ticket: Ticket) -> None:
        await send(
            self.client,
            Call("PUT", self._url(model, ticket, "cancel_url"), headers=self._auth),
            self._secret,
        )

    async def find(self, order: Order, since: datetime) -> Findings:
        """Requests of the model since then whose stored input is the attempt's.

        Source: platform API, "List requests by endpoint"; payloads are stored for 30 days.
        """
        endpoint, key, since = order.model.endpoint, order.attempt_id, since - LOOK_BACK
        reading = self._readings.setdefault(endpoint, _Reading(since))
        reading.since = min(reading.since, since)
        reading.bodies[key] = order.model.body(order.inputs)
        # A crash leaves many outcomes unknown at once: who asks while the listing is being read
        # shares the next reading with all others that ask meanwhile.
        async with self._reads.setdefault(endpoint, asyncio.Lock()):
            if not reading.is_done:
                if self._readings.get(endpoint) is reading:
                    del self._readings[endpoint]
                await self._read(endpoint, reading)
        found, others = reading.found.get(key, ()), reading.others.get(key, ())
        return Findings(tuple(found), reading.unread, frozenset(others))

    async def compare(self, order: Order, found: Found) -> Found:
        """The listing has the inputs: there is no more to be known."""
        return found

    async def _read(self, endpoint: str, reading: _Reading) -> None:
        params = (
            ("endpoint_id", endpoint),
            ("start", reading.since.astimezone(UTC).isoformat()),
            ("expand", "payloads"),
            ("limit", "100"),
        )

        async def ask(cursor: str | None) -> Page | Closed | Again:
            page = params + ((("cursor", cursor),) if cursor else ())
            answer = await self._get(f"{self.block.platform_url}/models/requests/by-endpoint", page)
            return read_page(answer, wire.items_of, wire.cursor_of)

        reading.found, reading.others = {}, {}  # who read before may have been called off
        listing = Listing(ask, "request_id")
        async for rows in listing.pages():
            for key, body in reading.bodies.items():
                found, others = wire.matches(rows, body)
                reading.found.setdefault(key, []).extend(found)
                reading.others.setdefault(key, set()).update(others)
        reading.unread, reading.is_done = listing.unread, True

    async def price(self, model: Model, inputs: Inputs, max_usd: Decimal | None = None) -> Quote:
        """By the price book, where the account does not contradict it; else the account's.

        The account is asked once for each model: all shots of a run have one price.
        """
        if model.endpoint not in self._prices:
            self._prices[model.endpoint] = asyncio.create_task(self.list_price(model))
        answer = await self._prices[model.endpoint]
        live = not is_sandboxed(self.service)
        today = timing.now().date()
        return quote_of(self.price_book, model, inputs, answer, today, live=live, max_usd=max_usd)

    async def list_price(self, model: Model) -> ListPrice | None:
        """Source: platform API, "Model pricing" (`GET /models/pricing`)."""
        params = (("endpoint_id", model.endpoint),)
        answer = await self._get(f"{self.block.platform_url}/models/pricing", params)
        return billing.read_list_price(answer, model.endpoint)

    async def balance(self) -> Decimal | None:
        """USD that are left. Needs an admin key; without one there is no answer (None)."""
        url = f"{self.block.platform_url}/account/billing"
        return billing.read_balance(await self._get(url, (("expand", "credits"),)))

    async def billed(self, ticket: Ticket) -> Bill | None:
        """Needs an admin key; without one there is no answer (None)."""
        since = (timing.now() - timedelta(days=89)).isoformat()
        params = (("request_id", ticket.request_id), ("start", since))
        answer = await self._get(f"{self.block.platform_url}/models/billing-events", params)
        return billing.read_bill(answer, ticket.request_id)

    async def billing(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> BillingPage | NoFeed | Again:
        params = (
            ("start", since.astimezone(UTC).isoformat()),
            ("end", until.astimezone(UTC).isoformat()),
            ("limit", str(BILLING_PAGE_SIZE)),
            *((("cursor", cursor),) if cursor else ()),
        )
        url = f"{self.block.platform_url}/models/billing-events"
        return billing.read_billing(await self._get(url, params))

    async def upload(self, path: Path, content_type: str) -> str | Again:
        block = self.block
        place = Upload(
            self.client,
            block.rest_url,
            block.media_url,
            self._auth,
            self._secret,
            path,
            content_type,
        )
        return await place.run()

    async def _result(
        self, model: Model, ticket: Ticket, status: wire.StatusDone
    ) -> Polled | wire.Doubted:
        url = self._url(model, ticket, "response_url")
        return wire.classify_result(await self._get(url), status, url, model.output)

    async def _history(self, model: Model, ticket: Ticket) -> Polled | wire.EndedWell:
        params = (
            ("endpoint_id", model.endpoint),
            ("request_id", ticket.request_id),
            ("expand", "payloads"),
        )
        answer = await self._get(f"{self.block.platform_url}/models/requests/by-endpoint", params)
        base_url = self.block.queue_url
        return wire.classify_history(answer, ticket.request_id, base_url, model.output)

    def _url(self, model: Model, ticket: Ticket, name: str) -> str:
        return wire.request_url(self.block.queue_url, model.endpoint, ticket, name)

    async def _get(self, url: str, params: tuple[tuple[str, str], ...] = ()) -> Any:
        call = Call("GET", url, headers=self._auth, params=params)
        answer = await send(self.client, call, self._secret)
        self.clock.note(answer)
        return answer
