"""The one place that spends money: reserved -> posting -> what came of the POST."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

from blocks import settings, timing
from blocks.errors import (
    AccountPausedError,
    BudgetError,
    OutcomeUnknownError,
    PriceError,
    PricePendingError,
    RefusedError,
    SetupError,
    UnreachableError,
)
from blocks.files import replacing
from blocks.ledger import Attempt, fallback
from blocks.ledger.proof import CountAwaitedError
from blocks.ledger.states import OCCUPYING
from blocks.providers.base import Accepted, Again, Order, Paused, Provider, Refused, Ticket, Unknown
from blocks.providers.http import plain
from blocks.providers.model import Media, with_urls
from blocks.providers.retry import again_until
from flows.generate.generation import Generation
from flows.generate.settle import refusal_stands
from flows.planning.input_files import content_type, file_of
from flows.shots.job import InputFile, Job

PATIENCE_S = 30.0
LINE_S = 1.0
TWINS_PATIENCE_S = 900.0
STUCK_PATIENCE_S = 900.0
LAST_ANSWER_S = 15.0
"""What a run that is stopped waits for the answer to a request on its way: its id is worth a moment
more than a quick exit. Prefect's worker kills 30 s after it has told a run to end."""
LONG_WAIT_S = 60.0
"""The first in line that has waited so long is told about."""

InLine = Callable[[str], Awaitable[None]]
"""Called with the service's name, again and again while its account has no room."""


async def buy(run: Generation, job: Job, attempt: Attempt, in_line: InLine) -> None:
    """Send the attempt's one POST, when the account has room, and write down what came of it.

    Raises RefusedError, AccountPausedError, UnreachableError, PricePendingError, BudgetError; then
    nothing is owed.
    """
    provider = run.provider_of(attempt)
    try:
        stop_if_asked(run, attempt)
        attempt = await with_files(run, job, provider, attempt)
        await again_until(
            PATIENCE_S, lambda: post_when_room(run, job, provider, attempt, in_line), job.name
        )
    except (
        RefusedError,
        AccountPausedError,
        UnreachableError,
        PriceError,
        PricePendingError,
        BudgetError,
    ) as error:
        await run.ledger.book(run.ledger.release, attempt, error.message)
        raise


async def post_when_room(
    run: Generation, job: Job, provider: Provider, attempt: Attempt, in_line: InLine
) -> Attempt | Again:
    if has_twins(job):
        async with run.twins.setdefault(attempt.model, asyncio.Lock()):
            await twins_settled(run, attempt, in_line)
            return await post_in_turn(run, job, provider, attempt, in_line)
    return await post_in_turn(run, job, provider, attempt, in_line)


def has_twins(job: Job) -> bool:
    """Whether nothing in the request tells it from another one that asks for the same."""
    model = job.model
    marked = model.takes_seed or model.mark or job.files or job.previous
    return not marked and model.provider != "comfyui"


async def twins_settled(run: Generation, attempt: Attempt, in_line: InLine) -> None:
    """Wait until no request of the same body has an unknown outcome: of two that are alike, what
    the service lists could be either's. Raises UnreachableError where that takes too long."""
    gate, begun = run.gates[attempt.service], timing.monotonic()
    while True:
        freed = gate.freed
        open_ones = await run.ledger.book(
            run.ledger.in_states, ("posting", "unknown"), [attempt.service]
        )
        twins = [
            one
            for one in open_ones
            if one.id != attempt.id and (one.model, one.inputs) == (attempt.model, attempt.inputs)
        ]
        if not twins:
            return
        if timing.monotonic() - begun > TWINS_PATIENCE_S:
            raise UnreachableError(
                f"{attempt.shot_name} waits for {twins[0].shot_name}, which asks {attempt.model} "
                "for the very same and whose outcome is unknown: without a seed the two could not "
                "be told apart.",
                remedy="Nothing was bought for it. Settle the other one: `shotreel recover`.",
            )
        run.watcher.state(attempt.fingerprint, "reserved", f"waiting for {twins[0].shot_name}")
        await room_comes(freed, attempt.service, in_line)


