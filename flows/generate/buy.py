"""The one place that spends money: reserved -> posting -> what came of the POST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from blocks import settings
from blocks.errors import (
    AccountPausedError,
    OutcomeUnknownError,
    RefusedError,
    SetupError,
    UnreachableError,
)
from blocks.ledger import Attempt, fallback
from blocks.ledger.owners import SILENT
from blocks.providers.base import Accepted, Again, Order, Paused, Provider, Refused, Ticket, Unknown
from blocks.providers.http import SUBMIT_TIMEOUT_S
from blocks.providers.model import Media, with_urls
from blocks.providers.retry import again_until
from flows.planning.input_files import file_of
from flows.run.context import RunContext
from flows.shots.job import InputFile, Job

PATIENCE_S = 30.0
LINE_S = 1.0

InLine = Callable[[str], Awaitable[None]]
"""Called with the service's name, again and again while its account has no room."""


async def buy(shop: RunContext, job: Job, attempt: Attempt, in_line: InLine) -> None:
    """Send the attempt's one POST, when the account has room, and write down what came of it.

    Raises RefusedError, AccountPausedError, UnreachableError; then nothing is owed.
    """
    provider = shop.provider_of(attempt)
    try:
        stop_if_told(shop, attempt)
        attempt = await with_files(shop, job, provider, attempt)
        await again_until(
            PATIENCE_S, lambda: post_when_room(shop, job, provider, attempt, in_line), job.name
        )
    except (RefusedError, AccountPausedError, UnreachableError) as error:
        await shop.book(shop.ledger.release, attempt, error.message)
        raise


async def post_when_room(
    shop: RunContext, job: Job, provider: Provider, attempt: Attempt, in_line: InLine
) -> Attempt | Again:
    gate = shop.gates[attempt.service]
    async with gate.turn:
        while True:
            stop_if_told(shop, attempt)
            gate.freed.clear()
            claimed = await shop.book(
                shop.ledger.claim, attempt, provider.max_in_flight, provider.max_per_minute
            )
            if claimed is not None:
                break
            try:  # room made by this process is seen at once, by another within a second
                await asyncio.wait_for(gate.freed.wait(), LINE_S)
            except TimeoutError:
                await in_line(attempt.service)
    if claimed.state != "posting":
        return claimed  # this process was taken for dead, and another goes on with it
    posting = asyncio.create_task(post(shop, job, provider, claimed))
    try:
        return await asyncio.shield(posting)
    except asyncio.CancelledError:
        # The request is on its way: its id is worth a moment more than a quick exit.
        await asyncio.wait([posting], timeout=SUBMIT_TIMEOUT_S)
        raise


async def post(shop: RunContext, job: Job, provider: Provider, attempt: Attempt) -> Attempt | Again:
    if slept_since(attempt):
        # Others may have settled it by now: nothing was sent, so the claim is given back.
        return await shop.book(shop.ledger.put_back, attempt, "the process slept before it sent it")
    order = order_of(job, attempt)
    shop.watcher.state(attempt.fingerprint, "posting")
    outcome = await provider.submit(order)
    match outcome:
        case Accepted(ticket):
            return await note_ticket(shop, attempt, ticket)
        case Unknown(reason):
            return await shop.book(shop.ledger.mark_unknown, attempt, reason)
        case Again(reason):
            await shop.book(shop.ledger.put_back, attempt, reason)
            shop.gates[attempt.service].freed.set()
            return outcome
        case Refused(reason):
            await shop.book(shop.ledger.release, attempt, reason)
            shop.gates[attempt.service].freed.set()
            raise RefusedError(
                f"{job.name} was refused: {reason}",
                remedy="Nothing was charged. Correct the shot and run the same command again.",
            )
        case Paused(reason, remedy):
            await shop.book(shop.ledger.release, attempt, reason)
            shop.gates[attempt.service].freed.set()
            error = AccountPausedError(
                f"{attempt.service} account {attempt.account!r} does not buy: {reason}",
                remedy=remedy,
            )
            shop.paused[attempt.service] = error
            raise error


