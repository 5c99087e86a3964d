"""From the ledger, the film and the accounts to what the page says. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from blocks.errors import AwaitsApprovalError, ShotreelError
from blocks.ledger import Attempt
from blocks.money import nano
from blocks.providers.model import Value
from blocks.providers.services import is_sandboxed
from flows.costs.bill import By, Item
from flows.costs.statement import Statement, reason_of
from flows.costs.variance import why
from flows.output.folder import LaidOut
from flows.planning.plan import Line
from flows.report.page.facts import (
    AttemptFacts,
    Billed,
    FilmFacts,
    Group,
    Money,
    Ms,
    NanoUsd,
    Past,
    Report,
    RunFacts,
    SeamFacts,
    ShotFacts,
    StillFacts,
)
from flows.report.page.phases import Phase, phases_of, took
from flows.shots.choices import Choice, Choices
from flows.shots.job import Job, approval_of, own_stills
from flows.stitch import Stitched
from flows.stitch.dialogue import cues_of
from flows.stitch.seams import Seam
from flows.stitch.timeline import Span

FILM_BEGINS_WITHIN = timedelta(minutes=1)
"""A run stitches as soon as its last clip is there: later, it was another run."""

NO_USD = Decimal(0)


def report_of(
    title: str,
    run_id: str,
    manifest: Mapping[str, Any],
    lines: Sequence[Line],
    errors: Mapping[str, ShotreelError],
    pasts: Sequence[Past],
    films: Mapping[str, Stitched | ShotreelError | None],
    accounts: Statement,
    seams: Sequence[Seam] = (),
    *,
    stills: Sequence[Line] = (),
    laid_out: Mapping[str, LaidOut] = MappingProxyType({}),
    choices: Choices = MappingProxyType({}),
) -> Report:
    """`errors` are by fingerprint; `pasts` all attempts at the list's clips, oldest first.

    `seams` are the film's; `laid_out` those of the `stills` that are here, by fingerprint.
    """
    film = films.get("the film")
    rows: Sequence[Mapping[str, Any]] = manifest["shots"]
    own = attempts_by_line(lines, pasts, {still.job.fingerprint for still in stills})
    prices = {still.job.fingerprint: still.quote.cost_usd for still in stills}
    phases = phases_by_attempt(lines, own)
    by_run: dict[str, list[Past]] = {}
    for past in pasts:
        by_run.setdefault(past.attempt.run_id, []).append(past)
    runs = {
        key: Run(number, min(past.attempt.created_at for past in mine))
        for number, (key, mine) in enumerate(by_run.items())
    }
    spans = film.timeline.spans if isinstance(film, Stitched) else ()
    begins = {seam.frame: seam_facts(seam) for seam in seams}
    return Report(
        title,
        any(not is_sandboxed(line.job.service) for line in lines),
        film_facts(film, manifest) if isinstance(film, Stitched) else None,
        str(film) if isinstance(film, ShotreelError) else "",
        money_of(accounts, run_id),
        tuple(
            run_facts(
                runs[key].begun_at,
                key == run_id,
                mine,
                phases,
                films if key == list(by_run)[-1] else {},
            )
            for key, mine in by_run.items()
        ),
        tuple(
            shot_facts(
                line,
                row,
                errors.get(line.job.fingerprint),
                place,
                begins.get(place[0]) if place else None,
                holder_of(line, mine),
                billed(item, mine),
                mine,
                run_id,
                tuple(attempt_facts(past, runs, phases) for past in mine),
                *stills_of(line.job, laid_out, prices),
            )
            for line, row, item, mine, place in zip(
                lines,
                rows,
                accounts.takes,
                own,
                places_in_film(spans, lines, rows),
                strict=True,
            )
        ),
        {name: said_by(choice) for name, choice in choices.items()},
    )


@dataclass(frozen=True)
class Run:
    """`number` is its index in `Report.runs`."""

    number: int
    begun_at: datetime


def attempts_by_line(
    lines: Sequence[Line], pasts: Sequence[Past], stills: Set[str]
) -> list[list[Past]]:
    """For each line, the attempts at its clip and at alternatives that it was refused before; none
    at the `stills` of these fingerprints."""
    by_clip: dict[str, list[Past]] = {}
    by_name: dict[tuple[str, str, int], list[Past]] = {}
    for past in pasts:
        attempt = past.attempt
        if attempt.fingerprint in stills:
            continue
        by_clip.setdefault(attempt.fingerprint, []).append(past)
        by_name.setdefault((attempt.sequence, attempt.shot, attempt.take), []).append(past)
    found: list[list[Past]] = []
    for line in lines:
        shot = line.job.shot
        both = [
            *by_name.get((shot.sequence, shot.shot, line.job.take), ()),
            *by_clip.get(line.job.fingerprint, ()),
        ]
        mine = {past.attempt.id: past for past in both}
        found.append(sorted(mine.values(), key=lambda past: past.attempt.created_at))
    return found


def phases_by_attempt(
    lines: Sequence[Line], own: Sequence[Sequence[Past]]
) -> dict[str, list[Phase]]:
    here_at = {
        past.attempt.fingerprint: past.attempt.stored_at
        for mine in own
        for past in mine
        if past.attempt.stored_at
    }
    phases: dict[str, list[Phase]] = {}
    for line, mine in zip(lines, own, strict=True):
        previous = line.job.previous.alternatives if line.job.previous else ()
        parents = (here_at[job.fingerprint] for job in previous if job.fingerprint in here_at)
        parent_here_at = next(parents, None)
        for past in mine:
            phases.setdefault(past.attempt.id, phases_of(past.changes, parent_here_at))
    return phases


def places_in_film(
    spans: Sequence[Span], lines: Sequence[Line], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[int, int] | None]:
    """(first frame, frames) of each line in the film; None where it is not seen.

    Both go through the film in its order, so that two shots that share a clip find their own.
    """
    places: list[tuple[int, int] | None] = [None] * len(lines)
    sequences = list(dict.fromkeys(line.job.shot.sequence for line in lines))
    order = sorted(
        (number for number, line in enumerate(lines) if line.is_chosen),
        key=lambda number: sequences.index(lines[number].job.shot.sequence),
    )
    known = {span.name for span in spans} | {span.sha256 for span in spans if span.sha256}
    following = 0
    for number in order:
        own = {lines[number].job.shot.name, rows[number]["sha256"]} & known
        for place in range(following, len(spans) if own else 0):
            span = spans[place]
            if span.name in own or span.sha256 in own:
                places[number] = (span.start, span.num_frames)
                following = place + 1
                break
    return places


def film_facts(film: Stitched, manifest: Mapping[str, Any]) -> FilmFacts:
    timeline = film.timeline
    return FilmFacts(
        url_of(manifest["film"]["path"]),
        film.num_frames,
        float(film.duration_s),
        timeline.rate.as_integer_ratio(),
        timeline.width,
        timeline.height,
        film.copied,
        film.rendered,
        tuple((span.name, span.start, span.num_frames) for span in timeline.spans),
        tuple((cue.start, cue.end, cue.text) for cue in cues_of(timeline)),
        film.untouched,
    )


def shot_facts(
    line: Line,
    row: Mapping[str, Any],
    error: ShotreelError | None,
    film: tuple[int, int] | None,
    seam: SeamFacts | None,
    holder: Attempt | None,
    bill: Billed,
    pasts: Sequence[Past],
    run_id: str,
    attempts: tuple[AttemptFacts, ...],
    stills: tuple[StillFacts, ...],
    still_usd: Decimal,
) -> ShotFacts:
    job = line.job
    shared = row["cost_source"] == "shared"
    quoted = holder.cost_quoted_usd if holder else line.quote.cost_usd
    given = {**row["inputs"]}
    prompt = str(given.pop("prompt", ""))
    given.pop("seed", None)
    return ShotFacts(
        job.name,
        job.shot.sequence,
        job.shot.shot,
        job.take,
        job.shot.takes,
        prompt,
        job.shot.notes,
        job.shot.model,
        tuple((column, input_words(value)) for column, value in given.items()),
        row["seed"],
        state_words(row["state"], attempts, error),
        error_words(error, job) if error else "",
        error.remedy if error else "",
        row["request_id"],
        nano(without_clip_usd(pasts) if bill == "no clip" else Decimal(row["cost_usd"])),
        0 if shared else nano(quoted),
        row["cost_source"] or "",
        origin_of(holder, run_id, shared=shared),
        bill,
        row["sha256"],
        row["num_frames"],
        row["duration_s"],
        url_of(row["path"]) if row["path"] else None,
        film,
        seam,
        job.previous.name if job.previous else None,
        attempts,
        stills,
        job.shot.still.take if job.shot.still else 0,
        nano(still_usd),
    )


def stills_of(
    job: Job, laid_out: Mapping[str, LaidOut], prices: Mapping[str, Decimal]
) -> tuple[tuple[StillFacts, ...], Decimal]:
    """The stills of the job's shot, and what another one costs in USD."""
    stills = own_stills(job)
    price_usd = max((prices.get(still.fingerprint, NO_USD) for still in stills), default=NO_USD)
    return tuple(still_facts(still, laid_out) for still in stills), price_usd