async def post_in_turn(
    run: Generation, job: Job, provider: Provider, attempt: Attempt, in_line: InLine
) -> Attempt | Again:
    while True:
        try:
            claimed = await claimed_in_turn(run, job, provider, attempt, in_line)
            break
        except CountAwaitedError as awaited:
            # Out of the line: a request of another kind need not wait for this count.
            await count_comes(run, attempt, awaited.attempt_ids, in_line)
    if claimed.state != "posting":
        return claimed  # this process was taken for dead, and another goes on with it
    posting = asyncio.create_task(post(run, job, provider, claimed))
    try:
        return await asyncio.shield(posting)
    except asyncio.CancelledError:
        await asyncio.wait([posting], timeout=LAST_ANSWER_S)
        raise


def stop_where_stuck(
    run: Generation, attempt: Attempt, holding: Sequence[Attempt], waited_s: float
) -> None:
    """Raises UnreachableError where nobody makes room: this run has given up all that hold it,
    which others would take over when it has ended, or unknown outcomes do, which nobody settles."""
    if not holding or any(map(run.drives, holding)):
        return
    unknown = all(one.state == "unknown" for one in holding)
    if all(map(run.ledger.is_mine, holding)) or (unknown and waited_s > STUCK_PATIENCE_S):
        raise UnreachableError(
            f"{attempt.shot_name} waits for room at {attempt.service}, which {len(holding)} "
            f"requests hold whose outcome is unknown: {holding[0].shot_name} the longest.",
            remedy="Nothing was bought for it. Settle them: `shotreel recover`; then run the same "
            "command again.",
        )


def waits_for(attempt: Attempt, holding: Sequence[Attempt]) -> str:
    """For whom a shot waits that its account has no room for."""
    if not holding:
        return f"waiting for {attempt.service}: its requests of this minute are used up"
    oldest = holding[0]
    more = f" and {len(holding) - 1} more" if len(holding) > 1 else ""
    return f"waiting for room at {attempt.service}: {oldest.shot_name} ({oldest.state}){more}"


async def claimed_in_turn(
    run: Generation, job: Job, provider: Provider, attempt: Attempt, in_line: InLine
) -> Attempt:
    """What the ledger says when the account has room.

    Raises CountAwaitedError, and UnreachableError where nobody would make room.
    """
    gate = run.gates[attempt.service]
    async with gate.turn:
        begun, is_told = timing.monotonic(), False
        while True:
            stop_if_asked(run, attempt)
            freed = gate.freed
            claimed = await run.ledger.book(
                run.ledger.claim,
                attempt,
                provider.max_in_flight,
                provider.max_per_minute,
                provider.monthly_budget_usd,
                provider.clock.ahead or timedelta(0),
            )
            if claimed is not None:
                return claimed
            holding = await run.ledger.book(
                run.ledger.holding_room, attempt.service, attempt.account
            )
            stop_where_stuck(run, attempt, holding, timing.monotonic() - begun)
            why = waits_for(attempt, holding)
            run.watcher.state(attempt.fingerprint, "reserved", why)
            if not is_told and timing.monotonic() - begun > LONG_WAIT_S:
                is_told = True
                run.watcher.say(f"{job.name}: {why}")
            await room_comes(freed, attempt.service, in_line)


async def room_comes(freed: asyncio.Event, service: str, in_line: InLine) -> None:
    """Room made by this process is seen at once, by another within a second."""
    try:
        await asyncio.wait_for(freed.wait(), LINE_S)
    except TimeoutError:
        await in_line(service)


async def count_comes(
    run: Generation, attempt: Attempt, awaited: Sequence[str], in_line: InLine
) -> None:
    """Wait a while for what the service counts for these attempts.

    Raises PricePendingError where nobody will bring their counts in this run.
    """
    freed = run.gates[attempt.service].freed
    first_ones = [await run.ledger.book(run.ledger.get, id_) for id_ in awaited]
    sent = next((one for one in first_ones if one.state in OCCUPYING), None)
    if sent is None:
        return
    if all(run.ledger.is_mine(one) and not run.drives(one) for one in first_ones):
        raise PricePendingError(
            f"{attempt.shot_name} waits for what {attempt.service} counts for {sent.shot_name}, "
            f"whose outcome is unknown: no charge has confirmed the price of {attempt.model}.",
            remedy="Nothing was bought for it. Run `shotreel recover`, then the same command "
            "again.",
        )
    note = f"waits for the price of {sent.shot_name}"
    run.watcher.state(attempt.fingerprint, "reserved", note)
    await room_comes(freed, attempt.service, in_line)


