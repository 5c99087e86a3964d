"""ready -> stored: the paid clip comes home, whole and verified. Nothing here ever buys."""

from __future__ import annotations

import asyncio

from blocks.errors import ClipError, SetupError, UnreachableError
from blocks.files import sha256_file
from blocks.ledger import Attempt
from blocks.media.probe import probe
from blocks.providers.base import Again, Ready
from blocks.providers.download import Fetched, Vanished, download
from blocks.providers.retry import again_until
from flows.run.context import Clip, RunContext
from flows.shots.job import model_of

PATIENCE_S = 60.0
LOOKS = 3
"""Places asked for, and damaged files fetched again, before a person has to look."""


async def fetch(shop: RunContext, attempt: Attempt) -> Clip | None:
    """Download, open, count and keep the clip; None where the provider no longer has it.

    Raises ClipError where what comes is not a clip, UnreachableError where nothing comes,
    SetupError where it cannot be kept. Then the attempt stays ready: it is paid, and the next run
    fetches it.
    """
    async with shop.downloads:
        trouble: Vanished | ClipError | UnreachableError | None = None
        for look in range(LOOKS):
            url = attempt.media_url
            if look or attempt.id not in shop.fresh:
                url = await fresh_url(shop, attempt) or url
            assert url is not None
            try:
                found = await complete(shop, attempt, url)
                if isinstance(found, Fetched):
                    return await keep(shop, attempt)
                trouble = found
            except (ClipError, UnreachableError) as error:
                trouble = error
            except OSError as error:
                raise full(attempt, error) from None
    if isinstance(trouble, Vanished):
        cause = f"the provider no longer has it: {trouble.reason}"
        await shop.book(shop.ledger.mark_lost, attempt, cause)
        return None
    if isinstance(trouble, UnreachableError):
        raise trouble
    raise ClipError(
        f"{attempt.asked_of}: what the provider sends is no clip: {trouble}",
        paid="yes",
        request_id=attempt.request_id,
        remedy="It stays in the ledger as paid: run `shotreel recover` later, or show the "
        "provider the request.",
    )


async def complete(shop: RunContext, attempt: Attempt, url: str) -> Fetched | Vanished:
    part = shop.store.partial(attempt.id)
    hosts = shop.provider_of(attempt).trusted_hosts

    async def one_try() -> Fetched | Vanished | Again:
        return await download(shop.client, url, part, hosts)

    return await again_until(
        PATIENCE_S,
        one_try,
        attempt.asked_of,
        paid="yes",
        request_id=attempt.request_id,
    )


async def keep(shop: RunContext, attempt: Attempt) -> Clip:
    """Open the file, count its frames, and move it into the store. Raises ClipError."""
    part = shop.store.partial(attempt.id)
    try:
        info = await asyncio.to_thread(probe, part)
    except ClipError:
        part.unlink(missing_ok=True)  # whatever this is, it is no beginning of a clip
        raise
    sha256 = await asyncio.to_thread(sha256_file, part)
    path = await asyncio.to_thread(shop.store.keep, part, sha256)
    await shop.book(shop.ledger.mark_stored, attempt, sha256, info.num_frames)
    return Clip(attempt.fingerprint, attempt.id, sha256, info.num_frames, path, info)


async def fresh_url(shop: RunContext, attempt: Attempt) -> str | None:
    """Where the provider says, now, that the clip is; None where it does not say."""
    assert attempt.ticket is not None
    outcome = await shop.provider_of(attempt).poll(model_of(attempt), attempt.ticket)
    return outcome.media_url if isinstance(outcome, Ready) else None


def full(attempt: Attempt, error: OSError) -> SetupError:
    return SetupError(
        f"{attempt.shot_name} cannot be kept: {error.strerror or error}.",
        paid="yes",
        request_id=attempt.request_id,
        remedy="It is paid and not lost. Make room, then run the same command again.",
    )
