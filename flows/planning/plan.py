"""The plan: what each clip would cost, and which are already paid for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Literal, cast

from blocks import timing
from blocks.errors import BudgetError, PriceError
from blocks.ledger import Attempt, Intent, Ledger
from blocks.ledger.proof import dearest, price_key
from blocks.money import usd
from blocks.providers.base import PriceSource, Provider, Quote
from blocks.providers.footage import free
from blocks.providers.model import Inputs, Whole
from blocks.providers.services import provider_name
from flows.planning.bought import as_bought
from flows.planning.remembered import write_down_remembered
from flows.shots.job import Job, approval_of, stills_of

Need = Literal["buy", "shared", "bought", "stored", "held", "own", "waits", "out"]
"""buy: a new request · shared: another shot of the list buys the same clip · bought: paid or in
flight, to be downloaded · stored: here · held: ended in a way that a person has to look at · own:
footage of one's own · waits: for a person to approve its still · out:
marked so, and not bought"""


Providers = Mapping[str, Provider]
"""By the service's name in the ledger."""


@dataclass(frozen=True)
class Line:
    """One clip of the list: the job that is next for it, with its price.

    `or_else` are the prices of the job's alternatives, in their order.
    """

    job: Job
    quote: Quote
    need: Need
    or_else: tuple[Quote, ...] = ()

    @property
    def is_chosen(self) -> bool:
        """Whether this take is the one in the film."""
        return self.job.take == self.job.shot.take and not self.job.shot.is_out

    @property
    def cost_usd(self) -> Decimal:
        """What this line would add to the bill."""
        return self.quote.cost_usd if self.need == "buy" else Decimal(0)

    @property
    def most_usd(self) -> Decimal:
        """What it would add if the dearest alternative were bought."""
        quotes = (self.quote, *self.or_else)
        return max(q.cost_usd for q in quotes) if self.need == "buy" else Decimal(0)

    @property
    def units(self) -> Decimal:
        return self.quote.units if self.need == "buy" else Decimal(0)


@dataclass(frozen=True)
class Plan:
    """`adopted` counts the paid clips that the ledger did not know, as after a loss."""

    lines: tuple[Line, ...]
    stills: tuple[Line, ...] = ()
    """Pictures that clips begin with."""
    adopted: int = 0
    buys_no_clip: bool = False

    @property
    def every(self) -> tuple[Line, ...]:
        return (*self.stills, *self.lines)

    @property
    def jobs(self) -> dict[str, Job]:
        """All that may be bought, by fingerprint: where shots share a clip, the first one's."""
        lines = reversed(self.every)
        return {job.fingerprint: job for line in lines for job in line.job.alternatives}

    @property
    def waits_usd(self) -> Decimal:
        """What the clips would cost whose stills are not approved."""
        lines = (line for line in self.lines if line.need == "waits")
        return sum((line.quote.cost_usd for line in lines), Decimal(0))

    @property
    def units(self) -> Decimal:
        return sum((line.units for line in self.every), Decimal(0))

    @property
    def units_of(self) -> dict[str, Decimal]:
        """By provider: units of two providers are different things."""
        found: dict[str, Decimal] = {}
        for line in self.every:
            provider = provider_name(line.job.service)
            found[provider] = found.get(provider, Decimal(0)) + line.units
        return found

    @property
    def cost_usd(self) -> Decimal:
        return sum((line.cost_usd for line in self.every), Decimal(0))

    @property
    def most_usd(self) -> Decimal:
        """What a budget has to cover."""
        return sum((line.most_usd for line in self.every), Decimal(0))

    @property
    def to_buy(self) -> str:
        """In words: 3 clips, or 2 stills and 3 clips."""
        clips, stills = self.count("buy"), sum(line.need == "buy" for line in self.stills)
        return f"{stills} stills and {clips} clips" if stills else f"{clips} clips"

    def count(self, need: Need) -> int:
        return sum(line.need == need for line in self.lines)


