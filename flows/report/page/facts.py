"""What the page says, as values. Pure; amounts are whole billionths of a USD, as in the ledger.

Times are milliseconds: `begun_ms` since 1970, all others since the `begun_ms` of their run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from blocks.ledger import Attempt, Change, Charge
from flows.report.page.phases import Kind

Ms = int
NanoUsd = int


@dataclass(frozen=True)
class Past:
    """One attempt with everything that the ledger knows about it."""

    attempt: Attempt
    changes: Sequence[Change]
    charges: Sequence[Charge]

    @property
    def cost_usd(self) -> Decimal:
        return sum((charge.cost_usd for charge in self.charges), Decimal(0))


@dataclass(frozen=True)
class AttemptFacts:
    """`run` is an index of `Report.runs`; `changes` are (time, state, cause)."""

    run: int
    model: str
    account: str
    state: str
    request_id: str | None
    cost_nano_usd: NanoUsd
    changes: tuple[tuple[Ms, str, str], ...]
    phases: tuple[tuple[Kind, Ms, Ms], ...]


@dataclass(frozen=True)
class ShotFacts:
    """One clip of the list. `origin`: this run, an earlier run, shared with another shot, or "".

    `path` is a relative URL. `film` is (first frame, frames) where it is seen in the film; `after`
    names the shot that it goes on from.
    """

    name: str
    sequence: str
    shot: str
    take: int
    takes: int
    prompt: str
    notes: str
    model: str
    inputs: tuple[tuple[str, str], ...]
    seed: int | None
    state: str
    error: str
    remedy: str
    request_id: str | None
    cost_nano_usd: NanoUsd
    quoted_nano_usd: NanoUsd
    cost_source: str
    origin: str
    sha256: str | None
    num_frames: int | None
    duration_s: float | None
    path: str | None
    film: tuple[int, int] | None
    after: str | None
    attempts: tuple[AttemptFacts, ...]


@dataclass(frozen=True)
class FilmFacts:
    """`rate` is frames per second as a fraction; `spans` are (name, first frame, frames)."""

    path: str
    num_frames: int
    duration_s: float
    rate: tuple[int, int]
    width: int
    height: int
    copied: int
    rendered: int
    spans: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Group:
    """A line of a breakdown of the bill."""

    key: str
    clips: int
    quoted_nano_usd: NanoUsd
    cost_nano_usd: NanoUsd


@dataclass(frozen=True)
class Money:
    """The statement of the list's accounts, and what of it was paid in this run.

    `cost` is the bill's total, `paid` that and what was paid in vain beside it. `differences` are
    (name, estimate, cost, why), `in_vain` (name, cost, why).
    """

    cost_nano_usd: NanoUsd
    quoted_nano_usd: NanoUsd
    paid_nano_usd: NanoUsd
    in_this_run_nano_usd: NanoUsd
    saved_nano_usd: NanoUsd
    in_vain_nano_usd: NanoUsd
    not_billed_nano_usd: NanoUsd
    by_sequence: tuple[Group, ...]
    by_model: tuple[Group, ...]
    differences: tuple[tuple[str, NanoUsd, NanoUsd, str], ...]
    in_vain: tuple[tuple[str, NanoUsd, str], ...]


@dataclass(frozen=True)
class RunFacts:
    """A run that has bought for the list. `took` is (kind, attempts, total, median, longest).

    `spend` is (time, paid in the run so far), a point a charge; `stitched` is (what, from, to).
    """

    begun_ms: Ms
    ended_ms: Ms
    is_this: bool
    attempts: int
    took: tuple[tuple[Kind, int, Ms, Ms, Ms], ...]
    spend: tuple[tuple[Ms, NanoUsd], ...]
    stitched: tuple[tuple[str, Ms, Ms], ...]


@dataclass(frozen=True)
class Report:
    title: str
    live: bool
    film: FilmFacts | None
    film_error: str
    money: Money
    runs: tuple[RunFacts, ...]
    shots: tuple[ShotFacts, ...]
