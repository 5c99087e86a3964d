"""Many worlds, one after another and beside each other."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from tests.simulation.books import DAY_S
from tests.simulation.mutants import without
from tests.simulation.world import Report, play

MOST_SEEDS = 200


@dataclass(frozen=True)
class Result:
    """What the worlds from `seed` on have come to together, in so many seconds."""

    seed: int
    reports: Sequence[Report]
    seconds: float

    @property
    def held(self) -> bool:
        return all(report.held for report in self.reports)

    @property
    def broken(self) -> list[str]:
        """What broke, with its world's seed."""
        return [f"seed {each.seed}: {what}" for each in self.reports for what in each.broken]

    def told(self) -> dict[str, Any]:
        def total(name: str) -> Any:
            return sum(getattr(report, name) for report in self.reports)

        return {
            "seed": self.seed,
            "worlds": len(self.reports),
            "requests": total("requests"),
            "kills": total("kills"),
            "virtual_days": round(total("virtual_s") / DAY_S, 1),
            "seconds": round(self.seconds, 1),
            "doubled": total("doubled"),
            "lost": total("lost"),
            "difference_usd": f"{Decimal(total('difference_nano')) / 10**9:f}",
            "unsettled": total("unsettled"),
        }

    def sentence(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.told().items())


def play_some(requests: int, seed: int, seconds: float, step: int) -> list[Report]:
    """Worlds of seeds `seed`, `seed + step`, ... until there were so many requests."""
    reports: list[Report] = []
    ends = time.monotonic() + seconds
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    while sum(each.requests for each in reports) < requests and time.monotonic() < ends:
        reports.append(play(seed))
        seed += step
    return reports


def play_all(requests: int, seed: int, seconds: float, parts: int) -> Result:
    """The same, on `parts` processes. Each takes every so-manieth seed."""
    began = time.monotonic()
    parts = 1 if requests == 1 else parts
    shares = [(-(-requests // parts), seed + part, seconds, parts) for part in range(parts)]
    if parts == 1:
        played = [play_some(*shares[0])]
    else:
        with multiprocessing.get_context("fork").Pool(parts) as pool:
            played = pool.starmap(play_some, shares, chunksize=1)
    return Result(seed, list(chain.from_iterable(played)), time.monotonic() - began)


def found_by(mutant: str, seed: int = 1, worlds: int = MOST_SEEDS) -> Report | None:
    """The first world that fails without the protection; None where none of so many does."""
    with without(mutant):
        for number in range(seed, seed + worlds):
            report = play(number, to_the_end=False)
            if not report.held:
                return report
    return None