async def make_plan(
    ledger: Ledger, providers: Providers, jobs: Sequence[Job], film: str = ""
) -> Plan:
    """Price every job, and look up what the ledger and the store already have.

    What Prefect remembers and the ledger does not is written down again, for the `film`.
    Of alternatives, one that is paid for or under way stands before those that are not.
    """
    jobs = await ledger.book(as_bought, ledger, jobs)
    stills = stills_of(jobs)
    every = [choice for job in (*stills, *jobs) for choice in job.alternatives]
    keys = list({job.fingerprint for job in every})
    held = await ledger.book(ledger.holders, keys)
    quotes = await price_jobs(ledger, providers, every, held)
    unknown = {job.fingerprint: job for job in every if job.fingerprint not in held}
    intents = [
        intent_of(providers.get(job.service), job, quotes[key], job.seed)
        for key, job in unknown.items()
    ]
    adopted = await write_down_remembered(ledger, intents, film)
    if adopted:
        held = await ledger.book(ledger.holders, keys)
    lines: list[Line] = []
    seen: set[str] = set()
    for first in (*stills, *jobs):
        job = next((j for j in first.alternatives if is_bought(held.get(j.fingerprint))), first)
        shared = job.fingerprint in seen
        seen.add(job.fingerprint)
        need: Need = "own"
        if not job.is_own:
            need = need_of(held.get(job.fingerprint), shared=shared)
            if need == "buy" and (job.shot.is_out or awaits_approval(job)):
                need = "out" if job.shot.is_out else "waits"
        quote, *others = (quotes[choice.fingerprint] for choice in job.alternatives)
        lines.append(Line(job, quote, need, tuple(others)))
    count = len(stills)
    return Plan(tuple(lines[count:]), tuple(lines[:count]), adopted)


def awaits_approval(job: Job) -> bool:
    """Whether a person has to look first at the picture that its clip begins with."""
    still = job.previous
    return still is not None and still.is_still and approval_of(still) != job.shot.approved


def stills_alone(plan: Plan) -> Plan:
    """The plan without buying a clip."""
    lines = (replace(x, need="waits") if x.need == "buy" else x for x in plan.lines)
    return replace(plan, lines=tuple(lines), buys_no_clip=True)


