"""Ask the accounts what their models cost today, beside what the price book says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from blocks import timing
from blocks.ledger import Ledger
from blocks.ledger.price_history import note_price, price_rules
from blocks.money import in_nano
from blocks.providers.base import ListPrice
from blocks.providers.catalogue import counted_models
from blocks.providers.model import Model
from blocks.providers.prices import COUNTED_UNITS, CURRENCY, PriceRule, shipped
from blocks.providers.services import service_name
from flows.run.opening import has_account, open_run

SOLD_BY = ("fal", "wavespeed")

Verdict = Literal["same", "changed", "new", "other unit", "other currency", "no answer", "no key"]
"""new: the book has no price of it · other unit: the account counts what a unit function does not,
so that its price neither confirms the book's nor contradicts it"""


@dataclass(frozen=True)
class Price:
    """A model's price by the book (with the accounts' earlier answers) and by the account."""

    model: str
    rule: PriceRule | None
    answer: ListPrice | None
    verdict: Verdict
    expired: str
    history: tuple[PriceRule, ...]

    @property
    def difference_usd(self) -> Decimal | None:
        """What a unit has become dearer (or cheaper), where both prices are of the same unit."""
        if self.verdict not in ("same", "changed") or not self.rule or not self.answer:
            return None
        return in_nano(self.answer.unit_price) - self.rule.unit_price_usd


def verdict_of(rule: PriceRule | None, answer: ListPrice | None) -> Verdict:
    if answer is None:
        return "no answer"
    if answer.currency != CURRENCY:
        return "other currency"
    if answer.unit not in COUNTED_UNITS | {"run"}:
        return "other unit"
    if rule is None:
        return "new"
    return "same" if in_nano(answer.unit_price) == in_nano(rule.unit_price_usd) else "changed"


async def refresh_prices(*, live: bool) -> list[Price]:
    """Every price that an account can name. What it names is kept in the ledger."""
    keyless = {name for name in SOLD_BY if live and not await has_account(name)}
    services = {name: service_name(name, live=live) for name in SOLD_BY}
    opened = {service for name, service in services.items() if name not in keyless}
    models = counted_models()
    found = []
    async with open_run(opened, run_id="prices", spends=False) as run:
        for model in models:
            service = services[model.provider]
            provider = run.providers.get(service)
            answer = await provider.list_price(model) if provider else None
            account = provider.account if provider else ""
            price = await run.ledger.book(take, run.ledger, service, account, model, answer)
            found.append(price)
    return found


def take(
    ledger: Ledger, service: str, account: str, model: Model, answer: ListPrice | None
) -> Price:
    """Hold an account's answer against what is known, then keep it where it is usable."""
    today = timing.now().date()
    before = history_of(price_rules(ledger, service, account), model)
    rule = shipped().with_rules(before).rule(model.name, today)
    verdict: Verdict = verdict_of(rule, answer) if account else "no key"
    if answer is not None and verdict in ("same", "changed", "new"):
        note_price(
            ledger, service, account, model.name, answer, f"the account's answer ({service})"
        )
    history = history_of(price_rules(ledger, service, account), model)
    newest = shipped().with_rules(history).rule(model.name, today)
    return Price(model.name, rule, answer, verdict, expired(newest, today), tuple(history))


def history_of(rules: Iterable[PriceRule], model: Model) -> list[PriceRule]:
    return [rule for rule in rules if rule.model == model.name]


def expired(rule: PriceRule | None, today: date) -> str:
    return rule.expired(today) if rule else ""
