"""All clips of a plan, beside each other, none taking another with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from blocks import settings
from blocks.errors import RefusedError, ShotreelError
from flows.costs.estimate import Plan
from flows.generate.bring import from_store
from flows.generate.job import Job
from flows.generate.task import generate_clip
from flows.generate.workshop import DOWNLOADS, Clip, Workshop

Outcome = Clip | ShotreelError


class Clips:
    """The clips of a run as they come; `await clips.of(fingerprint)` gives a clip or an error."""

    def __init__(self) -> None:
        self._coming: dict[str, asyncio.Task[Outcome]] = {}

    def start(self, shop: Workshop, plan: Plan) -> None:
        """Begin to bring every clip home. What is in the store needs no task run."""
        room = {
            service: asyncio.Semaphore(provider.max_in_flight + DOWNLOADS)
            for service, provider in shop.providers.items()
        }
        # One copy for the run: results live beside the ledger, whatever PREFECT_HOME is.
        bring = generate_clip.with_options(result_storage=settings.home() / "prefect-results")
        for line in plan.lines:
            job = line.job
            if job.fingerprint in self._coming:
                continue

            async def one(job: Job = job, stored: bool = line.need == "stored") -> Outcome:
                try:
                    if stored:
                        clip = await self._stored(shop, job)
                        if clip:
                            return clip
                    if job.previous:
                        await self._parent(job)
                    async with room[job.service]:
                        shop.task_runs += 1
                        clip = await bring(job.name, job.fingerprint)
                        shop.watcher.state(job.fingerprint, "stored")
                        return clip
                except ShotreelError as error:
                    shop.watcher.state(job.fingerprint, "failed", error.message)
                    return error

            self._coming[job.fingerprint] = asyncio.create_task(one(), name=job.name)

    async def of(self, fingerprint: str) -> Outcome:
        return await asyncio.shield(self._coming[fingerprint])

    async def all(self) -> Mapping[str, Outcome]:
        """Every outcome, when all have ended. An error that is not a ShotreelError is raised."""
        await asyncio.wait(self._coming.values())
        return {key: task.result() for key, task in self._coming.items()}

    async def stop(self) -> None:
        """End what has not begun and let requests that are on their way be written down."""
        for task in self._coming.values():
            task.cancel()
        await asyncio.gather(*self._coming.values(), return_exceptions=True)

    async def _stored(self, shop: Workshop, job: Job) -> Clip | None:
        attempt = (await shop.book(shop.ledger.holders, [job.fingerprint])).get(job.fingerprint)
        return await from_store(shop, attempt) if attempt and attempt.clip_sha256 else None

    async def _parent(self, job: Job) -> None:
        assert job.previous is not None
        outcome = await self.of(job.previous)
        if not isinstance(outcome, Clip):
            raise RefusedError(
                f"{job.name} continues a shot that has no clip.",
                remedy="Nothing was bought for it. Mend the shot before, and run it again.",
            )


def delivered(outcomes: Mapping[str, Outcome], keys: Sequence[str]) -> list[Clip]:
    """The clips of these fingerprints that are there, in this order."""
    return [clip for key in keys if isinstance(clip := outcomes[key], Clip)]
