"""The output folder: the film, its sequences, its clips, the bill and the manifest."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path

from blocks.errors import SetupError
from blocks.files import free_bytes, sha256_file
from blocks.storage.clip_store import MIN_FREE_BYTES
from flows.output.writing import part_of
from flows.shots.job import Job
from flows.shots.names import file_name

FILM = "film.mp4"


@dataclass(frozen=True)
class LaidOut:
    """A copy in the folder, by its path in there, of the file with this SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Place:
    """`renamed` are the clips' file names that are not the shot's alone, by `_key`."""

    out: Path
    renamed: Mapping[tuple[str, str, int], str] = field(default_factory=dict)

    def of(self, jobs: Iterable[Job]) -> Place:
        """Where no two clips have one file name: editors tell media by it, and bundles refuse it.

        A name that stands in several sequences gets the sequence's before it.
        """
        jobs = list({_key(job): job for job in jobs}.values())
        uses = Counter(chain([FILM], (_file_name(job).casefold() for job in jobs)))
        taken = {name for name, number in uses.items() if number == 1 or name == FILM}
        renamed = {}
        for job in jobs:
            name = _file_name(job)
            if uses[name.casefold()] > 1:
                longer = (f"{file_name(job.shot.sequence)}-{extra}{name}" for extra in _extras())
                name = next(each for each in longer if each.casefold() not in taken)
                taken.add(name.casefold())
                renamed[_key(job)] = name
        return replace(self, renamed=renamed)

    @property
    def film(self) -> Path:
        return self.out / FILM

    def sequence(self, name: str) -> Path:
        return self.out / "sequences" / f"{file_name(name)}.mp4"

    def clip(self, job: Job) -> Path:
        name = self.renamed.get(_key(job)) or _file_name(job)
        return self.out / "clips" / file_name(job.shot.sequence) / name

    @property
    def stills(self) -> Path:
        return self.out / "stills"

    def still(self, job: Job, suffix: str) -> Path:
        name = f"{file_name(job.shot.shot)}.{job.take}{suffix}"
        return self.stills / file_name(job.shot.sequence) / name

    @property
    def costs(self) -> Path:
        return self.out / "costs.csv"

    @property
    def manifest(self) -> Path:
        return self.out / "manifest.json"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def seams(self) -> Path:
        return self.out / "seams.csv"

    @property
    def poster(self) -> Path:
        return self.out / "poster.jpg"

    def contact_sheet(self, page: int = 1) -> Path:
        """Pages count from 1; a film of few shots has one."""
        return self.out / (f"contact-sheet-{page}.jpg" if page > 1 else "contact-sheet.jpg")

    @property
    def otio(self) -> Path:
        return self.out / "film.otio"

    @property
    def subtitles(self) -> tuple[Path, Path]:
        """What is said, as SRT and as WebVTT."""
        return self.out / "film.srt", self.out / "film.vtt"

    @property
    def provenance(self) -> Path:
        return self.out / "provenance.json"

    def check_writable(self) -> None:
        """Raises SetupError, before anything is bought."""
        try:
            free = free_bytes(self.out)
            for name in ("sequences", "clips"):
                (self.out / name).mkdir(exist_ok=True)
        except OSError as error:
            raise SetupError(
                f"The output folder cannot be written: {error.strerror}: {error.filename}.",
                remedy="Nothing was bought. Choose another folder with --out.",
            ) from None
        if free < MIN_FREE_BYTES:
            raise SetupError(
                f"Only {free // 2**20} MiB are free at the output folder.",
                remedy="Nothing was bought. Make room, or choose another folder with --out.",
            )

    def lay_out(self, job: Job, clip: Path) -> None:
        """Copy a clip out of the store. A copy, so that editing it cannot harm the paid one."""
        self.copy(clip, self.clip(job))

    def copy(self, clip: Path, target: Path) -> None:
        source = clip.stat()
        if target.exists():
            there = target.stat()
            if (there.st_size, there.st_mtime_ns) == (source.st_size, source.st_mtime_ns):
                return
        with part_of(target) as part:
            shutil.copyfile(clip, part)
            os.utime(part, ns=(source.st_atime_ns, source.st_mtime_ns))

    def extra_clips(self, jobs: Iterable[Job]) -> dict[Path, str]:
        """Videos among the clips that are none of these jobs', and their SHA-256s."""
        kept = {self.clip(job) for job in jobs}
        found = self.out.glob("clips/*/*.mp4")
        return {path: sha256_file(path) for path in found if path not in kept and path.is_file()}

    def sequences_made(self) -> list[Path]:
        """The files of the sequences that the folder's manifest names."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            shots = json.loads(self.manifest.read_bytes())["shots"]
            named = {self.sequence(str(shot["sequence"])) for shot in shots}
            return [p for p in sorted(named) if p.parent == self.out / "sequences" and p.is_file()]
        return []

    def remove(self, files: Iterable[Path]) -> None:
        """And the folders that are empty then."""
        for path in files:
            path.unlink(missing_ok=True)
            if path.parent.parent == self.out / "clips":
                with suppress(OSError):
                    path.parent.rmdir()


def _key(job: Job) -> tuple[str, str, int]:
    return job.shot.sequence, job.shot.shot, job.take


def _file_name(job: Job) -> str:
    take = f".t{job.take}" if job.shot.takes > 1 else ""
    return f"{file_name(job.shot.shot)}{take}.mp4"


def _extras() -> Iterator[str]:
    yield ""
    yield from (f"{number}-" for number in count(2))
