"""The plan: what each clip would cost, and which are already paid for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from blocks.errors import BudgetError
from blocks.ledger import Attempt, Intent
from blocks.model import SEEDS, Inputs
from blocks.provider import Quote
from flows.costs.money import usd
from flows.generate.job import Job
from flows.generate.workshop import Workshop

Need = Literal["buy", "shared", "bought", "stored", "held"]
"""buy: a new request · shared: another shot of the list buys the same clip · bought: paid or in
flight, to be brought home · stored: here · held: ended in a way that a person has to look at"""

NOT_PRICED = frozenset({"prompt", "seed", "image"})


@dataclass(frozen=True)
class Line:
    job: Job
    quote: Quote
    need: Need

    @property
    def cost_usd(self) -> Decimal:
        """What this line would add to the bill."""
        return self.quote.cost_usd if self.need == "buy" else Decimal(0)

    @property
    def units(self) -> Decimal:
        return self.quote.units if self.need == "buy" else Decimal(0)


@dataclass(frozen=True)
class Plan:
    lines: tuple[Line, ...]

    @property
    def units(self) -> Decimal:
        return sum((line.units for line in self.lines), Decimal(0))

    @property
    def cost_usd(self) -> Decimal:
        return sum((line.cost_usd for line in self.lines), Decimal(0))

    def count(self, need: Need) -> int:
        return sum(line.need == need for line in self.lines)


async def make_plan(shop: Workshop, jobs: Sequence[Job]) -> Plan:
    """Price every job, and look up what the ledger and the store already have."""
    quotes = await price_jobs(shop, jobs)
    held = await shop.book(shop.ledger.holders, list({job.fingerprint for job in jobs}))
    lines: list[Line] = []
    seen: set[str] = set()
    for job, quote in zip(jobs, quotes, strict=True):
        shared = job.fingerprint in seen
        seen.add(job.fingerprint)
        lines.append(Line(job, quote, need_of(held.get(job.fingerprint), shared=shared)))
    return Plan(tuple(lines))


def need_of(attempt: Attempt | None, *, shared: bool) -> Need:
    if attempt is None or attempt.state in ("reserved", "released"):
        return "shared" if shared else "buy"
    if attempt.state == "stored":
        return "stored"
    return "held" if attempt.state in ("failed", "lost") else "bought"


async def price_jobs(shop: Workshop, jobs: Sequence[Job]) -> list[Quote]:
    """One question a price: jobs that differ only in words, seed or picture cost the same."""
    known: dict[tuple[str, tuple[tuple[str, object], ...]], Quote] = {}
    quotes: list[Quote] = []
    for job in jobs:
        priced = tuple(sorted((k, v) for k, v in job.inputs.items() if k not in NOT_PRICED))
        key = (job.shot.model, priced)
        if key not in known:
            known[key] = await shop.providers[job.service].price(job.model, final_inputs(job))
        quotes.append(known[key])
    return quotes


def final_inputs(job: Job, seed: int | None = None) -> Inputs:
    seed = job.seed if seed is None else seed
    return {**job.inputs} if seed is None else {**job.inputs, "seed": seed}


def intents_of(shop: Workshop, plan: Plan, draw: Draw) -> dict[str, Intent]:
    """What to write into the ledger for each clip, by fingerprint. Open seeds are drawn here."""
    intents: dict[str, Intent] = {}
    for line in plan.lines:
        job = line.job
        if job.fingerprint in intents:
            continue
        provider = shop.providers[job.service]
        seed = job.seed if job.seed is not None else draw()
        intents[job.fingerprint] = Intent(
            fingerprint=job.fingerprint,
            service=job.service,
            account=provider.account,
            model=job.shot.model,
            sequence=job.shot.sequence,
            shot=job.shot.shot,
            take=job.take,
            inputs=final_inputs(job, seed),
            seed=seed,
            quote=line.quote,
            monthly_budget_usd=provider.monthly_budget_usd,
        )
    return intents


def check_budget(plan: Plan, budget_usd: Decimal | None) -> None:
    """Raises BudgetError where the plan costs more than the budget."""
    if budget_usd is not None and plan.cost_usd > budget_usd:
        raise BudgetError(
            f"The plan costs {usd(plan.cost_usd)} ({plan.count('buy')} clips); the budget is "
            f"{usd(budget_usd)}.",
            remedy="Nothing was bought. Raise the budget, or shorten the list.",
        )


class Draw:
    """Draws the seeds that a list leaves open: none twice in a run."""

    def __init__(self) -> None:
        self._drawn: set[int] = set()

    def __call__(self) -> int:
        while True:
            seed = SEEDS.low + secrets.randbelow(SEEDS.high - SEEDS.low + 1)
            if seed not in self._drawn:
                self._drawn.add(seed)
                return seed
