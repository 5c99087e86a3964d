"""A job's life as a pure function of its stored times and `now`.

Nothing here waits or remembers: a service that is killed and started again, or two processes
that serve one folder, give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

NEVER = math.inf
DEFAULT_REFUND_AFTER_S = 2.0
"""WaveSpeed refunds a failed task "within 3 hours"; nobody wants to wait that long here."""

Service = Literal["fal", "wavespeed", "comfyui"]
Phase = Literal["queued", "running", "ended"]
Inputs = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted request. Times are unix seconds; `starts_at` is NEVER if it cannot start."""

    seq: int
    request_id: str
    service: Service
    api: str
    endpoint: str
    inputs: Inputs
    values: Inputs
    """The inputs with the model's defaults filled in, its seed drawn."""
    image: str | None
    """SHA-256 of the stored input image."""
    accepted_at: float
    starts_at: float
    ends_at: float
    refund_at: float
    status_code: int
    """HTTP status of the result once the job has ended."""
    error: str | None
    error_type: str | None
    units: Decimal
    unit_price_usd: Decimal
    units_header: str | None
    charged: bool
    deleted: bool = False

    @property
    def seed(self) -> int:
        return int(self.values["seed"])

    @property
    def prompt(self) -> str:
        return str(self.values.get("prompt", ""))

    @property
    def cost_usd(self) -> Decimal:
        return self.units * self.unit_price_usd

    @property
    def succeeds(self) -> bool:
        return self.status_code == 200


@dataclass(frozen=True, slots=True)
class Charge:
    """One movement of money. A refund has a negative cost; WaveSpeed's also negative units."""

    job: Job
    kind: Literal["charge", "deduct", "refund"]
    units: Decimal
    cost_usd: Decimal
    at: float


def phase(job: Job, now: float) -> Phase:
    if now >= job.ends_at:
        return "ended"
    return "running" if now >= job.starts_at else "queued"


def start_time(now: float, ends: Sequence[float], concurrency: int) -> float:
    """When a job accepted `now` starts; `ends` are the end times of the jobs not yet ended.

    With first come, first served, the slots' last end times are always the `concurrency` largest.
    """
    if concurrency <= 0 or len(ends) < concurrency:
        return now
    return max(now, sorted(ends, reverse=True)[concurrency - 1])


def charges(job: Job, now: float) -> Iterator[Charge]:
    """Every charge that `job` has caused by `now`.

    fal bills successful outputs when they are done (fal docs, Pricing); WaveSpeed deducts at
    submission and refunds failed tasks later (WaveSpeed docs, Refund policy). A job that ended well
    is given back where `refund_at` says so. ComfyUI is a machine of one's own.
    """
    given_back = job.refund_at <= now and (job.succeeds or job.service == "wavespeed")
    cost = job.cost_usd
    if job.service == "comfyui":
        return
    if job.service == "fal":
        if job.charged and job.ends_at <= now:
            yield Charge(job, "charge", job.units, cost, job.ends_at)
            if given_back:
                yield Charge(job, "refund", Decimal(0), -cost, job.refund_at)
        return
    yield Charge(job, "deduct", job.units, cost, job.accepted_at)
    if given_back and (job.succeeds or not job.charged):
        yield Charge(job, "refund", -job.units, -cost, job.refund_at)
