"""Jobs: the clips that a shot list asks for, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blocks.ledger import Attempt
from blocks.providers.catalogue import sent_model
from blocks.providers.footage import OWN
from blocks.providers.model import FileName, Media, Model, Value
from blocks.providers.services import is_sandboxed, provider_name, service_name
from flows.shots import Shot
from flows.shots.fingerprint import fingerprint
from flows.shots.still import STILL

PREVIOUS = "@previous"
CHAINED = (PREVIOUS, STILL)
"""What other jobs make."""

APPROVED_CHARS = 16


@dataclass(frozen=True)
class InputFile:
    """A picture or a video that a clip starts from: its bytes on disk."""

    path: str
    sha256: str
    content_type: str


@dataclass(frozen=True)
class Job:
    """One clip to have. `files` are by the place in the inputs where their URL goes.

    `previous` is the job of the clip that this one goes on from, or of the still that it begins
    with, at the places in `continues`.
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
    def is_still(self) -> bool:
        return self.model.makes == "image"

    @property
    def is_own(self) -> bool:
        """Footage of one's own: nobody is asked for it."""
        return self.model.provider == OWN

    @property
    def inputs(self) -> Mapping[str, Value]:
        return self.shot.inputs

    @property
    def continues(self) -> Mapping[str, Media]:
        """Where the clip of the shot before goes, or its last frame."""
        return {place: name.media for place, name in self.shot.files.items() if name in CHAINED}

    @property
    def name(self) -> str:
        take = f".t{self.take}" if self.shot.takes > 1 else ""
        return f"{self.shot.name}{take}{' still' if self.is_still else ''}"

    def known_as(
        self,
        *,
        seed: int | None,
        take: int,
        twin: int,
        previous: str | None,
        tells_places: bool = True,
    ) -> str:
        """The fingerprint of a clip that asks for the same but for these; without `tells_places` as
        earlier versions have it, which did not say where the clip before goes."""
        own = {column: file.sha256 for column, file in self.files.items()}
        places = self.continues if tells_places else ()
        return _key(self.service, self.shot, own, seed, take, twin, previous, places)

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


def files_named(shots: Iterable[Shot]) -> Iterator[FileName]:
    """What the list calls every input file."""
    for shot in shots:
        for each in shot.alternatives:
            yield from (name for name in each.files.values() if name not in CHAINED)


def jobs_of(
    shots: Sequence[Shot], files: Mapping[tuple[Media, str], InputFile], *, live: bool
) -> list[Job]:
    """A job for each take of each shot, in list order.

    Shots that ask for the very same clip have jobs of one fingerprint: it is bought once.
    `files` are the shots' input files, as `files_named` names them.
    """
    jobs: list[Job] = []
    last_of_sequence: dict[str, Job] = {}
    for shot in shots:
        previous = last_of_sequence[shot.sequence] if PREVIOUS in shot.files.values() else None
        if shot.still:
            previous = still_of(shot, live=live)
        takes = [_job(shot, take, files, previous, live=live) for take in range(1, shot.takes + 1)]
        jobs += takes
        last_of_sequence[shot.sequence] = takes[shot.take - 1]
    return jobs


def still_of(shot: Shot, *, live: bool, take: int | None = None) -> Job:
    """The job of the still that is chosen, or of another one."""
    assert shot.still is not None
    return _job(shot.still, take or shot.still.take, {}, None, live=live)


def stills_of(jobs: Iterable[Job]) -> list[Job]:
    """Every still that the shots of these jobs ask for, once."""
    found: dict[str, Job] = {}
    for job in jobs:
        for still in own_stills(job):
            found.setdefault(still.fingerprint, still)
    return list(found.values())


def own_stills(job: Job) -> list[Job]:
    """The stills that the job's shot asks for, by their numbers from 1."""
    numbers = range(1, (job.shot.still.takes if job.shot.still else 0) + 1)
    live = not is_sandboxed(job.service)
    return [still_of(job.shot, live=live, take=number) for number in numbers]


def approval_of(still: Job) -> str:
    """What an approval of it says."""
    return still.fingerprint[:APPROVED_CHARS]


def _job(
    shot: Shot,
    take: int,
    files: Mapping[tuple[Media, str], InputFile],
    previous: Job | None,
    *,
    live: bool,
) -> Job:
    service = service_of(shot.made_by, live=live)
    seed = None if shot.seed is None else shot.seed + take - 1
    own = {
        place: files[name.media, name] for place, name in shot.files.items() if name not in CHAINED
    }
    sha256 = {place: file.sha256 for place, file in own.items()}
    which = take if seed is None else 1
    chained = previous.chain_key if previous else None
    places = [place for place, name in shot.files.items() if name in CHAINED]
    key = _key(service, shot, sha256, seed, which, shot.twin, chained, places)
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
    chained: Collection[str],
) -> str:
    """`sha256` are of the files, by their places in the inputs; `chained` are those places where
    what other jobs make goes."""
    return fingerprint(
        service,
        shot.made_by,
        shot.inputs,
        seed=seed,
        take=take,
        files=sha256,
        twin=twin,
        previous=previous,
        chained=chained,
    )


def models_of(shots: Iterable[Shot]) -> list[Model]:
    """Every model that the shots may be bought from, once."""
    named = (each.made_by for each in _bought(shots))
    return list({(model.provider, model.name): model for model in named}.values())


def services_of(shots: Iterable[Shot], *, live: bool) -> set[str]:
    """Every service that the shots may be bought from."""
    return {service_of(each.made_by, live=live) for each in _bought(shots)}


def _bought(shots: Iterable[Shot]) -> Iterator[Shot]:
    every = (each for shot in shots for each in (*shot.alternatives, *filter(None, [shot.still])))
    return (each for each in every if each.made_by.provider != OWN)


def model_of(attempt: Attempt) -> Model:
    """The model of a request that the ledger knows, as far as following it takes it."""
    return sent_model(attempt.model, provider_name(attempt.service))


def service_of(model: Model, *, live: bool) -> str:
    return service_name(model.provider, live=live)
