"""What the services were asked, what they took, and when: their own books, which know no ledger.

Sources: `blocks/providers/README.md`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.simulation.chance import Chance

FAL_UNIT_NANO = 80_000_000
WAVESPEED_RUN_NANO = 320_000_000
DAY_S = 86_400.0

FIRST = {"fal": "fal-ai/magi-distilled", "wavespeed": "wavespeed-ai/magi-1-24b"}
SEEDLESS = {
    "fal": "fal-ai/luma-dream-machine/ray-2",
    "wavespeed": "kwaivgi/kling-v3.0-pro/text-to-video",
}
MARKED = "bytedance/seedance-2.0/reference-to-video"
"""Takes no seed, but a user's id, which goes where a seed does not."""
CEILINGS = {SEEDLESS["fal"], MARKED, "fal-ai/veo3.1"}
"""Nobody can say beforehand how many units a clip of these has."""

Answer = tuple[int, dict[str, str], bytes]
Reply = Callable[[Answer], None]


@dataclass
class Job:
    """One accepted request. Money is in whole billionths of a USD."""

    request_id: str
    service: str
    endpoint: str
    inputs: dict[str, Any]
    accepted_at: float
    ends_at: float
    listed_at: float
    name: str
    succeeds: bool = True
    charged_failure: bool = False
    units: int = 4
    cost_nano: int = 0
    is_direct: bool = False
    charges: list[tuple[float, int]] = field(default_factory=list)

    @property
    def prompt(self) -> str:
        return str(self.inputs.get("prompt", ""))

    @property
    def net_nano(self) -> int:
        return sum(amount for _, amount in self.charges)


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def answered(body: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(body).encode()


class Books:
    """`time` gives the services' own time; `on_charge` is told of every charge as it is made."""

    def __init__(
        self, chance: Chance, time: Callable[[], float], on_charge: Callable[[Job], None]
    ) -> None:
        self.chance, self.time, self.on_charge = chance, time, on_charge
        self.jobs: dict[str, Job] = {}
        self.by_prompt: defaultdict[str, list[Job]] = defaultdict(list)
        self._accepted: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        draw = chance.of("the services")
        self.fault_rate = draw.choice((0.0, 0.1, 0.4, 0.8))
        self.failure_rate = draw.choice((0.0, 0.05, 0.2))
        dear = draw.random() < 0.2 and chance.happens("twice the quote is charged")
        self.times_the_quote = 2 if dear else 1
        late = self.fault_rate and chance.happens("the billing feed is late")
        self.billing_lag_s = 90.0 if late else 0.0

    def troubled(self, matter: str, rate: float) -> bool:
        """Whether it is answered wrongly this time."""
        self._asked[matter] += 1
        name = f"{matter}, time {self._asked[matter]}"
        drawn = self.fault_rate and self.chance.of(name).random() < self.fault_rate * rate
        return bool(drawn) and self.chance.happens(name)

    def accept(self, service: str, endpoint: str, inputs: dict[str, Any]) -> Job:
        now = self.time()
        prompt = str(inputs.get("prompt", ""))
        self._accepted[prompt] += 1
        name = f"{prompt} #{self._accepted[prompt]}"
        draw = self.chance.of(name)
        request_id = f"{service}-{len(self.jobs):06d}-{draw.getrandbits(32):08x}"
        ends_at, listed_at = now + draw.expovariate(0.5), now + draw.uniform(0.0, 20.0)
        fails, charged = draw.random() < self.failure_rate, draw.random() < 0.3
        fails = fails and self.chance.happens(f"{name} fails")
        late = self.fault_rate and self.chance.happens(f"{name} is listed late")
        job = Job(
            request_id,
            service,
            endpoint,
            inputs,
            now,
            ends_at,
            listed_at if late else now,
            name=name,
            succeeds=not fails,
            charged_failure=fails and charged,
            units=4 * self.times_the_quote,
        )
        if endpoint in CEILINGS:
            job.units = draw.choice((3, 4, 6)) * self.times_the_quote
        unit = FAL_UNIT_NANO if service == "fal" else WAVESPEED_RUN_NANO // 4
        job.cost_nano = job.units * unit
        self.jobs[request_id] = job
        self.by_prompt[prompt].append(job)
        loop = asyncio.get_running_loop()
        if service == "wavespeed":  # deducted at the start, given back within hours
            self.charge(job)
            if fails and not charged:
                loop.call_later(draw.uniform(60, 9_000), self.refund, job)
        elif job.succeeds or job.charged_failure:
            loop.call_later(job.ends_at - now, self.charge, job)
        return job

    def charge(self, job: Job) -> None:
        job.charges.append((self.time(), job.cost_nano))
        self.on_charge(job)

    def refund(self, job: Job) -> None:
        job.charges.append((self.time(), -job.cost_nano))
