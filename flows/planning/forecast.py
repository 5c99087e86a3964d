"""Before a run: the plan broken down, what changed, its price elsewhere, the time it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from blocks import timing
from blocks.errors import PriceError
from blocks.ledger import Ledger
from blocks.providers.catalogue import counted_models
from blocks.providers.model import Model
from blocks.providers.prices import shipped
from blocks.providers.services import service_name
from flows.planning.changes import Changes, changes_since
from flows.planning.comparison import Offer, compare
from flows.planning.duration import Limits, Wait, history, waits_of
from flows.planning.plan import Line, Plan, Providers
from flows.planning.prices import SOLD_BY
from flows.planning.sharing import Shared, shared_clips
from flows.run.opening import has_account
from flows.shots import FilmId
from flows.shots.job import service_of


@dataclass(frozen=True)
class Share:
    """What a part of the plan comes to."""

    key: str
    clips: int
    to_buy: int
    units: Decimal
    cost_usd: Decimal
    units_of: Mapping[str, Decimal]
    """By provider: those of two are no sum."""


@dataclass(frozen=True)
class Outlook:
    plan: Plan
    sequences: tuple[Share, ...]
    models: tuple[Share, ...]
    changes: Changes
    offers: tuple[Offer, ...]
    waits: tuple[Wait, ...]
    shared: tuple[Shared, ...] = ()

    @property
    def wait_s(self) -> float:
        """Until the last clip: accounts work beside each other."""
        return max((wait.wait_s for wait in self.waits), default=0.0)


async def sold_services(*, live: bool) -> set[str]:
    """Accounts whose prices can be asked for comparison."""
    names = [name for name in SOLD_BY if not live or await has_account(name)]
    return {service_name(name, live=live) for name in names}


async def look_ahead(
    ledger: Ledger, providers: Providers, plan: Plan, film: FilmId, *, live: bool
) -> Outlook:
    models = counted_models()
    prices = await unit_prices(providers, models, live=live)
    manifest = Path("out") / film.name / "manifest.json"
    changes = await ledger.book(changes_since, ledger, plan.lines, film, manifest, live=live)
    wanted = {(x.job.service, x.job.shot.model) for x in plan.lines if x.need == "buy"}
    past_s = await ledger.book(history, ledger, sorted(wanted))
    limits = {
        service: Limits(provider.max_in_flight, provider.max_per_minute)
        for service, provider in providers.items()
    }
    jobs = (line.job for line in plan.lines if line.need not in ("shared", "own"))
    return Outlook(
        plan,
        tuple(shares(plan, lambda line: line.job.shot.sequence)),
        tuple(shares(plan, lambda line: line.job.shot.model)),
        changes,
        tuple(compare(jobs, models, prices)),
        tuple(waits_of(plan.lines, limits, past_s)),
        tuple(await ledger.book(shared_clips, ledger, plan.lines, film)),
    )


def shares(plan: Plan, key: Callable[[Line], str]) -> list[Share]:
    groups: dict[str, list[Line]] = {}
    for line in plan.lines:
        groups.setdefault(key(line), []).append(line)
    return [
        Share(
            name,
            len(lines),
            sum(line.need == "buy" for line in lines),
            sum((line.units for line in lines), Decimal(0)),
            sum((line.cost_usd for line in lines), Decimal(0)),
            Plan(tuple(lines)).units_of,
        )
        for name, lines in groups.items()
    ]


async def unit_prices(
    providers: Providers, models: list[Model], *, live: bool
) -> Mapping[str, Decimal]:
    """What a unit costs by the account; by the price book where the account is not open."""

    async def one(model: Model) -> Decimal | None:
        provider = providers.get(service_of(model, live=live))
        if provider is None:
            rule = shipped().rule(model.name, timing.now().date())
            return rule.unit_price_usd if rule else None
        try:
            return (
                await provider.price(model, {"prompt": "price", **model.defaults})
            ).unit_price_usd
        except PriceError:
            return None

    found = await asyncio.gather(*map(one, models))
    return {m.name: price for m, price in zip(models, found, strict=True) if price is not None}
