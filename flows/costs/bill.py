"""The bill of one film: what its shots have cost, and what was paid for what is not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from blocks.errors import ShotreelError
from blocks.ledger import Attempt, Ledger
from blocks.ledger.film_runs import Charged, charged_in, runs_of
from blocks.ledger.spending import SUMMED, Which, amounts
from blocks.money import from_nano, nano, plain
from blocks.providers.catalogue import sent_model
from blocks.providers.services import SANDBOX, is_sandboxed, provider_name
from flows.costs.variance import Why, why
from flows.planning.plan import Line

if TYPE_CHECKING:
    import pandas as pd  # it takes half a second: only who counts with it waits for it

InFilm = Literal["yes", "other take", "out", "still", "superseded", "dropped", "no clip"]
"""other take: here, and not the one that is chosen · out: marked as out of it · still: the
picture that a clip begins with · superseded: the list has since asked for another clip in its place
· dropped: the list no longer has the shot · no clip: none is here of it, it
failed, was lost or has not come yet"""


@dataclass(frozen=True)
class Item:
    """One line of the bill. `source` says who counted: estimate, provider or billing_feed; shared:
    the clip was paid for by another shot, or by another film.

    `estimate_usd` is what it was quoted at, `why` the reason where it costs something else.
    `date` and `month` (UTC) are those of its charge and of its end, empty before. `own` are the
    list's own columns (x_...).
    """

    sequence: str
    shot: str
    take: int
    model: str
    state: str
    request_id: str
    run_id: str
    units: Decimal
    cost_usd: Decimal
    source: str
    film: str
    account: str
    month: str
    fingerprint: str
    estimate_usd: Decimal
    why: Why
    in_film: InFilm
    date: str
    seconds: Decimal | None
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.sequence}/{self.shot}.t{self.take}"

    @property
    def provider(self) -> str:
        """Whose units they are."""
        return self.account.split("/")[-2] if self.account else ""


def bill_of(ledger: Ledger, lines: Sequence[Line], film: str) -> list[Item]:
    """A line for every take of every shot, in list order, then one for every other request that the
    film was charged for: their sum is what the film has cost.

    A clip that shots or films share costs where it was bought, once.
    """
    live = not any(is_sandboxed(line.job.service) for line in lines)
    charged = {each.attempt.id: each for each in charged_in(ledger, film, live=live)}
    held = ledger.holders(list({line.job.fingerprint for line in lines}))
    own_runs = runs_of(ledger, film)
    items: list[Item] = []
    billed: set[str] = set()
    for line in lines:
        key = line.job.fingerprint
        attempt = held.get(key)
        mine = charged.pop(attempt.id, None) if attempt else None
        shared = key in billed or (attempt is not None and attempt.run_id not in own_runs)
        items.append(_of_line(line, attempt, mine, film, shared=shared))
        billed.add(key)
    kept = {(i.sequence, i.shot, i.take) for i in items}
    items += (_besides(each, film, kept) for each in charged.values())
    return items


def _of_line(
    line: Line, attempt: Attempt | None, charged: Charged | None, film: str, *, shared: bool
) -> Item:
    shot = line.job.shot
    stored = attempt is not None and attempt.state == "stored"
    cost = charged.cost if charged else None
    return Item(
        sequence=shot.sequence,
        shot=shot.shot,
        take=line.job.take,
        model=shot.model,
        state=attempt.state if attempt else "not bought",
        **_facts(attempt, charged, film),
        source="shared" if shared else cost.source if cost else "",
        fingerprint=line.job.fingerprint,
        estimate_usd=Decimal(0)
        if shared
        else attempt.cost_quoted_usd
        if attempt
        else line.quote.cost_usd,
        why="" if shared else why(attempt, cost),
        in_film=_place_of(line) if stored else "no clip",
        own=shot.own,
    )


def _place_of(line: Line) -> InFilm:
    if line.job.shot.is_out:
        return "out"
    return "yes" if line.is_chosen else "other take"


def _besides(charged: Charged, film: str, kept: set[tuple[str, str, int]]) -> Item:
    attempt = charged.attempt
    in_film: InFilm = "superseded"
    if (attempt.sequence, attempt.shot, attempt.take) not in kept:
        in_film = "dropped"
    if sent_model(attempt.model, provider_name(attempt.service)).makes == "image":
        in_film = "still"
    if attempt.state != "stored":
        in_film = "no clip"
    return Item(
        sequence=attempt.sequence,
        shot=attempt.shot,
        take=attempt.take,
        model=attempt.model,
        state=attempt.state,
        **_facts(attempt, charged, film),
        source=charged.cost.source,
        fingerprint=attempt.fingerprint,
        estimate_usd=attempt.cost_quoted_usd,
        why=why(attempt, charged.cost),
        in_film=in_film,
    )


def _facts(attempt: Attempt | None, charged: Charged | None, film: str) -> dict[str, Any]:
    """What both kinds of line have from the ledger."""
    ended_at = attempt.ended_at if attempt else None
    return {
        "film": film,
        "request_id": (attempt.request_id or "") if attempt else "",
        "run_id": attempt.run_id if attempt else "",
        "account": f"{attempt.service}/{attempt.account}" if attempt else "",
        "units": charged.cost.units if charged else Decimal(0),
        "cost_usd": charged.cost.cost_usd if charged else Decimal(0),
        "date": f"{charged.at.astimezone(UTC):%Y-%m-%d}" if charged else "",
        "month": f"{ended_at.astimezone(UTC):%Y-%m}" if ended_at else "",
        "seconds": seconds_of(attempt) if attempt else None,
    }


def seconds_of(attempt: Attempt) -> Decimal | None:
    """How long its clip is, at the rate that it was ordered with; None where there is none."""
    if not attempt.num_frames:
        return None
    try:
        rate = sent_model(attempt.model).clip_rate(attempt.inputs)
    except (KeyError, ValueError, ShotreelError):  # a model that is no longer there
        return None
    return Decimal(round(attempt.num_frames * 1000 / rate)) / 1000


# --- sums -------------------------------------------------------------------------------------

By = Literal["shot", "sequence", "model", "run", "take", "film", "account", "month"]

KEYS: Mapping[By, tuple[str, tuple[str, ...]]] = {
    "shot": ("{}/{}", ("sequence", "shot")),
    "take": ("{}/{}.t{}", ("sequence", "shot", "take")),
    "sequence": ("{}", ("sequence",)),
    "film": ("{}", ("film",)),
    "model": ("{}", ("model",)),
    "account": ("{}", ("account",)),
    "run": ("{}", ("run",)),
    "month": ("{}", ("month",)),
}
"""How a key is written, and the columns that make it."""


@dataclass(frozen=True)
class Total:
    """`attempts` counts requests, each once; `units_of` are the units by provider: those of two
    providers are no sum. `clips` and `estimate_usd` where a bill knows them."""

    key: str
    units: Decimal
    cost_usd: Decimal
    attempts: int
    units_of: Mapping[str, Decimal]
    clips: int = 0
    estimate_usd: Decimal = Decimal(0)


def totals_by(charges: pd.DataFrame, by: By) -> list[Total]:
    """Sums of equal keys, in the order in which they first appear.

    `charges` has the columns of `KEYS`, `attempt`, `provider`, and in whole billionths `units` and
    `cost_usd`; and of a bill `clips` and `estimate_usd`.
    """
    if charges.empty:
        return []
    words, columns = KEYS[by]
    summed = [n for n in ("units", "cost_usd", "clips", "estimate_usd") if n in charges]
    groups = charges.groupby(list(columns), sort=False, dropna=False)
    sums = groups[summed].sum()
    sums["attempts"] = groups["attempt"].nunique()
    units_of: dict[tuple[Any, ...], dict[str, Decimal]] = {}
    by_provider = charges.groupby([*columns, "provider"], sort=False)["units"].sum()
    for index, units in by_provider.items():
        *parts, provider = cast(tuple[Any, ...], index)
        units_of.setdefault(tuple(parts), {})[provider] = from_nano(int(units))
    totals = []
    for index, row in zip(sums.index, sums.to_dict("records"), strict=True):
        key = index if isinstance(index, tuple) else (index,)
        totals.append(
            Total(
                words.format(*key),
                from_nano(int(row["units"])),
                from_nano(int(row["cost_usd"])),
                int(row["attempts"]),
                units_of.get(key, {}),
                int(row.get("clips", 0)),
                from_nano(int(row.get("estimate_usd", 0))),
            )
        )
    return totals


def charges_frame(ledger: Ledger, which: Which) -> pd.DataFrame:
    """The ledger's charges as `totals_by` takes them, oldest first."""
    import pandas as pd

    found = pd.DataFrame.from_records(amounts(ledger, which), columns=list(SUMMED))
    found["provider"] = found["service"].str.removeprefix(SANDBOX)
    found["account"] = found["service"] + "/" + found["account"]
    return found


