"""A list that was made, without a run: a ledger, clips, a film, and the page about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from blocks.errors import FailedError, ShotreelError
from blocks.files import sha256_file
from blocks.ledger import Intent, Ledger
from blocks.media.probe import probe
from blocks.providers.base import Failed, Quote, Ticket
from flows.costs.bill import bill_of
from flows.costs.statement import state_accounts
from flows.output.folder import LaidOut, Place
from flows.output.manifest import manifest_of
from flows.output.writing import write_atomically
from flows.planning.plan import Line, Plan
from flows.report.page.build import report_of
from flows.report.page.facts import Report, SeamFacts
from flows.report.page.write import page_of, pasts_of, put
from flows.run.context import Clip
from flows.shots import read_shots
from flows.shots.choices import choices_of
from flows.shots.job import Job, jobs_of
from flows.stitch import Finish, Stitched
from flows.stitch.assemble import film_items
from flows.stitch.seams import Seam
from tests.stitch.conftest import shoot
from tests.stitch.making import stitch

FRAMES = 24
RUN = "run-1"


@dataclass
class Stage:
    """`failing` are (reason, units that were charged) by shot; `counted` other units by shot."""

    folder: Path
    shots: str
    failing: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    counted: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = Ledger(f"sqlite:///{self.folder / 'ledger.sqlite'}")
        self.place = Place(self.folder / "out")
        self.lines = [
            Line(job, quote(), "buy") for job in jobs_of(read_shots(self.shots), {}, live=False)
        ]
        self.clips: dict[str, Clip] = {}
        self.errors: dict[str, ShotreelError] = {}
        self.film: Stitched | None = None
        self.seams: Sequence[Seam] = ()
        self.stills: Sequence[Line] = ()
        self.laid_out: dict[str, LaidOut] = {}

    def buy(self, run_id: str = RUN) -> None:
        """Every clip that is not there yet, as a run takes it through the ledger."""
        self.ledger.start_run(run_id, "list", None)
        jobs = {line.job.fingerprint: line.job for line in self.lines}
        wanted = [intent_of(job) for key, job in jobs.items() if key not in self.clips]
        for number, (key, attempt) in enumerate(self.ledger.reserve(wanted, run_id).items()):
            job = jobs[key]
            claimed = self.ledger.claim(attempt, 1_000)
            assert claimed is not None
            sent = self.ledger.mark_submitted(claimed, Ticket(uuid4().hex))
            if job.shot.shot in self.failing:
                reason, charged = self.failing[job.shot.shot]
                self.ledger.mark_failed(sent, Failed(reason, "yes", Decimal(charged)))
                self.errors[key] = FailedError(f"{job.name}: {reason}", remedy="Change the shot.")
                continue
            counted = self.counted.get(job.shot.shot)
            units = Decimal(counted) if counted else None
            ready = self.ledger.mark_ready(sent, "https://media.test/clip.mp4", units)
            clip = shoot(self.folder / f"{key}.mp4", num_frames=FRAMES, seed=number)
            sha256 = sha256_file(clip)
            self.ledger.mark_stored(ready, sha256, FRAMES)
            self.clips[key] = Clip(key, attempt.id, sha256, FRAMES, clip, probe(clip))

    def stitch(self) -> None:
        """The film of the clips that are there, and the clips beside it."""
        for line in self.lines:
            if clip := self.clips.get(line.job.fingerprint):
                self.place.lay_out(line.job, clip.path)
        finish = Finish(on_missing="skip")
        items = film_items(Plan(tuple(self.lines)), {**self.clips, **self.errors}, finish)
        assert items
        self.film = stitch(items, self.place.film, cache=self.folder / "cache")

    def report(self, run_id: str = RUN) -> Report:
        accounts = state_accounts("list", self.lines, bill_of(self.ledger, self.lines, "list"))
        keys = [line.job.fingerprint for line in self.lines]
        attempts = self.ledger.holders(keys)
        manifest = manifest_of(
            self.film, self.lines, accounts, attempts, self.clips, {}, self.place
        )
        return report_of(
            "list",
            run_id,
            manifest,
            self.lines,
            self.errors,
            pasts_of(self.ledger, keys),
            {"the film": self.film},
            accounts,
            self.seams,
            stills=self.stills,
            laid_out=self.laid_out,
            choices=choices_of(self.shots),
        )

    def write(self, report: Report | None = None) -> bool:
        paths = {clip.sha256: clip.path for clip in self.clips.values()}
        paths |= {each.sha256: self.place.out / each.path for each in self.laid_out.values()}
        with ThreadPoolExecutor(1) as threads:
            return put(report or self.report(), paths, threads, self.place)


def quote() -> Quote:
    return Quote(Decimal(4), Decimal("0.08"), date(2026, 11, 21), "price_rule")


def intent_of(job: Job) -> Intent:
    return Intent(
        fingerprint=job.fingerprint,
        service=job.service,
        account="default",
        model=job.shot.model,
        sequence=job.shot.sequence,
        shot=job.shot.shot,
        take=job.take,
        inputs={**job.inputs, "seed": 7},
        seed=7,
        quote=quote(),
    )


def many(report: Report, shots: int) -> Report:
    """The report as if its first shot stood in it so often, in sequences of 80. Each tenth seam
    is to be looked at."""
    first = report.shots[0]
    film = report.film
    assert film
    seams = [
        SeamFacts("the one before", "cut", 9.3, 1.2, 0, i % 10 == 0, False, 0) for i in range(10)
    ]
    told = tuple(
        replace(
            first,
            name=f"reel-{index // 80:02}/{index % 80:03}",
            sequence=f"reel-{index // 80:02}",
            shot=f"{index % 80:03}",
            prompt=f"number {index} of many",
            film=(index * FRAMES, FRAMES),
            seam=seams[index % 10] if index else None,
        )
        for index in range(shots)
    )
    spans = tuple((shot.name, index * FRAMES, FRAMES) for index, shot in enumerate(told))
    return replace(report, shots=told, film=replace(film, num_frames=shots * FRAMES, spans=spans))


def write_page(report: Report, place: Place) -> None:
    """The page alone: without pictures, and without the files that it speaks of."""
    page = page_of(report, {}, "", "0" * 64, datetime.now(UTC))
    write_atomically(place.report, page)
