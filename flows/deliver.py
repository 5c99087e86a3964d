"""What a run has come to, and the closing words about it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.context import FlowRunContext

from blocks.errors import (
    AwaitsApprovalError,
    BudgetError,
    LostError,
    ProviderError,
    RefusedError,
    SetupError,
    ShotreelError,
)
from blocks.ledger import Ledger
from blocks.ledger.film_runs import note_list
from blocks.ledger.films import note_film
from blocks.money import usd
from blocks.providers.services import is_sandboxed
from flows.costs.statement import Statement
from flows.film_list import FilmList
from flows.generate.all_clips import Clips
from flows.generate.generation import Generation
from flows.output.folder import LaidOut, Place
from flows.output.manifest import manifest_of, write_manifest
from flows.output.record import remember_options
from flows.planning.changes import noted
from flows.planning.input_files import picture_suffix
from flows.planning.plan import Plan
from flows.report import artifacts
from flows.report.page.write import pasts_of, write_report
from flows.run.context import Clip, RunContext
from flows.shots.source import is_pasted
from flows.stitch import Stitched
from flows.stitch.seams.seam import Seam
from flows.tasks.hand_over import hand_over
from flows.tasks.seams import report_seams
from flows.tasks.stitch import FILM, Films, Result

MAX_NAMED = 10
OF_FILM = ("other take", "out", "still")
"""What is not in it, and belongs to it."""


@dataclass(frozen=True)
class Made:
    """`manifest` is what `manifest.json` holds; `errors` are by the names of their shots."""

    out: Path
    manifest: Mapping[str, Any]
    errors: Mapping[str, ShotreelError]
    summary: str
    spent_usd: Decimal
    task_runs: int
    flow_run_id: UUID | None
    accounts: Statement
    notes: Sequence[str] = ()
    """What about the films is not as the list asks for it."""
    seams: Sequence[Seam] = ()
    is_partial: bool = False
    """Whether there is a film and shots failed: it is made of the rest."""
    untouched: str = ""
    """How many of the film's frames are the clips' own, in words."""

    @property
    def film(self) -> Path | None:
        """None where there is none: every clip is missing, or one and then no film was wanted."""
        film = self.manifest["film"]
        return self.out / film["path"] if film else None

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def cost_usd(self) -> Decimal:
        """Of the whole film; `spent_usd` of it in this run."""
        return Decimal(self.manifest["totals"]["cost_usd"])

    def is_well(self, *, stills: bool) -> bool:
        """Whether nothing is missing; of a run of `stills` alone also where clips wait."""
        waits = (isinstance(error, AwaitsApprovalError) for error in self.errors.values())
        return not self.exit_code or (stills and all(waits))

    @property
    def exit_code(self) -> int:
        """0 all done, 5 an outcome stays unknown, 3 shots failed, 1 a damage of another kind."""
        codes = {error.exit_code for error in self.errors.values()}
        if self.is_partial:
            codes.add(ProviderError.exit_code)
        some = any(shot["state"] == "stored" for shot in self.manifest["shots"])
        if some and BudgetError.exit_code in codes:
            codes.add(ProviderError.exit_code)  # the rest is delivered
        return next((code for code in (5, 3) if code in codes), max(codes, default=0))


async def deliver(
    run: Generation,
    film: FilmList,
    plan: Plan,
    clips: Clips,
    stitched: Mapping[str, Result],
    accounts: Statement,
    films: Films,
    shown: Callable[[], object],
) -> Made:
    """Write the manifest and the page, lay the clips out, hand the film over, and sum it up.

    `plan` is the one that was reserved; `shown` is called when the page is in place.
    """
    ledger, title, jobs = run.ledger, film.id.name, plan.jobs
    outcomes, plan = await clips.all(), clips.as_made(plan)
    place = film.place.of(line.job for line in plan.lines)
    attempts = await ledger.book(ledger.holders, list(outcomes))
    here = {key: each for key, each in outcomes.items() if isinstance(each, Clip)}
    failed = {key: each for key, each in outcomes.items() if isinstance(each, ShotreelError)}
    await asyncio.to_thread(lay_out_clips, plan, here, place)
    errors = {jobs[key].name: error for key, error in failed.items()}
    errors |= {name: made for name, made in stitched.items() if isinstance(made, ShotreelError)}
    errors |= {f"the price of {model}": found for (_, model), found in run.overcharged.items()}
    whole = stitched[FILM]
    whole = whole if isinstance(whole, Stitched) else None
    states = {key: state_of(error) for key, error in failed.items()}
    manifest = await asyncio.to_thread(
        manifest_of, whole, plan.lines, accounts, attempts, here, states, place
    )
    stills = await lay_out_stills(run, plan, place)
    gone = await tidied(ledger, plan, place)
    await asyncio.to_thread(write_manifest, place.manifest, manifest)
    await note(run, film, plan, {clip.sha256 for clip in here.values()})

    async def show() -> list[Seam]:
        seams: list[Seam] = []
        try:
            seams = await report_seams(
                whole, place, films.processes, matched=film.finish.match_seams
            )
        except ShotreelError as error:
            errors["the seams"] = error
        try:
            pasts = await ledger.book(pasts_of, ledger, list(jobs))
            await write_report(
                title,
                plan,
                manifest,
                here,
                failed,
                stitched,
                accounts,
                seams,
                place,
                run_id=run.run_id,
                pasts=pasts,
                stills=stills,
                choices=film.choices,
                processes=films.processes,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the film is made and paid for
            errors["the page"] = without_page(error)
        else:
            shown()
        return seams

    seams, handed = await asyncio.gather(
        show(),
        hand_over(title, manifest, whole, attempts, here.values(), place, films.processes),
    )
    errors |= handed.errors
    for text in handed.left_out:
        run.watcher.say(text)
    summary = summary_of(len(here), len(outcomes), accounts)
    files = [place.film, place.report, place.costs]
    await artifacts.show_summary(summary, accounts, files, review_command(film, plan))
    context = FlowRunContext.get()
    films_made = (each for each in stitched.values() if isinstance(each, Stitched))
    notes = dict.fromkeys(note for each in films_made for note in each.notes)
    return Made(
        place.out,
        manifest,
        errors,
        summary,
        spent_usd=accounts.spent_in(run.run_id),
        task_runs=run.task_runs + films.task_runs + 1 + handed.task_runs,
        flow_run_id=context.flow_run.id if context and context.flow_run else None,
        accounts=accounts,
        notes=[*notes, *gone],
        seams=seams,
        is_partial=whole is not None and bool(failed),
        untouched=whole.untouched if whole else "",
    )


async def note(run: RunContext, film: FilmList, plan: Plan, sha256: set[str]) -> None:
    """Write down which clips the film has, for the next plan and for who looks for unused ones; and
    the options that it was made with, for who makes it again and cannot say them."""
    ledger, out = run.ledger, film.place.out
    options = film.options.model_dump(mode="json", include=film.options.chosen)
    await asyncio.to_thread(remember_options, out, options)
    await ledger.book(note_film, ledger, out, film.id.name, run.run_id, sha256)
    shots, live = noted(plan.lines), is_live(plan)
    await ledger.book(note_list, ledger, film.id.key, run.run_id, shots, live=live)


def review_command(film: FilmList, plan: Plan) -> str:
    """What opens the page of this film with hands; empty for a list that is pasted: its choices
    would have no place."""
    if is_pasted(film.source):
        return ""
    words = ["shotreel", "review", film.source]
    if film.place.out != Path("out") / film.id.name:
        words += ["--out", str(film.place.out)]
    if is_live(plan):
        words.append("--live")
    return f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(words)}"


def is_live(plan: Plan) -> bool:
    return not any(is_sandboxed(line.job.service) for line in plan.lines)


def summary_of(here: int, wanted: int, accounts: Statement) -> str:
    beside = (item for item in accounts.not_in_film if item.in_film not in OF_FILM)
    beside_usd = sum((item.cost_usd for item in beside), Decimal(0))
    text = f"{here} of {wanted} clips are here; they cost {usd(accounts.cost_usd - beside_usd)}."
    if beside_usd:
        text += f" The film has cost {usd(accounts.cost_usd)} with what is not in it."
    return text


def lay_out_clips(plan: Plan, here: Mapping[str, Clip], place: Place) -> None:
    for line in plan.lines:
        if clip := here.get(line.job.fingerprint):
            place.lay_out(line.job, clip.path)


async def lay_out_stills(run: RunContext, plan: Plan, place: Place) -> dict[str, LaidOut]:
    """The pictures that clips begin with, for people to look at, by fingerprint."""
    ledger, laid_out = run.ledger, dict[str, LaidOut]()
    jobs = {line.job.fingerprint: line.job for line in plan.stills}
    for key, attempt in (await ledger.book(ledger.holders, list(jobs))).items():
        path = run.store.path(attempt.clip_sha256) if attempt.clip_sha256 else None
        suffix = picture_suffix(path) if path else None
        if attempt.clip_sha256 and path and suffix:
            target = place.still(jobs[key], suffix)
            await asyncio.to_thread(place.copy, path, target)
            named = target.relative_to(place.out).as_posix()
            laid_out[key] = LaidOut(named, attempt.clip_sha256)
    return laid_out


async def tidied(ledger: Ledger, plan: Plan, place: Place) -> list[str]:
    """Take files of shots that the list no longer has out of the folder; what to say about it.

    Only files that are copies of clips in the ledger, and sequences of the last manifest.
    """
    jobs = [line.job for line in plan.lines]
    sequences = {job.shot.sequence for job in jobs}
    extra = await asyncio.to_thread(place.extra_clips, jobs)
    known = await ledger.book(ledger.known_clips, list(extra.values()))
    gone = [path for path, sha256 in extra.items() if sha256 in known]
    gone += [path for path in place.sequences_made() if path.stem not in sequences]
    await asyncio.to_thread(place.remove, gone)
    if not gone:
        return []
    names = ", ".join(path.relative_to(place.out).as_posix() for path in gone[:MAX_NAMED])
    more = f" and {len(gone) - MAX_NAMED} more" if len(gone) > MAX_NAMED else ""
    return [
        f"{names}{more}: taken out of {place.out}, as the list no longer has them; the clips are "
        "kept in the store"
    ]


def without_page(error: Exception) -> ShotreelError:
    if isinstance(error, ShotreelError):
        return error
    return SetupError(
        f"report.html could not be made: {type(error).__name__}: {error}",
        remedy="The film, the clips and the bill are there. Run the same command again.",
    )


def state_of(error: ShotreelError) -> str | None:
    """The manifest's word for a shot without a clip; None: what the ledger says."""
    if isinstance(error, RefusedError):
        return "refused"
    return "lost" if isinstance(error, LostError) else None
