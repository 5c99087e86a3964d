"""How long a plan takes at the accounts' limits, by what the ledger knows of each model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from blocks import settings
from blocks.ledger import Ledger
from blocks.providers.services import is_sandboxed
from flows.planning.plan import Line
from flows.shots.job import Job

TYPICAL_S = 120.0
"""Of a clip from a model that this ledger has no history of: a guess. No provider names a time."""

SANDBOX_S = 1.5
LATEST = 200
"""Clips of a model whose times are looked at: a provider's load changes."""


@dataclass(frozen=True)
class Limits:
    in_flight: int
    per_minute: int | None


@dataclass(frozen=True)
class Wait:
    """What an account's clips take. `typical_s` is one clip's, from order to end.

    `known` says whether all of it is from this ledger's history.
    """

    service: str
    clips: int
    limits: Limits
    typical_s: float
    known: bool
    wait_s: float


def waits_of(
    lines: Sequence[Line], limits: Mapping[str, Limits], history_s: Mapping[tuple[str, str], float]
) -> list[Wait]:
    """One for each account that something is bought from. `history_s` is by service and model.

    The time in a provider's queue is in its history: an account that works on fewer clips than it
    holds shows it by longer times.
    """
    found = []
    for service in sorted({line.job.service for line in lines if line.need == "buy"}):
        jobs = [x.job for x in lines if x.need == "buy" and x.job.service == service]
        clips = Counter(job.shot.model for job in jobs)
        typical = {m: history_s.get((service, m), default_s(service)) for m in clips}
        known = all((service, m) in history_s for m in clips)
        work_s = sum(count * typical[model] for model, count in clips.items())
        limit = limits[service]
        wait_s = max(
            work_s / min(len(jobs), limit.in_flight),
            (len(jobs) - 1) * 60 / limit.per_minute if limit.per_minute else 0.0,
            *chain_s(jobs, typical),
        )
        found.append(Wait(service, len(jobs), limit, work_s / len(jobs), known, wait_s))
    return found


def chain_s(jobs: Iterable[Job], typical: Mapping[str, float]) -> Iterable[float]:
    """How long each clip waits for those that it goes on from, and then for itself."""
    done: dict[str, float] = {}
    for job in jobs:  # list order: a predecessor comes before
        before = done.get(job.previous.fingerprint, 0.0) if job.previous else 0.0
        done[job.fingerprint] = before + typical[job.shot.model]
    return done.values()


def default_s(service: str) -> float:
    if is_sandboxed(service):
        return settings.seconds("SHOTREEL_SANDBOX_LATENCY_S", SANDBOX_S) or 0.0
    return TYPICAL_S


def history(ledger: Ledger, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """The median seconds from order to end of the latest clips of each (service, model)."""
    found = {}
    for service, model in wanted:
        if times_s := ledger.clip_times_s(service, model, LATEST):
            found[service, model] = max(0.0, median(times_s))
    return found
