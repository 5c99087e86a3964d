"""What a list would cost on each model that can take it, as pure rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from blocks.providers.model import Model, Value, Whole
from flows.shots.job import Job

MAX_REFUSALS = 20
"""Rows that are named for each model; all are counted."""


@dataclass(frozen=True)
class Refusal:
    """A row of the list that a model cannot take, and why."""

    row: int
    name: str
    why: str


@dataclass(frozen=True)
class Offer:
    """What a model asks for the clips that it can make. `cost_usd` is None at an unknown price."""

    model: str
    clips: int
    units: Decimal
    cost_usd: Decimal | None
    refused: int
    refusals: tuple[Refusal, ...]


@dataclass
class Likes:
    """Jobs that ask for the same but for words and seed; `seeds` are the smallest and largest."""

    jobs: list[Job] = field(default_factory=list)
    seeds: tuple[int, int] | None = None

    def add(self, job: Job) -> None:
        self.jobs.append(job)
        if job.seed is not None:
            low, high = self.seeds or (job.seed, job.seed)
            self.seeds = (min(low, job.seed), max(high, job.seed))

    def beyond(self, model: Model) -> list[Job]:
        """Those whose seed the model does not take."""
        if self.seeds is None or all(takes_seed(model, seed) for seed in self.seeds):
            return []
        return [job for job in self.jobs if not takes_seed(model, job.seed)]


Asked = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]
"""The settings that a row has chosen itself, and the files that it starts from."""


def asked_of(job: Job) -> Asked:
    """What a row asks for beyond its own model's defaults: another model has others."""
    model = job.model
    chosen = (
        (model.column_of(name), said(value))
        for name, value in sorted(job.inputs.items())
        if name != model.input_of("prompt") and value != model.defaults.get(name)
    )
    files = (model.column_of(place.partition("/")[0]) for place in job.shot.files)
    return tuple(chosen), tuple(dict.fromkeys(files))


def said(value: Value) -> str:
    """A value as a list would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def compare(
    jobs: Iterable[Job], models: Iterable[Model], unit_prices_usd: Mapping[str, Decimal]
) -> list[Offer]:
    """An offer of every model for the whole list, the cheapest that takes all of it first."""
    groups: dict[Asked, Likes] = {}
    for job in jobs:
        groups.setdefault(asked_of(job), Likes()).add(job)
    offers = [offer_of(model, groups, unit_prices_usd.get(model.name)) for model in models]
    dear = Decimal("Infinity")
    return sorted(offers, key=lambda o: (o.refused, dear if o.cost_usd is None else o.cost_usd))


def offer_of(model: Model, groups: Mapping[Asked, Likes], unit_price_usd: Decimal | None) -> Offer:
    clips = refused = 0
    units = Decimal(0)
    refusals: list[Refusal] = []
    for (chosen, files), likes in groups.items():
        why = refusal(model, dict(chosen), files)
        bad = likes.jobs if why else likes.beyond(model)
        refused += len(bad)
        for job in bad[: MAX_REFUSALS - len(refusals)]:
            words = (
                why
                or f"seed {job.seed} is not {model.inputs[model.input_of('seed') or ''].allowed}"
            )
            refusals.append(Refusal(job.shot.row, job.name, words))
        if why:
            continue
        taken = len(likes.jobs) - len(bad)
        clips += taken
        inputs = {**model.defaults, **read_for(model, dict(chosen))}
        units += taken * (model.units(inputs) if model.units else Decimal(1))
    cost_usd = None if unit_price_usd is None else units * unit_price_usd
    return Offer(model.name, clips, units, cost_usd, refused, tuple(refusals))


def read_for(model: Model, chosen: Mapping[str, str]) -> dict[str, Value]:
    """What a row asks for, as the model takes it. Raises ValueError, KeyError."""
    names = {column: model.input_of(column) or column for column in chosen}
    return {names[column]: model.inputs[names[column]].read(raw) for column, raw in chosen.items()}


def refusal(model: Model, chosen: Mapping[str, str], files: tuple[str, ...]) -> str:
    """Why the model cannot take it; empty where it can."""
    for column, value in chosen.items():
        name = model.input_of(column)
        if name is None:
            return f"it does not take {column}"
        try:
            model.inputs[name].read(value)
        except ValueError:
            return f"{column} {value} is not {model.inputs[name].allowed}"
    for column in files:
        if model.input_of(column) is None:
            return f"it does not take {column}"
    needed = (model.column_of(name) for name in model.required)
    missing = [column for column in needed if column != "prompt" and column not in files]
    return f"it needs {missing[0]}" if missing else ""


def takes_seed(model: Model, seed: int | None) -> bool:
    seeds = model.inputs.get(model.input_of("seed") or "")
    return seed is None or not isinstance(seeds, Whole) or seeds.low <= seed <= seeds.high