def frame_of(items: Sequence[Item]) -> pd.DataFrame:
    """The bill as `totals_by` takes it."""
    import pandas as pd

    return pd.DataFrame.from_records(
        [
            {
                "sequence": i.sequence,
                "shot": i.shot,
                "take": i.take,
                "film": i.film,
                "model": i.model,
                "account": i.account,
                "run": i.run_id,
                "month": i.month,
                "provider": i.provider,
                "attempt": number,
                "units": nano(i.units),
                "cost_usd": nano(i.cost_usd),
                "clips": int(i.in_film in ("yes", "other take")),
                "estimate_usd": 0 if i.why == "not bought" else nano(i.estimate_usd),
            }
            for number, i in enumerate(items)
        ]
    )


def total(items: Sequence[Item]) -> tuple[Decimal, Decimal]:
    """(units, USD)."""
    return (
        sum((item.units for item in items), Decimal(0)),
        sum((item.cost_usd for item in items), Decimal(0)),
    )


def units_of(items: Sequence[Item]) -> dict[str, Decimal]:
    """Units by provider."""
    found: dict[str, Decimal] = {}
    for item in items:
        if item.units:
            found[item.provider] = found.get(item.provider, Decimal(0)) + item.units
    return found


# --- costs.csv --------------------------------------------------------------------------------


def to_csv(items: Sequence[Item]) -> str:
    """The bill as a table: a row a line, no other."""
    import pandas as pd

    own = list(dict.fromkeys(name for item in items for name in item.own))
    rows = [
        {
            "sequence": safe_cell(i.sequence),
            "shot": safe_cell(i.shot),
            "take": i.take,
            "model": i.model,
            "state": i.state,
            "request_id": safe_cell(i.request_id),
            "units": plain(i.units),
            "cost_usd": plain(i.cost_usd),
            "cost_source": i.source,
            "account": i.account,
            "run": i.run_id,
            "estimate_usd": plain(i.estimate_usd),
            "why": i.why,
            "in_film": i.in_film,
            "date": i.date,
            "film": safe_cell(i.film),
            "seconds": "" if i.seconds is None else plain(i.seconds),
            **{name: safe_cell(i.own.get(name, "")) for name in own},
        }
        for i in items
    ]
    return pd.DataFrame.from_records(rows).to_csv(index=False, lineterminator="\n")


def safe_cell(text: str) -> str:
    """A spreadsheet must not run a name that begins like a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
