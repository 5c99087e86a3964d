"""The one place that spends money: reserved -> posting -> what came of the POST."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from blocks import settings
from blocks.errors import AccountPausedError, RefusedError, SetupError, UnreachableError
from blocks.http import SUBMIT_TIMEOUT_S
from blocks.ledger import Attempt, emergency
from blocks.ledger.owner import SILENT
from blocks.provider import Accepted, Again, Order, Paused, Provider, Refused, Ticket, Unknown
from blocks.retry import again_until
from flows.generate.job import Job, Picture
from flows.generate.pictures import picture_of
from flows.generate.workshop import Workshop

PATIENCE_S = 30.0
LINE_S = 1.0
UPLOADS_KEPT = timedelta(days=6)
"""WaveSpeed deletes uploads after seven days."""


async def buy(shop: Workshop, job: Job, attempt: Attempt) -> None:
    """Send the attempt's one POST, when the account has room, and write down what came of it.

    Raises RefusedError, AccountPausedError, UnreachableError; then nothing is owed.
    """
    provider = shop.provider_of(attempt)
    try:
        stop_if_told(shop, attempt)
        attempt = await with_picture(shop, job, provider, attempt)
        await again_until(
            monotonic() + PATIENCE_S, lambda: post_when_room(shop, job, provider, attempt), job.name
        )
    except (RefusedError, AccountPausedError, UnreachableError) as error:
        await shop.book(shop.ledger.release, attempt, error.message)
        raise


async def post_when_room(
    shop: Workshop, job: Job, provider: Provider, attempt: Attempt
) -> Attempt | Again:
    gate = shop.gates[attempt.service]
    async with gate.turn:
        while True:
            stop_if_told(shop, attempt)
            gate.freed.clear()
            claimed = await shop.book(shop.ledger.claim, attempt, provider.max_in_flight)
            if claimed is not None:
                break
            try:  # room made by this process is seen at once, by another within a second
                await asyncio.wait_for(gate.freed.wait(), LINE_S)
            except TimeoutError:
                continue
    if claimed.state != "posting":
        return claimed  # this process was taken for dead, and another goes on with it
    posting = asyncio.create_task(post(shop, job, provider, claimed))
    try:
        return await asyncio.shield(posting)
    except asyncio.CancelledError:
        # The request is on its way: its id is worth a moment more than a quick exit.
        await asyncio.wait([posting], timeout=SUBMIT_TIMEOUT_S)
        raise


async def post(shop: Workshop, job: Job, provider: Provider, attempt: Attempt) -> Attempt | Again:
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


async def note_ticket(shop: Workshop, attempt: Attempt, ticket: Ticket) -> Attempt:
    """The request id goes to disk; where the ledger fails, to the file of last resort."""
    try:
        return await shop.book(shop.ledger.mark_submitted, attempt, ticket)
    except SetupError as error:
        place = emergency.note(attempt.id, ticket)
        shop.stop = SetupError(
            f"{error.message} Request {ticket.request_id} was accepted and is noted in "
            f"{place.name} beside the ledger.",
            paid="unknown",
            request_id=ticket.request_id,
            remedy="Nothing more is bought. Mend the ledger's disk, then run `shotreel recover`.",
        )
        raise shop.stop from None


def slept_since(attempt: Attempt) -> bool:
    """Whether this process was suspended between its claim and now."""
    assert attempt.posted_at is not None
    return datetime.now(UTC) - attempt.posted_at > SILENT / 2


def stop_if_told(shop: Workshop, attempt: Attempt) -> None:
    if shop.stop:
        raise shop.stop
    if attempt.service in shop.paused:
        paused = shop.paused[attempt.service]
        raise AccountPausedError(paused.message, remedy=paused.remedy)


def order_of(job: Job, attempt: Attempt) -> Order:
    return Order(attempt.id, job.model, attempt.inputs, settings.start_timeout_s())


async def with_picture(shop: Workshop, job: Job, provider: Provider, attempt: Attempt) -> Attempt:
    """Upload the shot's picture, once for all that use it, and put its URL into the inputs."""
    picture = job.picture
    if job.previous:
        picture = await last_frame_of(shop, job.previous)
    if picture is None:
        return attempt
    key = (attempt.service, picture.sha256)
    async with shop.uploads.setdefault(key, asyncio.Lock()):
        since = datetime.now(UTC) - UPLOADS_KEPT
        url = await shop.book(
            shop.ledger.uploaded_url, attempt.service, attempt.account, picture.sha256, since
        )
        if url is None:
            url = await provider.upload(Path(picture.path), picture.content_type)
            await shop.book(
                shop.ledger.note_upload, attempt.service, attempt.account, picture.sha256, url
            )
    return await shop.book(shop.ledger.set_inputs, attempt, {**attempt.inputs, "image": url})


async def last_frame_of(shop: Workshop, fingerprint: str) -> Picture:
    """The last decoded frame of a clip that is in the store, as a PNG."""
    from blocks.media import last_frame

    parent = (await shop.book(shop.ledger.holders, [fingerprint])).get(fingerprint)
    clip = parent and parent.clip_sha256 and shop.store.path(parent.clip_sha256)
    if not clip:
        raise RefusedError(
            "The shot before has no clip to continue from.",
            remedy="Nothing was bought for this shot. Mend the shot before, then run it again.",
        )
    frame = settings.home() / "pictures" / f"{clip.stem}.last.png"
    frame.parent.mkdir(parents=True, exist_ok=True)
    if not frame.exists():
        await asyncio.to_thread(last_frame, clip, frame)
    return await asyncio.to_thread(picture_of, frame)
