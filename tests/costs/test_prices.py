"""What a clip costs is known, dated and in one currency, or nothing is bought."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import PriceError
from blocks.ledger import Ledger
from blocks.providers.base import ListPrice, Quote
from blocks.providers.catalogue import MODELS
from blocks.providers.prices import MAX_AGE, PriceBook, PriceRule, quote_of, shipped
from flows.planning.prices import Price, refresh_prices, verdict_of
from tests.generate.studio import Studio, write
from tests.ledger.books import rows

NAME = "fal-ai/magi-distilled"
UNPRICED = "fal-ai/magi"
TODAY = date(2026, 11, 21)


def rule(usd: str = "0.08", as_of: date = TODAY, until: date | None = None) -> PriceRule:
    return PriceRule(NAME, "unit", Decimal(usd), "a page", as_of, until)


def answer(price: str = "0.08", unit: str = "unit", currency: str = "USD") -> ListPrice:
    return ListPrice(unit, Decimal(price), currency)


def quoted(
    *rules: PriceRule, said: ListPrice | None = None, name: str = NAME, live: bool = True
) -> Quote:
    model = MODELS[name]
    return quote_of(PriceBook(rules), model, {**model.defaults}, said, TODAY, live=live)


def refused(*rules: PriceRule, said: ListPrice | None = None, name: str = NAME) -> PriceError:
    with pytest.raises(PriceError) as caught:
        quoted(*rules, said=said, name=name)
    assert caught.value.remedy
    assert caught.value.paid == "no"
    return caught.value


# --- the book ---------------------------------------------------------------------------------


def test_every_shipped_rule_names_model_unit_price_source_and_day() -> None:
    assert shipped().rules
    for each in shipped().rules:
        assert each.model in MODELS
        assert each.unit_price_usd > 0
        assert each.source.startswith("https://")
        assert each.as_of <= TODAY


def test_newest_rule_that_has_begun_is_in_force() -> None:
    next_month = rule("0.10", TODAY + timedelta(days=30))
    book = PriceBook((rule("0.07", TODAY - timedelta(days=50)), rule(), next_month))
    assert book.rule(NAME, TODAY) == rule()
    assert book.rule(NAME, next_month.as_of) == next_month
    assert book.rule(UNPRICED, TODAY) is None


def test_what_an_account_has_named_later_comes_first() -> None:
    book = PriceBook((rule(),)).with_rules([rule("0.09"), rule("0.10")])
    found = book.rule(NAME, TODAY)
    assert found is not None
    assert found.unit_price_usd == Decimal("0.10")


# --- quotes -----------------------------------------------------------------------------------


def test_price_that_the_account_confirms_is_of_today() -> None:
    old = rule(as_of=TODAY - timedelta(days=10))
    assert quoted(old, said=answer()) == Quote(Decimal(4), Decimal("0.08"), TODAY, "account")
    assert quoted(old) == Quote(Decimal(4), Decimal("0.08"), old.as_of, "price_rule")


def test_unknown_price_is_never_zero() -> None:
    assert UNPRICED in refused(rule(), name=UNPRICED).message
    assert quoted(said=answer("0.2"), name=UNPRICED).unit_price_usd == Decimal("0.2")


@pytest.mark.parametrize(
    "old",
    [rule(as_of=TODAY - MAX_AGE - timedelta(days=1)), rule(until=TODAY - timedelta(days=1))],
    ids=["too old", "past its end"],
)
def test_expired_price_buys_nothing_live_until_the_account_confirms_it(old: PriceRule) -> None:
    assert "expired" in refused(old).message
    assert quoted(old, live=False).unit_price_usd == Decimal("0.08")
    assert quoted(old, said=answer()).as_of == TODAY


def test_price_holds_until_its_last_day() -> None:
    quoted(rule(as_of=TODAY - MAX_AGE))
    quoted(rule(until=TODAY))


def test_price_that_the_account_contradicts_buys_nothing() -> None:
    error = refused(rule(), said=answer("0.10"))
    assert "0.10" in error.message
    assert "0.08" in error.message
    assert "shotreel prices" in error.remedy
    assert quoted(rule(), rule("0.10"), said=answer("0.08")).unit_price_usd == Decimal("0.08")


def test_price_in_another_currency_is_named_and_never_counted() -> None:
    assert "EUR" in refused(rule(), said=answer(currency="EUR")).message
    assert "EUR" in refused(said=answer(currency="EUR"), name=UNPRICED).message


def test_price_of_another_unit_neither_confirms_nor_contradicts() -> None:
    assert quoted(rule(), said=answer("0.32", "video")).source == "price_rule"
    assert "'video'" in refused(said=answer("0.32", "video"), name=UNPRICED).message


prices = st.decimals("0.000001", 1000, places=6)


@given(book_usd=prices, account_usd=prices)
def test_what_is_bought_is_bought_at_the_accounts_own_price(
    book_usd: Decimal, account_usd: Decimal
) -> None:
    said = answer(str(account_usd))
    if book_usd == account_usd:
        assert quoted(rule(str(book_usd)), said=said).unit_price_usd == account_usd
    else:
        refused(rule(str(book_usd)), said=said)


@pytest.mark.parametrize(
    ("known", "said", "verdict"),
    [
        (rule(), answer(), "same"),
        (rule(), answer("0.0800"), "same"),
        (rule(), answer("0.09"), "changed"),
        (None, answer(), "new"),
        (rule(), answer(unit="video"), "other unit"),
        (rule(), answer(currency="CNY"), "other currency"),
        (rule(), None, "no answer"),
    ],
)
def test_verdict_says_what_differs(
    known: PriceRule | None, said: ListPrice | None, verdict: str
) -> None:
    assert verdict_of(known, said) == verdict


# --- the accounts, over sockets -----------------------------------------------------------------


def asked() -> dict[str, Price]:
    return {price.model: price for price in asyncio.run(refresh_prices(live=False))}


def kept(tmp_path: Path) -> list[tuple[object, ...]]:
    ledger = Ledger(f"sqlite:///{tmp_path}/home/ledger.sqlite")
    try:
        return rows(ledger, "SELECT model, unit_price_nano_usd FROM prices ORDER BY id")
    finally:
        ledger.close()


def test_every_account_is_asked_and_its_answer_is_kept(studio: Studio, tmp_path: Path) -> None:
    found = asked()
    assert found[NAME].verdict == "same"
    assert found[UNPRICED].verdict == "new"
    assert found["wavespeed-ai/magi-1-24b"].answer == ListPrice("run", Decimal("0.24"), "USD")
    assert found["wavespeed-ai/magi-1-24b@v2"].answer == ListPrice("unit", Decimal("0.24"), "USD")
    once = kept(tmp_path)
    assert len(once) == len(found) == 8
    assert asked()[UNPRICED].verdict == "same"
    assert kept(tmp_path) == once, "the same answer on the same day is no news"


def test_price_that_changed_is_refused_until_it_is_taken_and_the_old_one_is_kept(
    studio: Studio, tmp_path: Path
) -> None:
    shots = write(tmp_path / "list.csv", "prompt", "Sea")
    asked()
    studio.misbehave(at="pricing", do="price", unit_price_usd=0.1, match={"model": NAME}, times=0)
    with pytest.raises(PriceError, match=r"0\.1"):
        studio.make(shots)
    assert studio.told("posts")["total"] == 0
    changed = asked()[NAME]
    assert (changed.verdict, changed.difference_usd) == ("changed", Decimal("0.02"))
    assert studio.plan(shots).cost_usd == Decimal("0.40")
    mine = [nano for model, nano in kept(tmp_path) if model == NAME]
    assert mine == [80_000_000, 100_000_000]


@pytest.mark.parametrize("model", [NAME, "wavespeed-ai/magi-1-24b"])
def test_account_in_another_currency_sells_nothing(
    studio: Studio, tmp_path: Path, model: str
) -> None:
    studio.misbehave(at="pricing", do="price", currency="EUR", match={"model": model}, times=0)
    shots = write(tmp_path / "list.csv", "prompt,model", f"Sea,{model}")
    with pytest.raises(PriceError, match="EUR"):
        studio.make(shots)
    assert studio.told("posts")["total"] == 0
    found = asked()
    assert found[model].verdict == "other currency"
    assert model not in {name for name, _ in kept(tmp_path)}


def test_silent_account_leaves_the_books_price(studio: Studio, tmp_path: Path) -> None:
    studio.misbehave(at="pricing", do="drop", times=0)
    assert asked()[NAME].verdict == "no answer"
    assert kept(tmp_path) == []
    shots = write(tmp_path / "list.csv", "prompt", "Sea")
    assert studio.plan(shots).cost_usd == Decimal("0.32")