def still_facts(still: Job, laid_out: Mapping[str, LaidOut]) -> StillFacts:
    here = laid_out.get(still.fingerprint)
    approval = approval_of(still)
    if here is None:
        return StillFacts(still.take, "", "", approval)
    return StillFacts(still.take, url_of(here.path), here.sha256, approval)


def said_by(choice: Choice) -> dict[str, str | int]:
    return {key: value for key, value in asdict(choice).items() if value}


def state_words(
    state: str, attempts: Sequence[AttemptFacts], error: ShotreelError | None = None
) -> str:
    """As the manifest has it; of a clip that no attempt holds, what became of the last one."""
    if isinstance(error, AwaitsApprovalError):
        return "waits"
    return attempts[-1].state if state == "not bought" and attempts else state


def error_words(error: ShotreelError, job: Job) -> str:
    """The message without the names that stand beside it on the page."""
    words = error.message
    for name in (job.name, job.shot.name):
        words = re.sub(rf"^{re.escape(name)}( \(\S+ account \S+\))?: ", "", words)
    return words


def input_words(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def holder_of(line: Line, pasts: Sequence[Past]) -> Attempt | None:
    attempts = (past.attempt for past in pasts if past.attempt.holds)
    return next((a for a in attempts if a.fingerprint == line.job.fingerprint), None)


def origin_of(holder: Attempt | None, run_id: str, *, shared: bool) -> str:
    if shared:
        return "shared"
    if holder is None:
        return ""
    return "this run" if holder.run_id == run_id else "an earlier run"


def billed(item: Item, pasts: Sequence[Past]) -> Billed:
    """What the bill says; of a clip that no attempt holds, what has come of the orders."""
    if item.why != "not bought" or not pasts:
        return item.why
    return "no clip" if without_clip_usd(pasts) else why(pasts[-1].attempt, None)


def without_clip_usd(pasts: Sequence[Past]) -> Decimal:
    """What was charged for orders of which no clip is here."""
    ended = (past.cost_usd for past in pasts if past.attempt.state != "stored")
    return sum(ended, Decimal(0))


def seam_facts(seam: Seam) -> SeamFacts:
    return SeamFacts(
        seam.before,
        seam.kind,
        seam.luma_step,
        seam.colour_step,
        seam.frozen,
        seam.has_step,
        seam.is_frozen,
        seam.match.num_frames if seam.match else 0,
    )


def attempt_facts(
    past: Past, runs: Mapping[str, Run], phases: Mapping[str, Sequence[Phase]]
) -> AttemptFacts:
    attempt = past.attempt
    run = runs[attempt.run_id]
    return AttemptFacts(
        run.number,
        attempt.model,
        f"{attempt.service}/{attempt.account}",
        attempt.state,
        attempt.request_id,
        nano(past.cost_usd),
        tuple((ms(c.at - run.begun_at), c.state, c.cause) for c in past.changes),
        tuple(
            (phase.kind, ms(phase.begun_at - run.begun_at), ms(phase.ended_at - run.begun_at))
            for phase in phases[attempt.id]
        ),
    )


def run_facts(
    begun_at: datetime,
    is_this: bool,
    pasts: Sequence[Past],
    phases: Mapping[str, Sequence[Phase]],
    films: Mapping[str, Stitched | ShotreelError | None],
) -> RunFacts:
    """`films` may have been made in this run, or when the list was made again long after it."""
    last = max((change.at for past in pasts for change in past.changes), default=begun_at)
    stitched = [
        (name, ms(film.begun_at - begun_at), ms(film.ended_at - begun_at))
        for name, film in films.items()
        if isinstance(film, Stitched)
        and film.begun_at
        and film.ended_at
        and begun_at <= film.begun_at <= last + FILM_BEGINS_WITHIN
    ]
    charges = sorted((c for past in pasts for c in past.charges), key=lambda charge: charge.at)
    spend: list[tuple[Ms, NanoUsd]] = []
    paid = Decimal(0)
    for charge in charges:
        paid += charge.cost_usd
        spend.append((ms(charge.at - begun_at), nano(paid)))
    return RunFacts(
        int(begun_at.timestamp() * 1000),
        max([ms(last - begun_at), *(end for _, _, end in stitched)]),
        is_this,
        len(pasts),
        tuple(
            (t.kind, t.attempts, in_ms(t.total_s), in_ms(t.median_s), in_ms(t.longest_s))
            for t in took(phases.get(past.attempt.id, ()) for past in pasts)
        ),
        tuple(spend),
        tuple(stitched),
    )


def money_of(accounts: Statement, run_id: str) -> Money:
    beside = accounts.not_in_film_by_reason()
    return Money(
        nano(accounts.cost_usd),
        nano(accounts.estimate_usd),
        nano(accounts.spent_in(run_id)),
        nano(accounts.saved_usd),
        nano(accounts.not_billed_usd),
        nano(accounts.awaited_usd),
        groups(accounts, "sequence"),
        groups(accounts, "model"),
        tuple(
            (d.name, nano(d.estimate_usd), nano(d.cost_usd), d.why) for d in accounts.differences
        ),
        tuple((reason, nano(cost_usd)) for reason, cost_usd in beside.items()),
        tuple((i.name, nano(i.cost_usd), reason_of(i)) for i in accounts.not_in_film),
    )


def groups(accounts: Statement, by: By) -> tuple[Group, ...]:
    return tuple(
        Group(total.key, total.clips, nano(total.estimate_usd), nano(total.cost_usd))
        for total in accounts.by(by)
    )


def ms(time: timedelta) -> Ms:
    return in_ms(time.total_seconds())


def in_ms(seconds: float) -> Ms:
    return round(1000 * seconds)


def url_of(path: str) -> str:
    """A path inside the output folder as a relative URL, whatever its letters."""
    return quote(path)