async def post(run: Generation, job: Job, provider: Provider, attempt: Attempt) -> Attempt | Again:
    run.watcher.state(attempt.fingerprint, "posting")
    try:
        outcome = await provider.submit(order_of(run, job, attempt))
    except Exception as broken:  # noqa: BLE001 - whatever it was, the request may have arrived
        outcome = Unknown(f"{type(broken).__name__}: {plain(broken)}")
    match outcome:
        case Accepted(ticket):
            return await note_ticket(run, attempt, ticket)
        case Unknown(reason):
            return await run.ledger.book(run.ledger.mark_unknown, attempt, reason)
        case Again(reason):
            await run.ledger.book(run.ledger.put_back, attempt, reason)
            run.gates[attempt.service].free()
            return outcome
        case Refused(reason, proven):
            if not proven:
                attempt = await run.ledger.book(
                    run.ledger.mark_unknown, attempt, f"refused: {reason}"
                )
                if not await refusal_stands(run, attempt):
                    return attempt
            await run.ledger.book(run.ledger.release, attempt, reason)
            run.gates[attempt.service].free()
            raise RefusedError(
                f"{job.name} was refused: {reason}",
                remedy="Nothing was charged. Correct the shot and run the same command again.",
            )
        case Paused(reason, remedy):
            error = AccountPausedError(
                f"{attempt.service} account {attempt.account!r} does not buy: {reason}",
                remedy=remedy,
            )
            run.paused[attempt.service] = error
            attempt = await run.ledger.book(run.ledger.mark_unknown, attempt, f"refused: {reason}")
            if not await refusal_stands(run, attempt, of_account=True):
                return attempt
            await run.ledger.book(run.ledger.release, attempt, reason)
            run.gates[attempt.service].free()
            raise error


async def note_ticket(run: Generation, attempt: Attempt, ticket: Ticket) -> Attempt:
    """The request id goes to disk; where the ledger fails, to the file of last resort."""
    accepted = (attempt.id, ticket, attempt.fingerprint)
    try:
        noted_as = await run.ledger.book(run.ledger.mark_submitted, attempt, ticket)
        if noted_as.request_id != ticket.request_id:
            await run.ledger.book(run.ledger.book_late, noted_as, ticket)
            raise late(attempt, ticket, f"the attempt was {noted_as.state} by then")
        run.sent[attempt.id] = noted_as
        return noted_as
    except ValueError as error:
        raise late(attempt, ticket, str(error)) from None
    except SetupError as error:
        try:
            noted = f"is noted in {fallback.note(*accepted).name} beside the ledger"
        except OSError:
            noted = "could be noted nowhere: keep this line"
        run.stop = SetupError(
            f"{error.message} Request {ticket.request_id} was accepted and {noted}.",
            paid="unknown",
            request_id=ticket.request_id,
            remedy="Nothing more is bought. Mend the ledger's disk, then run `shotreel recover`.",
        )
        raise run.stop from None


def late(attempt: Attempt, ticket: Ticket, why: str) -> OutcomeUnknownError:
    """An answer that came when the attempt had ended without it: kept, for a person to look at."""
    fallback.note(attempt.id, ticket, attempt.fingerprint)
    return OutcomeUnknownError(
        f"{attempt.shot_name}: its request was accepted after all, too late: {why}.",
        paid="unknown",
        request_id=ticket.request_id,
        remedy="Look at the request at the provider. It is charged to its shot, as a clip that "
        "nobody uses, until the bill says more.",
    )


def stop_if_asked(run: Generation, attempt: Attempt) -> None:
    if run.stop:
        raise run.stop
    if attempt.service in run.paused:
        paused = run.paused[attempt.service]
        raise AccountPausedError(paused.message, remedy=paused.remedy)
    if found := run.overcharged.get((attempt.service, attempt.model)):
        raise AccountPausedError(
            f"{attempt.shot_name} was not bought: {attempt.model} is stopped. {found.message}",
            remedy=found.remedy,
        )


