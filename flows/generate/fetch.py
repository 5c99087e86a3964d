"""ready -> stored: the paid clip comes home, whole and verified. Nothing here ever buys."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blocks import timing
from blocks.errors import ClipError, FailedError, LostError, Paid, SetupError, UnreachableError
from blocks.files import sha256_file
from blocks.ledger import Attempt
from blocks.media.probe import MediaInfo, probe
from blocks.providers.base import Again, Failed, Ready
from blocks.providers.comfyui.account import ComfyUI
from blocks.providers.download import Fetched, Patience, Vanished, download
from blocks.providers.retry import again_until, backoff
from blocks.storage.clip_store import CLIP_SUFFIX
from flows.generate.generation import Generation
from flows.planning.input_files import picture_suffix
from flows.run.context import Clip
from flows.shots.input_file import picture_fault
from flows.shots.job import model_of

PATIENCE_S = 60.0
LOOKS = 3
"""Places asked for, and damaged files fetched again, before what comes is taken for what it is."""


async def fetch(run: Generation, attempt: Attempt) -> Clip | None:
    """Download, open, count and keep the clip; None where it cost nothing and is gone.

    Raises LostError where the provider no longer gives it, FailedError where what it gives is no
    clip; UnreachableError where nothing comes, SetupError where it cannot be kept: then the
    attempt stays ready.
    """
    trouble: Vanished | ClipError | UnreachableError | None = None
    tries, patience_s, patience = 0, vanished_for_s(run, attempt), Patience()
    begun = timing.monotonic()
    while True:
        tries += 1
        url = attempt.media_url
        if tries > 1 or attempt.id not in run.fresh:
            url = await fresh_url(run, attempt) or url
        assert url is not None
        try:
            async with run.downloads:
                found = await complete(run, attempt, url, patience)
                if isinstance(found, Fetched):
                    return await keep(run, attempt)
            trouble = found
        except (ClipError, UnreachableError) as error:
            trouble = error
        except OSError as error:
            raise full(attempt, error) from None
        waited = isinstance(trouble, Vanished) and timing.monotonic() - begun < patience_s
        if tries >= LOOKS and not waited:
            break
        run.watcher.state(attempt.fingerprint, "ready", f"asking again: {trouble}")
        await asyncio.sleep(backoff(tries))
    if isinstance(trouble, UnreachableError) and not too_old(run, attempt):
        raise trouble
    if isinstance(trouble, Vanished | UnreachableError):
        cause = f"the provider no longer has it: {reason_of(trouble)}"
        attempt = await run.ledger.book(run.ledger.mark_lost, attempt, cause)
        if attempt.price_source == "no_price":
            return None
        raise lost(attempt)
    raise await no_clip(run, attempt, trouble)


def reason_of(trouble: Vanished | UnreachableError) -> str:
    return trouble.reason if isinstance(trouble, Vanished) else trouble.message


def too_old(run: Generation, attempt: Attempt) -> bool:
    """Whether the provider no longer promises to have it."""
    sent_at = attempt.posted_at or attempt.created_at
    provider = run.provider_of(attempt)
    return provider.clock.now() - sent_at > provider.kept


def vanished_for_s(run: Generation, attempt: Attempt) -> float:
    """How long a file that is not there (yet) is asked for: as long as a request may turn up."""
    ended_at = attempt.ended_at or timing.now()
    ago_s = (timing.now() - ended_at).total_seconds()
    return run.provider_of(attempt).gone_s - ago_s


async def no_clip(run: Generation, attempt: Attempt, trouble: ClipError | None) -> FailedError:
    """ready -> failed: again and again the same thing came, and it is no clip."""
    cause = f"what the provider sends is no clip: {trouble}"
    charged: Paid = "no" if attempt.price_source == "no_price" else "yes"
    await run.ledger.book(run.ledger.mark_failed, attempt, Failed(cause, charged))
    remedy = (
        "Nothing is owed for it. Correct the workflow, and run the same command again."
        if charged == "no"
        else "Show the provider the request; `shotreel recover` looks again while it has the file. "
        f"To buy the very same again, first run `shotreel recover --release {attempt.id}`."
    )
    return FailedError(
        f"{attempt.asked_of}: {cause}", paid=charged, request_id=attempt.request_id, remedy=remedy
    )


def lost(attempt: Attempt) -> LostError:
    return LostError(
        f"{attempt.shot_name}: {attempt.cause}",
        paid=attempt.charged or "unknown",
        request_id=attempt.request_id,
        remedy="Run `shotreel recover` later: the provider is asked for it while it may have it. "
        f"To buy the very same again, first run `shotreel recover --release {attempt.id}`.",
    )


async def complete(
    run: Generation, attempt: Attempt, url: str, patience: Patience
) -> Fetched | Vanished:
    part = run.store.partial(attempt.id)
    provider = run.provider_of(attempt)
    # A server of one's own may want its password for files too; a service's media are public.
    auth = provider.media_auth(url) if isinstance(provider, ComfyUI) else None

    async def one_try() -> Fetched | Vanished | Again:
        return await download(run.client, url, part, provider.trusted_hosts, patience, auth)

    return await again_until(
        PATIENCE_S,
        one_try,
        attempt.asked_of,
        paid="yes",
        request_id=attempt.request_id,
    )


async def keep(run: Generation, attempt: Attempt) -> Clip:
    """Open the file, count its frames, and move it into the store. Raises ClipError."""
    part = run.store.partial(attempt.id)
    makes = model_of(attempt).makes
    info: MediaInfo | None = None
    try:
        if makes == "image":
            await asyncio.to_thread(check_picture, part)
        else:
            info = await asyncio.to_thread(probe, part)
    except ClipError:
        part.unlink(missing_ok=True)  # whatever this is, it is no beginning of a clip
        raise
    sha256 = await asyncio.to_thread(sha256_file, part)
    suffix = (picture_suffix(part) if makes == "image" else None) or CLIP_SUFFIX
    path = await asyncio.to_thread(run.store.keep, part, sha256, suffix)
    num_frames = info.num_frames if info else 1
    await run.ledger.book(run.ledger.mark_stored, attempt, sha256, num_frames)
    return Clip(attempt.fingerprint, attempt.id, sha256, num_frames, path, info)


def check_picture(path: Path) -> None:
    """Raises ClipError for what is no picture that a clip can begin with."""
    if fault := picture_fault(path):
        raise ClipError(f"it {fault}")


async def fresh_url(run: Generation, attempt: Attempt) -> str | None:
    """Where the provider says, now, that the clip is; None where it does not say."""
    assert attempt.ticket is not None
    outcome = await run.provider_of(attempt).poll(model_of(attempt), attempt.ticket)
    return outcome.media_url if isinstance(outcome, Ready) else None


def full(attempt: Attempt, error: OSError) -> SetupError:
    return SetupError(
        f"{attempt.shot_name} cannot be kept: {error.strerror or error}.",
        paid="yes",
        request_id=attempt.request_id,
        remedy="It is paid and not lost. Make room, then run the same command again.",
    )
