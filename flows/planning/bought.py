"""Clips that are paid for under another fingerprint than the one that the list comes to today.

A take's number is no part of what is bought where there is a seed: a clip whose seed was drawn, or
that was some other take, is the clip that a list asks for by that seed. Earlier versions have
counted takes in, have shared a clip between rows that ask for the same, and have not said where the
clip before goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from blocks.ledger import Attempt, Ledger
from flows.shots.fingerprint import told_places
from flows.shots.job import Job

MOST_TWINS = 20
"""Rows of one kind among which a drawn seed is looked for."""


def as_bought(ledger: Ledger, jobs: Sequence[Job]) -> list[Job]:
    """The jobs, each by the fingerprint that the ledger has its clip under.

    What goes on from such a clip is looked for under both names of it.
    """
    search = _Search(ledger, jobs)
    return [search.found(job) for job in jobs]


class _Search:
    def __init__(self, ledger: Ledger, jobs: Sequence[Job]) -> None:
        self._ledger = ledger
        every = [choice for job in jobs for choice in job.alternatives]
        self._held = set(ledger.holders(list({job.fingerprint for job in every})))
        missing = [job for job in every if job.fingerprint not in self._held]
        seeds = {job.seed for job in missing if job.seed is not None}
        self._by_seed: dict[tuple[str, str, int | None], list[Attempt]] = {}
        for attempt in ledger.with_seeds(sorted(seeds)):
            key = (attempt.service, attempt.model, attempt.seed)
            self._by_seed.setdefault(key, []).append(attempt)
        alone = (_alone(job, job.previous) for job in missing if job.shot.twin > 1)
        self._for_all = ledger.for_all_alike(list(alone))
        self._moved: dict[int, Job] = {}
        """What each job has become, by its identity: hashing a chain is as long as the chain."""

    def found(self, job: Job) -> Job:
        previous = self._moved.get(id(job.previous), job.previous)
        or_else = self.found(job.or_else) if job.or_else else None
        key = job.fingerprint
        if key not in self._held:
            key = next(self._other_names(job, previous), key)
        moved = job
        if key != job.fingerprint or previous is not job.previous or or_else is not job.or_else:
            moved = replace(job, fingerprint=key, previous=previous, or_else=or_else)
        self._moved[id(job)] = moved
        return moved

    def _other_names(self, job: Job, previous: Job | None) -> Iterator[str]:
        """Fingerprints that the ledger has a clip under which is the one that the job asks for."""
        parents = [job.previous] if previous is job.previous else [job.previous, previous]
        for parent in parents:
            if parent is not job.previous:
                yield from self._held_among(_own_name(job, parent))
            yield from self._named_otherwise(job, parent)
            if told_places(job.model, job.continues):
                silent = [_own_name(job, parent, tells_places=False)]
                silent += self._named_otherwise(job, parent, tells_places=False)
                yield from filter(partial(self._was_sent_to_its_places, job), silent)

    def _named_otherwise(
        self, job: Job, parent: Job | None, *, tells_places: bool = True
    ) -> Iterator[str]:
        """By the take whose seed was drawn; by the first of its kind."""
        if job.seed is not None:
            for attempt in self._by_seed.get((job.service, job.shot.model, job.seed), ()):
                names = _names_by_seed(job, attempt.take, parent, tells_places=tells_places)
                if attempt.fingerprint in names:
                    yield attempt.fingerprint
        elif job.shot.twin > 1:
            name = _alone(job, parent, tells_places=tells_places)
            if parent is not job.previous or not tells_places:
                self._for_all |= self._ledger.for_all_alike([name])
            if name in self._for_all:
                yield name

    def _was_sent_to_its_places(self, job: Job, name: str) -> bool:
        """Whether the clip of a name that does not say the places was bought with them all."""
        inputs = {place.partition("/")[0] for place in job.continues}
        return any(
            inputs <= attempt.inputs.keys() for attempt in self._ledger.holders([name]).values()
        )

    def _held_among(self, name: str) -> Iterator[str]:
        yield from self._ledger.holders([name])


def _own_name(job: Job, previous: Job | None, *, tells_places: bool = True) -> str:
    return job.known_as(
        seed=job.seed,
        take=job.take if job.seed is None else 1,
        twin=job.shot.twin,
        previous=_chained(previous),
        tells_places=tells_places,
    )


def _alone(job: Job, previous: Job | None, *, tells_places: bool = True) -> str:
    """The name of the clip if it were the first of its kind in its list."""
    return job.known_as(
        seed=None,
        take=job.take,
        twin=1,
        previous=_chained(previous),
        tells_places=tells_places,
    )


def _names_by_seed(
    job: Job, take: int, previous: Job | None, *, tells_places: bool
) -> Iterator[str]:
    named = partial(job.known_as, take=take, previous=_chained(previous), tells_places=tells_places)
    yield named(seed=job.seed, twin=1)
    for twin in range(1, MOST_TWINS + 1):
        yield named(seed=None, twin=twin)


def _chained(previous: Job | None) -> str | None:
    return previous.chain_key if previous else None