async def note_ticket(shop: RunContext, attempt: Attempt, ticket: Ticket) -> Attempt:
    """The request id goes to disk; where the ledger fails, to the file of last resort."""
    try:
        noted_as = await shop.book(shop.ledger.mark_submitted, attempt, ticket)
        if noted_as.request_id != ticket.request_id:
            raise late(attempt, ticket, f"the attempt was {noted_as.state} by then")
        shop.sent.add(attempt.id)
        return noted_as
    except ValueError as error:
        raise late(attempt, ticket, str(error)) from None
    except SetupError as error:
        try:
            noted = f"is noted in {fallback.note(attempt.id, ticket).name} beside the ledger"
        except OSError:
            noted = "could be noted nowhere: keep this line"
        shop.stop = SetupError(
            f"{error.message} Request {ticket.request_id} was accepted and {noted}.",
            paid="unknown",
            request_id=ticket.request_id,
            remedy="Nothing more is bought. Mend the ledger's disk, then run `shotreel recover`.",
        )
        raise shop.stop from None


def late(attempt: Attempt, ticket: Ticket, why: str) -> OutcomeUnknownError:
    """An answer that came when the attempt had ended without it: kept, for a person to look at."""
    fallback.note(attempt.id, ticket)
    return OutcomeUnknownError(
        f"{attempt.shot_name}: its request was accepted after all, too late: {why}.",
        paid="unknown",
        request_id=ticket.request_id,
        remedy="Look at the request at the provider; it is noted beside the ledger.",
    )


def slept_since(attempt: Attempt) -> bool:
    """Whether this process was suspended between its claim and now."""
    assert attempt.posted_at is not None
    return datetime.now(UTC) - attempt.posted_at > SILENT / 2


def stop_if_told(shop: RunContext, attempt: Attempt) -> None:
    if shop.stop:
        raise shop.stop
    if attempt.service in shop.paused:
        paused = shop.paused[attempt.service]
        raise AccountPausedError(paused.message, remedy=paused.remedy)


def order_of(job: Job, attempt: Attempt) -> Order:
    return Order(attempt.id, job.model, attempt.inputs, settings.start_timeout_s())


async def with_files(shop: RunContext, job: Job, provider: Provider, attempt: Attempt) -> Attempt:
    """Upload the shot's files, each once for all that use it, and put their URLs in the inputs."""
    files = dict(job.files)
    if job.previous:
        for place, media in job.continues.items():
            files[place] = await file_of_previous(shop, job.previous, media)
    if not files:
        return attempt
    urls = {place: await uploaded(shop, provider, file) for place, file in files.items()}
    return await shop.book(shop.ledger.set_inputs, attempt, with_urls(attempt.inputs, urls))


async def uploaded(shop: RunContext, provider: Provider, file: InputFile) -> str:
    """Where the provider can read the file. Raises UnreachableError where it does not take it."""
    service, account, path = provider.service, provider.account, Path(file.path)
    async with shop.uploads.setdefault((service, file.sha256), asyncio.Lock()):
        since = datetime.now(UTC) - provider.uploads_kept
        url = await shop.book(shop.ledger.uploaded_url, service, account, file.sha256, since)
        if url is None:
            url = await again_until(
                PATIENCE_S,
                lambda: provider.upload(path, file.content_type),
                f"Upload of {path.name} to {service}",
            )
            await shop.book(shop.ledger.note_upload, service, account, file.sha256, url)
    return url


async def file_of_previous(shop: RunContext, previous: Job, media: Media) -> InputFile:
    """The clip of the shot before; its last decoded frame as a PNG where a picture is wanted."""
    from blocks.media.probe import last_frame

    made = await shop.book(shop.ledger.holders, [j.fingerprint for j in previous.alternatives])
    stored = (made[j.fingerprint] for j in previous.alternatives if j.fingerprint in made)
    parent = next((attempt for attempt in stored if attempt.clip_sha256), None)
    clip = shop.store.path(parent.clip_sha256) if parent and parent.clip_sha256 else None
    if not clip:
        raise RefusedError(
            "The shot before has no clip to continue from.",
            remedy="Nothing was bought for this shot. Mend the shot before, then run it again.",
        )
    if media == "video":
        return await asyncio.to_thread(file_of, clip, "video")
    frame = settings.home() / "pictures" / f"{clip.stem}.last.png"
    frame.parent.mkdir(parents=True, exist_ok=True)
    if not frame.exists():
        await asyncio.to_thread(last_frame, clip, frame)
    return await asyncio.to_thread(file_of, frame)
