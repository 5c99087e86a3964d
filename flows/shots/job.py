"""Jobs: the clips that a shot list asks for, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blocks.providers.model import FILE_COLUMNS, Model, Value
from blocks.providers.services import service_name
from flows.shots import Shot
from flows.shots.fingerprint import fingerprint

PREVIOUS = "@previous"


@dataclass(frozen=True)
class InputFile:
    """A picture or a video that a clip starts from: its bytes on disk."""

    path: str
    sha256: str
    content_type: str


@dataclass(frozen=True)
class Job:
    """One clip to have. `files` are by the column that names them.

    `previous` is the job of the clip that this one goes on from, by the column `continues`.
    `or_else` is bought in its place where this one is refused without a charge.
    """

    fingerprint: str
    service: str
    shot: Shot
    take: int
    seed: int | None
    files: Mapping[str, InputFile]
    previous: Job | None = field(default=None, repr=False, compare=False)
    or_else: Job | None = field(default=None, repr=False, compare=False)

    @property
    def model(self) -> Model:
        return self.shot.made_by

    @property
    def inputs(self) -> Mapping[str, Value]:
        return self.shot.inputs

    @property
    def continues(self) -> str:
        return "video" if self.shot.video == PREVIOUS else "image"

    @property
    def name(self) -> str:
        take = f".t{self.take}" if self.shot.takes > 1 else ""
        return f"{self.shot.name}{take}"

    def known_as(self, *, seed: int | None, take: int, twin: int, previous: str | None) -> str:
        """The fingerprint of a clip that asks for the same but for these."""
        own = {column: file.sha256 for column, file in self.files.items()}
        return _key(self.service, self.shot, own, seed, take, twin, previous)

    @property
    def alternatives(self) -> Iterator[Job]:
        """The job itself, and what may be bought in its place."""
        yield self
        if self.or_else:
            yield from self.or_else.alternatives

    @property
    def chain_key(self) -> str:
        """What a successor's fingerprint says about this clip: any alternative may have made it."""
        keys = [job.fingerprint for job in self.alternatives]
        return keys[0] if len(keys) == 1 else hashlib.sha256("|".join(keys).encode()).hexdigest()


def files_named(shots: Iterable[Shot]) -> Iterator[tuple[str, str]]:
    """(column, what the list calls it) of every input file."""
    for shot in shots:
        for column in FILE_COLUMNS:
            name: str | None = getattr(shot, column)
            if name and name != PREVIOUS:
                yield column, name


def jobs_of(
    shots: Sequence[Shot], files: Mapping[tuple[str, str], InputFile], *, live: bool
) -> list[Job]:
    """A job for each take of each shot, in list order.

    Shots that ask for the very same clip have jobs of one fingerprint: it is bought once.
    `files` are the shots' input files, as `files_named` names them.
    """
    jobs: list[Job] = []
    last_of_sequence: dict[str, Job] = {}
    for shot in shots:
        previous = last_of_sequence[shot.sequence] if PREVIOUS in (shot.image, shot.video) else None
        takes = [_job(shot, take, files, previous, live=live) for take in range(1, shot.takes + 1)]
        jobs += takes
        last_of_sequence[shot.sequence] = takes[shot.take - 1]
    return jobs


def _job(
    shot: Shot,
    take: int,
    files: Mapping[tuple[str, str], InputFile],
    previous: Job | None,
    *,
    live: bool,
) -> Job:
    service = service_of(shot.made_by, live=live)
    seed = None if shot.seed is None else shot.seed + take - 1
    own = {column: files[column, name] for column, name in files_named([shot])}
    sha256 = {column: file.sha256 for column, file in own.items()}
    which = take if seed is None else 1
    chained = previous.chain_key if previous else None
    key = _key(service, shot, sha256, seed, which, shot.twin, chained)
    or_else = _job(shot.or_else, take, files, previous, live=live) if shot.or_else else None
    return Job(key, service, shot, take, seed, own, previous, or_else)


def _key(
    service: str,
    shot: Shot,
    sha256: Mapping[str, str],
    seed: int | None,
    take: int,
    twin: int,
    previous: str | None,
) -> str:
    """`sha256` are of the files, by the column that names them."""
    return fingerprint(
        service,
        f"{shot.model} {shot.made_by.version}".strip(),
        shot.inputs,
        seed=seed,
        take=take,
        twin=twin,
        image_sha256=sha256.get("image"),
        video_sha256=sha256.get("video"),
        previous=previous,
    )


def services_of(shots: Iterable[Shot], *, live: bool) -> set[str]:
    """Every service that the shots may be bought from."""
    return {service_of(each.made_by, live=live) for shot in shots for each in shot.alternatives}


def service_of(model: Model, *, live: bool) -> str:
    return service_name(model.provider, live=live)
