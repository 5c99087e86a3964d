"""What only WaveSpeed has: tiers, two API versions in one listing, money that comes back."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from blocks.providers.base import Failed
from blocks.providers.wavespeed.account import Tier, WaveSpeed, WaveSpeedAccount
from tests.providers.desk import CASES, KEY, Desk
from tests.providers.test_contract import only

pytestmark = pytest.mark.anyio

v2 = only(list(CASES[3:4]))


@v2
@pytest.mark.parametrize(
    ("tier", "in_flight", "per_minute"),
    [("Bronze", 2, 2), ("Silver", 300, 500), ("Gold", 3000, 3000), ("Ultra", 10_000, 5000)],
)
async def test_tier_sets_what_may_be_in_flight_and_start_in_a_minute(
    desk: Desk, tier: Tier, in_flight: int, per_minute: int
) -> None:
    account = WaveSpeedAccount(key=KEY, tier=tier).provider(desk.client, "wavespeed", "default")
    assert (account.max_in_flight, account.max_per_minute) == (in_flight, per_minute)


@v2
async def test_fewer_than_the_tier_allows_may_be_wanted_but_not_more(desk: Desk) -> None:
    for wanted, allowed in ((1, 1), (50, 2)):
        account = WaveSpeedAccount(key=KEY, tier="Bronze", max_in_flight=wanted)
        assert account.provider(desk.client, "w", "default").max_in_flight == allowed


@v2
async def test_both_versions_are_in_one_listing(desk: Desk) -> None:
    ticket = await desk.buy()
    assert ticket in await desk.found(desk.order())


@v2
async def test_refund_that_comes_later_is_in_the_bill(desk: Desk) -> None:
    await desk.misbehave(at="job", do="fail", status=500, refund_after_s=0.5)
    ticket = await desk.buy()
    assert isinstance(await desk.ended(ticket), Failed)
    before = await desk.provider.billed(ticket)
    assert before is not None
    assert before.cost_usd > 0
    await asyncio.sleep(0.6)
    after = await desk.provider.billed(ticket)
    assert after is not None
    assert after.cost_usd == 0


@v2
async def test_balance_goes_down_by_what_is_bought(desk: Desk) -> None:
    assert isinstance(desk.provider, WaveSpeed)
    before = await desk.provider.balance()
    order = desk.order()
    quote = await desk.provider.price(order.model, order.inputs)
    assert quote.units == Decimal("1.25")
    await desk.buy(order)
    after = await desk.provider.balance()
    assert before is not None
    assert after is not None
    assert before - after == quote.cost_usd
