"""The price book: what a billing unit of a model costs, said by whom and when.

Rules come with shotreel (in its models' cards, from their pages) and from the accounts
(`shotreel prices`, kept in the ledger). Usage is the fact and money is derived from it, so a price
that is not known, or no longer, is an error and never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import cache

from blocks.errors import PriceError
from blocks.providers.base import ListPrice, Quote
from blocks.providers.cards import catalogue as cards
from blocks.providers.model import Inputs, Model

CURRENCY = "USD"
NANO = Decimal("0.000000001")
PAGE = "https://"
"""How the source of a price begins that a model's page names; what is read elsewhere is no rule."""

MAX_AGE = timedelta(days=90)
"""A rule that nobody has confirmed for so long is expired. fal's billing can be asked for the last
90 days: an older price is held against no bill any more."""

COUNTED_UNITS = frozenset({"unit", "units", "second", "seconds"})
"""What the models' unit functions count (a second of video more is one unit of MAGI's)."""


@dataclass(frozen=True)
class PriceRule:
    """`source` is where the price stands: a page, or the account that named it."""

    model: str
    unit: str
    unit_price_usd: Decimal
    source: str
    as_of: date
    valid_until: date | None = None

    def expired(self, today: date) -> str:
        """Why it no longer holds; empty while it does."""
        if self.valid_until is not None and today > self.valid_until:
            return f"it held until {self.valid_until}"
        if today - self.as_of > MAX_AGE:
            return f"it is of {self.as_of}, more than {MAX_AGE.days} days ago"
        return ""


@dataclass(frozen=True)
class PriceBook:
    """Rules by model: the newest that has begun is the one in force."""

    rules: tuple[PriceRule, ...] = ()

    def rule(self, model: str, today: date) -> PriceRule | None:
        begun = [rule for rule in self.rules if rule.model == model and rule.as_of <= today]
        return max(begun, key=lambda rule: rule.as_of, default=None)  # the first of equals

    def with_rules(self, newer: Iterable[PriceRule]) -> PriceBook:
        """These come before the book's own of the same day, later ones before earlier ones."""
        return PriceBook((*reversed(tuple(newer)), *self.rules))


def quote_of(
    book: PriceBook,
    model: Model,
    inputs: Inputs,
    answer: ListPrice | None,
    today: date,
    *,
    live: bool,
    max_usd: Decimal | None = None,
) -> Quote:
    """What the inputs cost by the book and by what the account has answered (None: nothing).

    Where no formula counts the model's units, `max_usd` is set aside whole.

    Raises PriceError where neither names a price, where the account contradicts the book, names
    another currency, or, live, where nobody has confirmed the price for too long.
    """
    if model.units is None:
        return ceiling(model, answer, max_usd, today)
    units = model.units(inputs)
    rule = book.rule(model.name, today)
    if answer is not None:
        require_usd(answer, model.name)
        if answer.unit in COUNTED_UNITS:
            if rule is not None and rule.unit_price_usd != answer.unit_price:
                raise contradicted(rule, answer)
            return Quote(units, answer.unit_price, today, "account")
    if rule is None:
        counted = f" but by the {answer.unit!r}, which it cannot count" if answer else ""
        raise PriceError(
            f"The account does not say what {model.name} costs{counted}, and the price book does "
            "not know it.",
            remedy="Nothing is bought at an unknown price. Check the key and try again.",
        )
    why = rule.expired(today) if live else ""
    if why:
        raise PriceError(
            f"The price of {model.name}, ${rule.unit_price_usd} a {rule.unit}, has expired: {why}.",
            remedy="Nothing was bought. Run `shotreel prices --live`: it asks the account.",
        )
    return Quote(units, rule.unit_price_usd, rule.as_of, "price_rule")


def ceiling(model: Model, answer: ListPrice | None, max_usd: Decimal | None, today: date) -> Quote:
    """The most that a clip may cost, as units of the account's price: these are what is counted.

    What the account calls a unit is a label: 5 seconds have been billed as 5, 8 and 10 "seconds".
    """
    if answer is None:
        raise PriceError(
            f"The account does not say what a unit of {model.name} costs.",
            remedy="Nothing is bought at an unknown price. Check the key and try again.",
        )
    require_usd(answer, model.name)
    if max_usd is None:
        raise PriceError(
            f"Nobody can say beforehand what a clip of {model.name} costs: the account names "
            f"${answer.unit_price} for {answer.unit or 'a unit'}, and how many of them a clip has "
            "comes with it.",
            remedy="Nothing was bought. Name the most that one clip may cost: a column max_usd in "
            "the list, max_usd in the film's file, or --max-usd. It is set aside whole, and one "
            "clip goes first: what it counts is the price of the next ones.",
        )
    if not answer.unit_price:
        return Quote(Decimal(1), max_usd, today, "ceiling")
    units = (max_usd / answer.unit_price).quantize(NANO, rounding=ROUND_DOWN)
    return Quote(units, answer.unit_price, today, "ceiling")


def require_usd(answer: ListPrice, model: str) -> None:
    """Raises PriceError: amounts of two currencies would add up to nothing."""
    if answer.currency != CURRENCY:
        raise PriceError(
            f"The account's price of {model} is in {answer.currency}; this ledger is in "
            f"{CURRENCY}.",
            remedy=f"Nothing was bought. Use an account that is billed in {CURRENCY}.",
        )


def contradicted(rule: PriceRule, answer: ListPrice) -> PriceError:
    return PriceError(
        f"The account says that a unit of {rule.model} costs ${answer.unit_price}; the price book "
        f"says ${rule.unit_price_usd} ({rule.source}, {rule.as_of}).",
        remedy="Nothing was bought. Run `shotreel prices` (with --live for the real accounts) to "
        "take the new price, then look at the plan again.",
    )


@cache
def shipped() -> PriceBook:
    """The book that comes with shotreel: what the pages of its cards' models name."""
    named = ((card.name, card.price) for card in cards.shipped().values())
    return PriceBook(
        tuple(
            PriceRule(
                name, price.unit, price.unit_price, price.source, date.fromisoformat(price.as_of)
            )
            for name, price in named
            if price.unit_price is not None and price.source.startswith(PAGE)
        )
    )
