"""A WaveSpeedAI account, and the provider that speaks for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast, get_args
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, SecretStr

from blocks import settings, timing
from blocks.errors import InputError, PriceError
from blocks.fields import EmptyField, MonthlyBudget, service_url
from blocks.providers.base import (
    Again,
    Bill,
    BillingPage,
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
)
from blocks.providers.cards.card import Card
from blocks.providers.cards.check import require_current
from blocks.providers.clock import CLOCK_SKEW, ServiceClock
from blocks.providers.http import UPLOAD_TIMEOUT_S, Answer, Call, Reply, origin, send
from blocks.providers.listing import Closed, Listing, Page, read_page
from blocks.providers.model import Inputs, Model
from blocks.providers.prices import require_usd
from blocks.providers.services import is_sandboxed
from blocks.providers.wavespeed import wire
from blocks.providers.wavespeed.catalogue import Catalogue

REFUND_S = 3 * 3600.0
"""WaveSpeed docs, Refund policy: failed tasks are refunded within three hours."""

LISTED_FOR = timedelta(days=7)
PAGE_SIZE = 100


Tier = Literal["Bronze", "Silver", "Gold", "Ultra"]


@dataclass(frozen=True)
class Limits:
    """What a tier allows (WaveSpeed docs, Account levels)."""

    in_flight: int
    per_minute: int


LIMITS: dict[Tier, Limits] = {
    "Bronze": Limits(2, 2),
    "Silver": Limits(300, 500),
    "Gold": Limits(3_000, 3_000),
    "Ultra": Limits(10_000, 5_000),
}


class WaveSpeedAccount(BaseModel):
    """A WaveSpeedAI account: its key, its URL, its tier's limits."""

    key: SecretStr = Field(title="Key", description="From wavespeed.ai/accesskey.")
    tier: Tier = Field(
        default_factory=lambda: cast(Tier, settings.choice("WAVESPEED_TIER", get_args(Tier))),
        title="Tier",
        description="Sets how many requests may be in flight, and how many may start in a minute.",
    )
    max_in_flight: Annotated[int | None, EmptyField("integer", 1, 10_000)] = Field(
        default=None,
        ge=1,
        le=10_000,
        title="Requests in flight",
        description="Fewer than the tier allows (Bronze 2, Silver 300, Gold 3000, Ultra 10000).",
    )
    monthly_budget_usd: MonthlyBudget = None
    url: str = service_url("WAVESPEED_URL", "URL")

    key_env: ClassVar[str] = "WAVESPEED_API_KEY"
    limits: ClassVar[set[str]] = {"max_in_flight", "monthly_budget_usd", "tier"}
    """Fields that a run against the sandbox keeps."""

    @classmethod
    def from_environment(cls, **overrides: Any) -> WaveSpeedAccount:
        """Raises InputError where no key is set."""
        key = overrides.pop("key", None) or os.environ.get("WAVESPEED_API_KEY", "").strip()
        if not key:
            raise InputError(
                "WAVESPEED_API_KEY is not set, and no WaveSpeedAI account is saved in Prefect.",
                remedy="Get one at wavespeed.ai/accesskey and run: export WAVESPEED_API_KEY=<key>",
            )
        return cls(key=SecretStr(key), **overrides)

    def provider(self, client: httpx.AsyncClient, service: str, name: str) -> WaveSpeed:
        return WaveSpeed(self, client, service, name)


