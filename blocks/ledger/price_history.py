"""What the ledger keeps beside its attempts: prices as they were, payments into accounts.

Both are only ever added to: a price that changed and a payment noted wrongly are new rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import insert, select

from blocks import timing
from blocks.ledger.engine import writing
from blocks.ledger.ledger import Ledger
from blocks.ledger.tables import prices, top_ups
from blocks.money import in_nano
from blocks.providers.base import ListPrice
from blocks.providers.prices import PriceRule
from blocks.providers.services import is_sandboxed


@dataclass(frozen=True)
class TopUp:
    """Money paid into a prepaid account; negative where an earlier row was wrong."""

    at: datetime
    service: str
    account: str
    amount_usd: Decimal
    reason: str


def note_price(
    ledger: Ledger, service: str, account: str, model: str, price: ListPrice, source: str
) -> bool:
    """Keep what the account says a unit costs today; False where today's row says so already."""
    now = timing.now()
    values = {"service": service, "account": account, "model": model, "unit": price.unit}
    unit_price = in_nano(price.unit_price)
    with writing(ledger.engine) as connection:
        newest = connection.execute(
            select(prices.c.at, prices.c.unit, prices.c.unit_price_usd)
            .where(
                prices.c.service == service, prices.c.account == account, prices.c.model == model
            )
            .order_by(prices.c.id.desc())
            .limit(1)
        ).first()
        known = newest and (newest.at.date(), newest.unit, newest.unit_price_usd)
        if known == (now.date(), price.unit, unit_price):
            return False
        connection.execute(
            insert(prices).values(**values, at=now, unit_price_usd=unit_price, source=source)
        )
        return True


def price_rules(ledger: Ledger, service: str, account: str) -> list[PriceRule]:
    """What the account has named, oldest first."""
    query = (
        select(prices.c.model, prices.c.unit, prices.c.unit_price_usd, prices.c.source, prices.c.at)
        .where(prices.c.service == service, prices.c.account == account)
        .order_by(prices.c.id)
    )
    with ledger.engine.connect() as connection:
        return [
            PriceRule(model, unit, price_usd, source, as_of=at.date())
            for model, unit, price_usd, source, at in connection.execute(query)
        ]


def note_top_up(
    ledger: Ledger, service: str, account: str, amount_usd: Decimal, reason: str
) -> None:
    with writing(ledger.engine) as connection:
        connection.execute(
            insert(top_ups).values(
                at=timing.now(),
                service=service,
                account=account,
                amount_usd=amount_usd,
                reason=reason,
            )
        )


def paid_in(ledger: Ledger, *, live: bool) -> list[TopUp]:
    """Every payment, oldest first."""
    query = select(
        top_ups.c.at, top_ups.c.service, top_ups.c.account, top_ups.c.amount_usd, top_ups.c.reason
    ).order_by(top_ups.c.id)
    with ledger.engine.connect() as connection:
        rows = [TopUp(*row) for row in connection.execute(query)]
    return [row for row in rows if is_sandboxed(row.service) != live]