def is_bought(attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.state not in ("reserved", "released")


def need_of(attempt: Attempt | None, *, shared: bool) -> Need:
    if attempt is None or not is_bought(attempt):
        return "shared" if shared else "buy"
    if attempt.state == "stored":
        return "stored"
    return "held" if attempt.state in ("failed", "lost") else "bought"


async def price_jobs(
    ledger: Ledger, providers: Providers, jobs: Sequence[Job], held: Mapping[str, Attempt]
) -> dict[str, Quote]:
    """Prices by fingerprint. Jobs that differ only in words, seed or files cost the same.

    What is bought already needs no price of today.
    """
    known: dict[tuple[object, ...], Quote] = {}
    quotes: dict[str, Quote] = {}
    for job in jobs:
        key = (job.service, job.shot.model, price_key(job.inputs), ceiling_of(job))
        try:
            if key not in known:
                known[key] = await price_of(ledger, providers, job)
            quotes[job.fingerprint] = known[key]
        except PriceError:
            attempt = held.get(job.fingerprint)
            if attempt is None or not is_bought(attempt):
                raise
            quotes[job.fingerprint] = quote_then(attempt)
    return quotes


def quote_then(attempt: Attempt) -> Quote:
    """What was quoted for a request when it was sent."""
    as_of = date.fromisoformat(attempt.price_as_of)
    source = cast(PriceSource, attempt.price_source)
    return Quote(attempt.units_quoted, attempt.unit_price_usd, as_of, source)


def ceiling_of(job: Job) -> Decimal | None:
    """The most that the user allows for one clip: in the list, else in the model's card."""
    return job.shot.max_usd or job.model.max_usd


async def price_of(ledger: Ledger, providers: Providers, job: Job) -> Quote:
    """What the provider quotes, or what it has charged for such a job, where that was more.

    Raises PriceError where neither is known and the user names no ceiling, or a lower one.
    """
    if job.is_own:
        return free(timing.now().date())
    quote = await known_price(ledger, providers, job)
    ceiling_usd = ceiling_of(job)
    if ceiling_usd is not None and quote.cost_usd > ceiling_usd:
        raise PriceError(
            f"{job.name} costs {usd(quote.cost_usd)} with {job.shot.model}, more than its max_usd "
            f"of {usd(ceiling_usd)}.",
            remedy="Nothing was bought. Raise max_usd, or ask for less.",
        )
    return quote


async def known_price(ledger: Ledger, providers: Providers, job: Job) -> Quote:
    provider, inputs = providers[job.service], final_inputs(job)
    quote = await provider.price(job.model, inputs, ceiling_of(job))
    if quote.source == "no_price":
        return quote
    counts = await ledger.book(
        ledger.counted, job.service, provider.account, job.shot.model, inputs
    )
    counted = dearest(count.at(quote.unit_price_usd) for count in counts)
    if counted is None or not counted.units:
        return quote
    if counted.cost_usd <= quote.cost_usd and quote.source != "ceiling":
        return quote
    unit_price_usd = counted.cost_usd / counted.units
    return Quote(counted.units, unit_price_usd, quote.as_of, "counted")


def final_inputs(job: Job, seed: int | None = None) -> Inputs:
    seed = job.seed if seed is None else seed
    name = job.model.input_of("seed")
    return {**job.inputs} if seed is None or name is None else {**job.inputs, name: seed}


def intents_of(providers: Providers, plan: Plan, draw: Draw) -> dict[str, Intent]:
    """What to write into the ledger for each clip, by fingerprint. Open seeds are drawn here."""
    intents: dict[str, Intent] = {}
    choices = (
        zip(line.job.alternatives, (line.quote, *line.or_else), strict=True) for line in plan.every
    )
    for job, quote in chain.from_iterable(choices):
        if job.fingerprint in intents:
            continue
        seed = job.seed
        if seed is None and job.model.takes_seed:
            seed = draw(job.model.open_seeds())
        intents[job.fingerprint] = intent_of(providers.get(job.service), job, quote, seed)
    return intents


def intent_of(provider: Provider | None, job: Job, quote: Quote, seed: int | None) -> Intent:
    """`provider` is None for footage of one's own."""
    return Intent(
        fingerprint=job.fingerprint,
        service=job.service,
        account=provider.account if provider else "footage",
        model=job.shot.model,
        sequence=job.shot.sequence,
        shot=job.shot.shot,
        take=job.take,
        inputs=final_inputs(job, seed),
        seed=seed,
        quote=quote,
        schema_sha256=job.model.schema_sha256,
        monthly_budget_usd=provider.monthly_budget_usd if provider else None,
    )


def check_budget(plan: Plan, budget_usd: Decimal | None) -> None:
    """Raises BudgetError where the plan, at its dearest, costs more than the budget."""
    if budget_usd is not None and plan.most_usd > budget_usd:
        up_to = "up to " if plan.most_usd > plan.cost_usd else ""
        raise BudgetError(
            f"The plan costs {up_to}{usd(plan.most_usd)} ({plan.to_buy}); the budget "
            f"is {usd(budget_usd)}.",
            remedy="Nothing was bought. Raise the budget, or shorten the list.",
        )


class Draw:
    """Draws the seeds that a list leaves open: none twice in a run, while the range has room."""

    def __init__(self) -> None:
        self._drawn: set[int] = set()

    def __call__(self, seeds: Whole) -> int:
        count = seeds.high - seeds.low + 1
        while True:
            seed = seeds.low + secrets.randbelow(count)
            if seed not in self._drawn or 2 * len(self._drawn) > count:
                self._drawn.add(seed)
                return seed
