"""What the page says, as values. Pure; amounts are whole billionths of a USD, as in the ledger.

Times are milliseconds: `begun_ms` since 1970, all others since the `begun_ms` of their run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from blocks.ledger import Attempt, Change, Charge
from flows.costs.variance import Why
from flows.report.page.phases import Kind

Ms = int
NanoUsd = int
Billed = Why | Literal["no clip"]


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
class SeamFacts:
    """How a shot begins after `before` in the film: what `Seam` says of the clips as delivered.

    `matched_frames` is over how many frames a correction lets go; 0: nothing was corrected.
    """

    before: str
    kind: str
    luma_step: float
    colour_step: float
    frozen: int
    has_step: bool
    is_frozen: bool
    matched_frames: int


@dataclass(frozen=True)
class StillFacts:
    """A picture that a clip may begin with; `path`, relative, and `sha256` are "" where it is not
    here. `approval` is what the choices file says where it is approved."""

    number: int
    path: str
    sha256: str
    approval: str


@dataclass(frozen=True)
class ShotFacts:
    """One clip of the list. `origin`: this run, an earlier run, shared with another shot, or "".

    `bill` says what the bill knows of it, "" where it says what was estimated. `path` is a relative
    URL. `film` is (first frame, frames) where it is seen in the film, `seam` how it begins there
    after another shot; `after` names the shot that it goes on from. `still` is the number of the
    one that is chosen of its `stills`, 0 where it has none; `still_nano_usd` the price of another.
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
    bill: Billed
    sha256: str | None
    num_frames: int | None
    duration_s: float | None
    path: str | None
    film: tuple[int, int] | None
    seam: SeamFacts | None
    after: str | None
    attempts: tuple[AttemptFacts, ...]
    stills: tuple[StillFacts, ...] = ()
    still: int = 0
    still_nano_usd: NanoUsd = 0


@dataclass(frozen=True)
class FilmFacts:
    """`rate` is frames per second as a fraction; `spans` are (name, first frame, frames).

    `cues` are what is said: (from, up to, words), in milliseconds.
    """

    path: str
    num_frames: int
    duration_s: float
    rate: tuple[int, int]
    width: int
    height: int
    copied: int
    rendered: int
    spans: tuple[tuple[str, int, int], ...]
    cues: tuple[tuple[Ms, Ms, str], ...] = ()
    untouched: str = ""


@dataclass(frozen=True)
class Group:
    """A line of a breakdown of the bill."""

    key: str
    clips: int
    quoted_nano_usd: NanoUsd
    cost_nano_usd: NanoUsd


@dataclass(frozen=True)
class Money:
    """The statement of the film's accounts, and what of it was paid in this run.

    `cost` is what the film has cost in all its runs. `differences` are (name, estimate, cost, why);
    of what is not in the film, `beside` are (reason, cost) and `not_in_film` (name, cost, why).
    `not_billed` is what of the cost is an estimate still, `awaited` the estimate of what was
    ordered and has no cost yet.
    """

    cost_nano_usd: NanoUsd
    quoted_nano_usd: NanoUsd
    in_this_run_nano_usd: NanoUsd
    saved_nano_usd: NanoUsd
    not_billed_nano_usd: NanoUsd
    awaited_nano_usd: NanoUsd
    by_sequence: tuple[Group, ...]
    by_model: tuple[Group, ...]
    differences: tuple[tuple[str, NanoUsd, NanoUsd, str], ...]
    beside: tuple[tuple[str, NanoUsd], ...]
    not_in_film: tuple[tuple[str, NanoUsd, str], ...]


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
    choices: Mapping[str, Mapping[str, str | int]]
    """What the choices file says, by the shot's name: an exported one says it too."""