class WaveSpeed:
    """WaveSpeed's API, spoken for one account. `service` names it in the ledger.

    Models of v2 are bought and looked at there; listing, prices and bills are v3's alone.
    """

    def __init__(
        self, block: WaveSpeedAccount, client: httpx.AsyncClient, service: str, account: str
    ) -> None:
        self.block = block
        self.account = account
        self.client = client
        self.service = service
        self.poll_s = (5.0, 10.0)
        limits = LIMITS[block.tier]
        self.max_in_flight = min(block.max_in_flight or limits.in_flight, limits.in_flight)
        self.max_per_minute: int | None = limits.per_minute
        self.monthly_budget_usd = block.monthly_budget_usd
        # Nothing bounds when a prediction may start, so silence proves nothing by itself.
        self.quiet_s = settings.seconds("SHOTREEL_QUIET_S", None)
        self.gone_s = float(settings.start_timeout_s())
        self.kept = LISTED_FOR
        self.refund_s = REFUND_S
        self.clock = ServiceClock()
        self.trusted_hosts = frozenset({origin(block.url)[1:]})
        self.uploads_kept = timedelta(days=6)  # WaveSpeed deletes uploads after seven days
        self.quotes_bodies = True
        self._inputs: dict[str, dict[str, Any]] = {}
        self._secret = block.key.get_secret_value()
        self._auth = {"Authorization": f"Bearer {self._secret}"}
        source = f"{block.url}/api/v3/models"
        self.catalogue = Catalogue(lambda path: self._send("GET", path), source)

    async def preflight(self, models: Sequence[Model]) -> None:
        """Hold the cards against the catalogue, where money is. Raises InputError."""
        held = [
            model.endpoint for model in models if isinstance(model, Card) and model.schema_sha256
        ]
        if held and not is_sandboxed(self.service):
            require_current(models, await self.catalogue.cards(list(dict.fromkeys(held))))

    async def submit(self, order: Order) -> Submitted:
        call = wire.submit_call(self.block.url, order, self._auth)
        return wire.classify_submit(await send(self.client, call, self._secret))

    async def poll(self, model: Model, ticket: Ticket) -> Polled:
        path = f"predictions/{quote(ticket.request_id, safe='')}/result"
        answer = await self._send("GET", path, api=model.api)
        outcome = wire.classify_result(answer, f"{self.block.url}/")
        if isinstance(outcome, Gone):
            return await self._history(model, ticket, outcome)
        return outcome

    async def cancel(self, model: Model, ticket: Ticket) -> None:
        """WaveSpeed has no call that stops a prediction."""

    async def find(self, order: Order, since: datetime) -> Findings:
        """Predictions of the model since then (WaveSpeed docs, List predictions; seven days)."""
        return await self._list(order.model, since - CLOCK_SKEW)

    async def compare(self, order: Order, found: Found) -> Found | None:
        request_id = found.ticket.request_id
        if request_id not in self._inputs:  # they never change
            path = f"predictions/{quote(request_id, safe='')}/result"
            answer = await self._send("GET", path, api=order.model.api)
            stored = wire.inputs_of(answer)
            if stored is None:
                return found
            self._inputs[request_id] = stored
        return wire.compared(self._inputs[request_id], found, order.model.body(order.inputs))

    async def price(self, model: Model, inputs: Inputs, max_usd: Decimal | None = None) -> Quote:
        """What the account asks for these very inputs: no rule of thumb comes before that."""
        price = await self._price_of_run(model, inputs)
        if price is None:
            raise PriceError(
                f"WaveSpeed does not say what {model.name} costs.",
                remedy="Nothing is bought at an unknown price. Check the key and try again.",
            )
        require_usd(price, model.name)
        units = model.units(inputs) if model.units else Decimal(1)
        return Quote(units, price.unit_price / units, timing.now().date(), "account")

    async def list_price(self, model: Model) -> ListPrice | None:
        """A unit's share of what a run with the model's defaults costs."""
        inputs: Inputs = {"prompt": "price", **model.defaults}
        price = await self._price_of_run(model, inputs)
        if price is None or model.units is None:
            return price
        return replace(price, unit=model.unit, unit_price=price.unit_price / model.units(inputs))

    async def _price_of_run(self, model: Model, inputs: Inputs) -> ListPrice | None:
        body = {"model_id": model.endpoint, "inputs": model.body(inputs)}
        for path in ("model/price", "model/pricing"):
            price = wire.read_price(await self._send("POST", path, body))
            if price is not None:
                return price
        return None

    async def balance(self) -> Decimal | None:
        """USD that are left; None where the account does not say."""
        return wire.read_balance(await self._send("GET", "balance"))

    async def billed(self, ticket: Ticket) -> Bill | None:
        body = {"page": 1, "page_size": PAGE_SIZE, "prediction_uuids": [ticket.request_id]}
        answer = await self._send("POST", "billings/search", body)
        return wire.read_bill(answer, ticket.request_id)

    async def billing(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> BillingPage | NoFeed | Again:
        """Oldest first, so that rows that come in meanwhile move no other onto another page."""
        page = int(cursor or 1)
        body = {
            "page": page,
            "page_size": PAGE_SIZE,
            "sort": "created_at ASC",
            "start_time": str(int(since.timestamp() * 1000)),
            "end_time": str(int(until.timestamp() * 1000)),
        }
        answer = await self._send("POST", "billings/search", body)
        return wire.read_billing(answer, page, PAGE_SIZE)

    async def upload(self, path: Path, content_type: str) -> str | Again:
        """Upload by a ticket and a PUT, as the official client does."""
        size = (await asyncio.to_thread(path.stat)).st_size
        body = {"filename": path.name, "size": size, "content_type": content_type}
        answer = await self._send("POST", "media/uploads", body)
        data = wire.data_of(answer) if isinstance(answer, Reply) and answer.ok else {}
        grant, url = data.get("upload"), data.get("download_url")
        if isinstance(grant, dict) and isinstance(url, str):
            headers = grant.get("headers")
            answer = await send(
                self.client,
                Call(
                    "PUT",
                    str(grant.get("url")),
                    headers={str(k): str(v) for k, v in (headers or {}).items()},
                    file=path,
                    timeout_s=UPLOAD_TIMEOUT_S,
                ),
            )
            if isinstance(answer, Reply) and answer.ok:
                return url
        if isinstance(answer, Reply):
            return Again(f"the upload was answered HTTP {answer.status}", answer.retry_after_s)
        return Again(answer.reason)

    async def _history(self, model: Model, ticket: Ticket, gone: Gone) -> Polled:
        """The listing still shows what the result route no longer knows.

        A clip that is paid for is called lost only where the whole listing was read.
        """
        listing = self._listing({"model": model.endpoint})
        async for rows in listing.pages():
            for row in rows:
                if row.get("id") == ticket.request_id:
                    return wire.classify_prediction(row, f"{self.block.url}/")
        if listing.closed and listing.closed.status in (401, 403, 404):
            return Gone(f"{gone.reason}; the listing says HTTP {listing.closed.status}")
        return Again(listing.unread) if listing.unread else gone

    async def _list(self, model: Model, since: datetime) -> Findings:
        after = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        listing = self._listing({"model": model.endpoint, "created_after": after})
        found: list[Found] = []
        async for rows in listing.pages():
            found += wire.candidates(rows, model.endpoint)
        old = self.clock.now() - since >= LISTED_FOR
        unread = listing.unread or ("predictions are listed for seven days" if old else "")
        return Findings(tuple(found), unread)

    def _listing(self, wanted: Mapping[str, str]) -> Listing:
        async def ask(cursor: str | None) -> Page | Closed | Again:
            number = int(cursor or 1)
            body = {"page": number, "page_size": PAGE_SIZE, **wanted}
            answer = await self._send("POST", "predictions", body)
            following = str(number + 1)
            return read_page(
                answer,
                wire.items_of,
                lambda _, rows: following if len(rows) >= PAGE_SIZE else None,
            )

        return Listing(ask, "id")

    async def _send(self, method: str, path: str, body: object = None, api: str = "v3") -> Answer:
        call = Call(method, f"{self.block.url}/api/{api}/{path}", headers=self._auth, json=body)
        answer = await send(self.client, call, self._secret)
        self.clock.note(answer)
        return answer
