"""Jobs: the clips that a shot list asks for, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blocks.model import Model, Value
from blocks.models import MODELS
from flows.generate.fingerprint import fingerprint
from flows.shots import Shot


@dataclass(frozen=True)
class Picture:
    """An input picture: its bytes on disk."""

    path: str
    sha256: str
    content_type: str


@dataclass(frozen=True)
class Job:
    """One clip to have. `previous` is the fingerprint of the clip whose last frame starts it."""

    fingerprint: str
    service: str
    shot: Shot
    take: int
    seed: int | None
    picture: Picture | None
    previous: str | None

    @property
    def model(self) -> Model:
        return MODELS[self.shot.model]

    @property
    def inputs(self) -> Mapping[str, Value]:
        return self.shot.inputs

    @property
    def name(self) -> str:
        take = f".t{self.take}" if self.shot.takes > 1 else ""
        return f"{self.shot.sequence}/{self.shot.shot}{take}"


def jobs_of(shots: Sequence[Shot], pictures: Mapping[str, Picture], *, live: bool) -> list[Job]:
    """A job for each take of each shot, in list order.

    Shots that ask for the very same clip have jobs of one fingerprint: it is bought once.
    `pictures` are the shots' images by what the list calls them.
    """
    jobs: list[Job] = []
    last_of_sequence: dict[str, str] = {}
    for shot in shots:
        service = service_of(MODELS[shot.model], live=live)
        previous = last_of_sequence[shot.sequence] if shot.image == "@previous" else None
        picture = pictures[shot.image] if shot.image and previous is None else None
        first = ""
        for take in range(1, shot.takes + 1):
            seed = None if shot.seed is None else shot.seed + take - 1
            key = fingerprint(
                service,
                shot.model,
                shot.inputs,
                seed=seed,
                take=take,
                image_sha256=picture.sha256 if picture else None,
                previous=previous,
            )
            first = first or key
            jobs.append(Job(key, service, shot, take, seed, picture, previous))
        last_of_sequence[shot.sequence] = first
    return jobs


def service_of(model: Model, *, live: bool) -> str:
    """The service's name in the ledger: what the sandbox sells is never taken for the real."""
    return model.provider if live else f"sandbox/{model.provider}"