def order_of(run: Generation, job: Job, attempt: Attempt) -> Order:
    clock = run.provider_of(attempt).clock

    async def last_look() -> bool:
        ahead = clock.ahead or timedelta(0)
        return await run.ledger.book(run.ledger.about_to_send, attempt, ahead)

    return Order(
        attempt.id, job.model, attempt.inputs, settings.start_timeout_s(), last_look=last_look
    )


async def with_files(run: Generation, job: Job, provider: Provider, attempt: Attempt) -> Attempt:
    """The inputs as they are sent: files uploaded, each once for all that use it, and a mark where
    no seed tells the attempt from its twins: a service's field for one, or URLs of its own."""
    files = dict(job.files)
    if job.previous:
        for place, media in job.continues.items():
            files[place] = await file_of_previous(run, job.previous, media)
    model, own = job.model, not job.model.takes_seed
    urls = {place: await uploaded(run, provider, file, own=own) for place, file in files.items()}
    marks = {model.mark: f"shotreel-{attempt.id}"} if model.mark else {}
    if not urls and not marks:
        return attempt
    inputs = with_urls(attempt.inputs, urls) | marks
    attempt = await run.ledger.book(run.ledger.set_inputs, attempt, inputs)
    if urls and provider.quotes_bodies:
        # How long a sound or a video is, and so what the clip costs, is known with its URL.
        quote = await provider.price(model, inputs)
        if quote.cost_usd > attempt.cost_quoted_usd:
            attempt = await run.ledger.book(run.ledger.requote, attempt, quote)
    return attempt


async def uploaded(
    run: Generation, provider: Provider, file: InputFile, *, own: bool = False
) -> str:
    """Where the provider can read the file; `own`: at a URL that no other request names.

    Raises UnreachableError where the provider does not take it.
    """
    service, account, path = provider.service, provider.account, Path(file.path)
    async with run.uploads.setdefault((service, file.sha256), asyncio.Lock()):
        since = timing.now() - provider.uploads_kept
        known = run.ledger.uploaded_url
        url = None if own else await run.ledger.book(known, service, account, file.sha256, since)
        if url is None:
            url = await again_until(
                PATIENCE_S,
                lambda: provider.upload(path, file.content_type),
                f"Upload of {path.name} to {service}",
            )
            if not own:
                await run.ledger.book(run.ledger.note_upload, service, account, file.sha256, url)
    return url


async def file_of_previous(run: Generation, previous: Job, media: Media) -> InputFile:
    """The clip of the shot before; its last decoded frame as a PNG where a picture is wanted."""
    from blocks.media.probe import last_frame

    made = await run.ledger.book(run.ledger.holders, [j.fingerprint for j in previous.alternatives])
    stored = (made[j.fingerprint] for j in previous.alternatives if j.fingerprint in made)
    parent = next((attempt for attempt in stored if attempt.clip_sha256), None)
    clip = run.store.path(parent.clip_sha256) if parent and parent.clip_sha256 else None
    if not clip:
        raise RefusedError(
            "The shot before has no clip to continue from.",
            remedy="Nothing was bought for this shot. Mend the shot before, then run it again.",
        )
    if previous.is_still:
        return await asyncio.to_thread(picture_of, clip)
    if media == "video":
        return await asyncio.to_thread(file_of, clip, "video")
    frame = settings.home() / "pictures" / f"{clip.stem}.last.png"
    frame.parent.mkdir(parents=True, exist_ok=True)
    if not frame.exists():
        await asyncio.to_thread(last_frame, clip, frame)
    return await asyncio.to_thread(file_of, frame)


def picture_of(still: Path) -> InputFile:
    """A still under a name that says what it is: services go by it."""
    suffix = {"image/png": "png", "image/jpeg": "jpg"}.get(content_type(still) or "", "webp")
    named = settings.home() / "pictures" / f"{still.stem}.{suffix}"
    named.parent.mkdir(parents=True, exist_ok=True)
    if not named.exists():
        with replacing(named) as part:
            shutil.copyfile(still, part)
    return file_of(named)
