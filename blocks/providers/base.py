"""What every provider does, and the outcomes that its answers are turned into.

A provider is asked through six verbs: `submit`, `poll`, `find`, `price`, `billed`, `upload`.
Media are fetched by `blocks.providers.http.download`, without the account's key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol

from blocks.errors import Paid
from blocks.providers.clock import ServiceClock
from blocks.providers.http import Trusted
from blocks.providers.model import Inputs, Model

PriceSource = Literal["price_rule", "account", "counted", "ceiling", "no_price"]
"""counted: what the account was charged for requests like it. ceiling: nobody can promise the
price; it is the most that the user allows. no_price: the account is a machine of one's own. That is
not 0 for want of knowing."""


@dataclass(frozen=True)
class Quote:
    """What a request is expected to cost, before it is sent."""

    units: Decimal
    unit_price_usd: Decimal
    as_of: date
    source: PriceSource

    @property
    def cost_usd(self) -> Decimal:
        return self.units * self.unit_price_usd


@dataclass(frozen=True)
class ListPrice:
    """What an account says that one unit of a model costs. Nothing about it is trusted yet."""

    unit: str
    unit_price: Decimal
    currency: str


@dataclass(frozen=True)
class Ticket:
    """A request that the provider has accepted: its id and the URLs that it named."""

    request_id: str
    urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """One attempt as the provider needs to know it. `inputs` are final: pinned seed, real URLs."""

    attempt_id: str
    model: Model
    inputs: Inputs
    start_timeout_s: int
    last_look: Callable[[], Awaitable[bool]] | None = field(default=None, repr=False, compare=False)
    """Whether it is still to be sent, asked just before the first byte."""


# --- outcomes of a submit ---------------------------------------------------------------------


@dataclass(frozen=True)
class Accepted:
    ticket: Ticket


@dataclass(frozen=True)
class Again:
    """Nothing came of it that could cost money; the same call may be made again."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True)
class Refused:
    """A considered no to this request; no work was done, nothing is charged.

    `proven`: the answer itself shows that. Else it is a no in a form that such an answer may also
    have after the work, and listing and bill are asked.
    """

    reason: str
    proven: bool = True


@dataclass(frozen=True)
class Paused:
    """A no to the account: its key or its balance. Other accounts can go on."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Unknown:
    """The request may have been accepted. It is settled by `find`, never by sending it again."""

    reason: str


Submitted = Accepted | Again | Refused | Paused | Unknown


# --- outcomes of a poll -----------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """Queued (`queue_position` counts those ahead) or at work (None)."""

    queue_position: int | None = None


@dataclass(frozen=True)
class Ready:
    """Finished. `units` is the provider's own count where it names one."""

    media_url: str
    units: Decimal | None = None


@dataclass(frozen=True)
class Failed:
    """Ended without a clip. `transient`: the same inputs may succeed in a new attempt."""

    reason: str
    charged: Paid
    units: Decimal | None = None
    transient: bool = False


@dataclass(frozen=True)
class Empty:
    """Ended well, says the provider, and what it gives is no clip (yet). It may be charged."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The provider does not know the request (any more), or does not hand its result out.

    One such answer proves nothing: a replica that lags or a proxy gives it too.
    """

    reason: str


Polled = Waiting | Ready | Failed | Empty | Gone | Again


# --- settling and billing ---------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A request that may be the attempt's. `certain`: it was asked the same."""

    ticket: Ticket
    sent_at: datetime | None = None
    certain: bool = True


@dataclass(frozen=True)
class Findings:
    """Answer of `find`.

    `unread` says why the listing could not be read to its end: an accepted request may be missing
    from `candidates`. `others` are requests that were asked for something else.
    """

    candidates: tuple[Found, ...]
    unread: str = ""
    others: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        return not self.unread


@dataclass(frozen=True)
class Bill:
    """What the billing feed says of one request: the sum of its events so far.

    `units` is None where the feed speaks of money alone.
    """

    units: Decimal | None
    cost_usd: Decimal


@dataclass(frozen=True)
class BillingRow:
    """One movement of money in an account's billing feed; a refund is negative.

    `cost_usd` is None where the row cannot be read; `units` where it speaks of money alone.
    `row_id` tells rows apart that say the same.
    """

    request_id: str
    endpoint: str
    at: str
    units: Decimal | None
    cost_usd: Decimal | None
    row_id: str = ""


def sum_of(rows: Sequence[BillingRow]) -> Bill | None:
    """What rows of one request come to; None where there are none, or one cannot be read."""
    units: Decimal | None = Decimal(0)
    cost_usd = Decimal(0)
    for row in rows:
        if row.cost_usd is None:
            return None
        cost_usd += row.cost_usd
        units = None if units is None or row.units is None else units + row.units
    return Bill(units, max(cost_usd, Decimal(0))) if rows else None


@dataclass(frozen=True)
class BillingPage:
    """Some rows of the feed; `cursor` asks for the next page, None: there is none."""

    rows: tuple[BillingRow, ...]
    cursor: str | None


@dataclass(frozen=True)
class NoFeed:
    """The account's billing cannot be read."""

    reason: str
    remedy: str = ""


class Provider(Protocol):
    """One configured account. Every method is safe to call any number of times but `submit`.

    `service` names it in the ledger; `quiet_s` is the time after which an unknown outcome without
    a match is released (None: never by itself); `gone_s` the time in which a request that it does
    not know may still turn up; `kept` is how long it may still give a clip; `refund_s` the time
    after a failure in which the money for it may still come back; `poll_s` the shortest and the
    longest pause between two looks at a request; `trusted_hosts` may serve media from a private
    address; `uploads_kept` is how long an uploaded file can be named again.
    """

    service: str
    account: str
    max_in_flight: int
    max_per_minute: int | None
    monthly_budget_usd: Decimal | None
    quiet_s: float | None
    gone_s: float
    kept: timedelta
    refund_s: float
    poll_s: tuple[float, float]
    trusted_hosts: frozenset[Trusted]
    uploads_kept: timedelta
    clock: ServiceClock
    quotes_bodies: bool
    """Whether it quotes the very body of a request, files and all."""

    async def preflight(self, models: Sequence[Model]) -> None:
        """Whether the account can make these models at all; asked before anything is reserved.

        Raises InputError that names what is missing and how to get it.
        """
        ...

    async def submit(self, order: Order) -> Submitted: ...

    async def poll(self, model: Model, ticket: Ticket) -> Polled: ...

    async def cancel(self, model: Model, ticket: Ticket) -> None: ...

    async def find(self, order: Order, since: datetime) -> Findings:
        """Requests that may be the order's, of those since then by the service's own clock."""
        ...

    async def compare(self, order: Order, found: Found) -> Found | None:
        """The candidate, certain where it was asked the same; None where it is another's."""
        ...

    async def price(self, model: Model, inputs: Inputs, max_usd: Decimal | None = None) -> Quote:
        """Raises PriceError where the price is not known for certain, and no ceiling is named."""
        ...

    async def list_price(self, model: Model) -> ListPrice | None:
        """What the account says that one unit costs today; None where it does not answer."""
        ...

    async def billed(self, ticket: Ticket) -> Bill | None: ...

    async def billing(
        self, since: datetime, until: datetime, cursor: str | None
    ) -> BillingPage | NoFeed | Again:
        """A page of what the account was charged and given back in [since, until)."""
        ...

    async def upload(self, path: Path, content_type: str) -> str | Again: ...
