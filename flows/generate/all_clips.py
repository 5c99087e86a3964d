"""All clips of a plan, beside each other, none taking another with it."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from blocks.errors import (
    AccountPausedError,
    AwaitsApprovalError,
    RefusedError,
    SetupError,
    ShotreelError,
)
from blocks.providers.http import plain
from flows.generate.generation import DOWNLOADS, Generation
from flows.generate.lifecycle import from_store
from flows.planning.plan import Need, Plan, awaits_approval
from flows.run.context import Clip
from flows.shots.job import Job

Outcome = Clip | ShotreelError
Obtain = Callable[[Job], Coroutine[Any, Any, Clip]]

MAX_SHOWN = 200
"""Stored clips of a run for which Prefect shows a task run, in state Cached: each takes time."""

MadeElsewhere = Callable[[str], Awaitable[bool]]
"""Whether others were at work on a fingerprint; returns when they no longer are."""


async def made_here(fingerprint: str) -> bool:
    return False


class Clips:
    """The clips of a run as they come; `await clips.of(fingerprint)` gives a clip or an error."""

    def __init__(self, obtain: Obtain, footage: Obtain, max_shown: int = 0) -> None:
        self._obtain = obtain
        self._max_shown = max_shown
        self._footage = footage
        self._coming: dict[str, asyncio.Task[Outcome]] = {}
        """By the fingerprint of the job that was planned."""
        self._tried: dict[str, asyncio.Task[Clip]] = {}
        """By the fingerprint of the job that was taken for it: two shots may come to the same."""
        self._taken: dict[str, Job] = {}
        self._stills: set[str] = set()

    def start(self, run: Generation, plan: Plan, made_elsewhere: MadeElsewhere = made_here) -> None:
        """Begin to obtain every clip. `max_shown` clips that are in the store are so by a task
        run, which Prefect finds in its cache; of more there is none."""
        room = {
            service: asyncio.Semaphore(provider.max_in_flight + DOWNLOADS)
            for service, provider in run.providers.items()
        }

        stored = {line.job.fingerprint for line in plan.every if line.need == "stored"}
        shown = stored if len(stored) <= self._max_shown else frozenset[str]()

        async def obtain(job: Job) -> Clip:
            run.task_runs += 1
            return await self._obtain(job)

        async def obtain_in_turn(job: Job) -> Clip:
            async with room[job.service]:
                return await obtain(job)

        async def one(job: Job, need: Need) -> Outcome:
            try:
                if need == "waits":
                    raise waiting(job)
                if job.is_own:
                    footage = await self._footage(job)
                    run.watcher.state(job.fingerprint, "stored")
                    return footage
                is_made = await made_elsewhere(job.fingerprint) or need == "stored"
                clip = await self._stored(run, job) if is_made else None
                if clip is None:
                    await self._parent(job)
                    clip = await self._first_that_sells(job, obtain_in_turn)
                    run.watcher.state(job.fingerprint, "stored")
                elif job.fingerprint in shown:
                    await obtain(job)  # Prefect finds it in its cache; the ledger's clip counts
                return clip
            except ShotreelError as error:
                run.watcher.state(job.fingerprint, "failed", error.message)
                return error
            except Exception as error:  # noqa: BLE001 - one clip's trouble is no other clip's
                run.watcher.state(job.fingerprint, "failed", type(error).__name__)
                return unforeseen(job, error)

        whole = asyncio.current_task()

        def ended(task: asyncio.Task[Outcome]) -> None:
            # What Prefect raises at SIGTERM may land in one clip's task: it is meant for the run.
            if whole and not task.cancelled() and task.exception():
                whole.cancel()

        self._stills = {line.job.fingerprint for line in plan.stills}
        for line in plan.every:
            job = line.job
            if line.need != "out" and job.fingerprint not in self._coming:
                coming = asyncio.create_task(one(job, line.need), name=job.name)
                coming.add_done_callback(ended)
                self._coming[job.fingerprint] = coming

    async def _first_that_sells(
        self, job: Job, obtain: Callable[[Job], Coroutine[Any, Any, Clip]]
    ) -> Clip:
        """The clip of the job, or of the first alternative that does not refuse it.

        Only a refusal that cost nothing leads on: what may have been paid for is waited for.
        """
        refusal: RefusedError | AccountPausedError | None = None
        for choice in job.alternatives:
            self._taken[job.fingerprint] = choice
            key = choice.fingerprint
            if key not in self._tried:
                self._tried[key] = asyncio.create_task(obtain(choice), name=choice.name)
            try:
                return await asyncio.shield(self._tried[key])
            except (RefusedError, AccountPausedError) as error:
                refusal = error
        assert refusal is not None
        raise refusal

    async def of(self, fingerprint: str) -> Outcome:
        return await asyncio.shield(self._coming[fingerprint])

    async def all(self) -> Mapping[str, Outcome]:
        """Every outcome but of stills, when all have ended, by the fingerprint of the job that was
        taken."""
        await asyncio.wait(self._coming.values())
        return {
            self._taken[key].fingerprint if key in self._taken else key: task.result()
            for key, task in self._coming.items()
            if key not in self._stills
        }

    @asynccontextmanager
    async def beside(
        self, keys: Iterable[str], act: Callable[[Clip], Awaitable[object]]
    ) -> AsyncIterator[None]:
        """While the block lasts, act on each of these clips that arrives, one at a time."""
        turn = asyncio.Semaphore(1)

        async def one(key: str) -> None:
            clip = await self.of(key)
            if isinstance(clip, Clip):
                async with turn:
                    await act(clip)

        async def every() -> None:
            await asyncio.gather(*map(one, dict.fromkeys(keys)), return_exceptions=True)

        acting = asyncio.create_task(every())
        try:
            yield
        finally:
            acting.cancel()
            with suppress(asyncio.CancelledError):
                await acting

    def as_made(self, plan: Plan) -> Plan:
        """The plan with the jobs that were taken, for the bill and the manifest."""

        def taken(job: Job) -> Job:
            # Shots that share a clip keep their own names: each one's own job, not the first's.
            key = self._taken.get(job.fingerprint, job).fingerprint
            return next((own for own in job.alternatives if own.fingerprint == key), job)

        lines = tuple(replace(line, job=taken(line.job)) for line in plan.lines)
        return replace(plan, lines=lines)

    async def stop(self) -> None:
        """End what has not begun and let requests that are on their way be written down."""
        tasks = (*self._coming.values(), *self._tried.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stored(self, run: Generation, job: Job) -> Clip | None:
        attempt = await run.ledger.book(run.ledger.holder, job.fingerprint)
        return await from_store(run, attempt) if attempt and attempt.clip_sha256 else None

    async def _parent(self, job: Job) -> None:
        """Wait for the clip that the job goes on from. Raises RefusedError where there is none."""
        if job.previous is None:
            return
        coming = (j.fingerprint for j in job.previous.alternatives)
        known = next((key for key in coming if key in self._coming), None)
        outcome = await self.of(known) if known else None
        if isinstance(outcome, ShotreelError) and job.previous.is_still:
            raise RefusedError(
                f"{job.name} has no still to begin with: {outcome.message}",
                remedy="Nothing was bought for the clip. Mend the still, and run it again.",
            )
        if not isinstance(outcome, Clip):
            raise RefusedError(
                f"{job.name} continues a shot that has no clip.",
                remedy="Nothing was bought for it. Mend the shot before, and run it again.",
            )


def waiting(job: Job) -> AwaitsApprovalError:
    if not awaits_approval(job):
        return AwaitsApprovalError(
            f"{job.name} was not bought: this run makes stills alone.",
            remedy="`shotreel make` without --stills makes its clip.",
        )
    return AwaitsApprovalError(
        f"{job.name} waits for the approval of its still.",
        remedy="Nothing was bought for the clip. Look at the still, then `shotreel approve`.",
    )


def unforeseen(job: Job, error: Exception) -> SetupError:
    return SetupError(
        f"{job.name} ended with {type(error).__name__}: {plain(error)}.",
        paid="unknown",
        remedy="What was bought for it is not lost: run the same command again. The task's log "
        "has the details.",
    )


def delivered(outcomes: Mapping[str, Outcome], keys: Sequence[str]) -> list[Clip]:
    """The clips of these fingerprints that are there, in this order."""
    return [clip for key in keys if isinstance(clip := outcomes[key], Clip)]
