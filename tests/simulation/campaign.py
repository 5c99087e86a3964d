"""Many worlds, one after another and beside each other."""

from __future__ import annotations

import gc
import multiprocessing
import time
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from tests.simulation.mutants import without
from tests.simulation.services import DAY_S
from tests.simulation.world import Report, play

MOST_SEEDS = 200


@dataclass
class Result:
    """What worlds have come to together. `broken` names each one's seed."""

    seed: int
    worlds: int = 0
    requests: int = 0
    kills: int = 0
    virtual_days: float = 0.0
    seconds: float = 0.0
    doubled: int = 0
    lost: int = 0
    difference_usd: Decimal = Decimal(0)
    unsettled: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return not self.broken

    def add(self, report: Report) -> None:
        self.worlds += 1
        self.requests += report.requests
        self.kills += report.kills
        self.virtual_days += report.virtual_s / DAY_S
        self.doubled += report.doubled
        self.lost += report.lost
        self.difference_usd += Decimal(report.difference_nano) / 10**9
        self.unsettled += report.unsettled
        self.broken += [f"seed {report.seed}: {what}" for what in report.broken]

    def join(self, other: Result) -> None:
        for name in ("worlds", "requests", "kills", "virtual_days", "doubled", "lost", "unsettled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.difference_usd += other.difference_usd
        self.broken += other.broken

    def told(self) -> dict[str, Any]:
        values = {name: value for name, value in asdict(self).items() if name != "broken"}
        values["virtual_days"] = round(self.virtual_days, 1)
        return values | {"difference_usd": f"{self.difference_usd:f}"}

    def sentence(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.told().items())


def play_some(requests: int, seed: int, seconds: float, step: int) -> Result:
    """Worlds of seeds `seed`, `seed + step`, ... until there were so many requests."""
    result, ends = Result(seed), time.monotonic() + seconds
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    while result.requests < requests and time.monotonic() < ends:
        result.add(play(seed))
        seed += step
    return result


def play_all(requests: int, seed: int, seconds: float, parts: int) -> Result:
    """The same, on `parts` processes. Each takes every so-manieth seed."""
    parts = 1 if requests == 1 else parts
    if parts == 1:
        return play_some(requests, seed, seconds, 1)
    shares = [(-(-requests // parts), seed + part, seconds, parts) for part in range(parts)]
    result = Result(seed)
    with multiprocessing.get_context("fork").Pool(parts) as pool:
        for one in pool.starmap(play_some, shares, chunksize=1):
            result.join(one)
    return result


def found_by(mutant: str, seed: int = 1, worlds: int = MOST_SEEDS) -> Report | None:
    """The first world that fails without the protection; None where none of so many does."""
    with without(mutant):
        for number in range(seed, seed + worlds):
            report = play(number, to_the_end=False)
            if not report.held:
                return report
    return None
