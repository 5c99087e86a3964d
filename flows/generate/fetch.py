"""ready -> stored: the paid clip comes home, whole and verified. Nothing here ever buys."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic

from blocks.download import Fetched, Vanished, download
from blocks.errors import ClipError
from blocks.ledger import Attempt
from blocks.media import probe, sha256_file
from blocks.models import MODELS
from blocks.provider import Again, Ready
from blocks.retry import again_until
from flows.generate.workshop import Clip, Workshop

PATIENCE_S = 180.0
LOOKS = 3
"""Fresh URLs asked for, and damaged files fetched again, before a person has to look."""


async def fetch(shop: Workshop, attempt: Attempt) -> Clip | None:
    """Download, open, count and keep the clip; None where the provider no longer has it.

    Raises ClipError where what comes is not a clip, UnreachableError where nothing comes. Either
    way the attempt stays ready: it is paid, and the next run fetches it.
    """
    async with shop.downloads:
        part = shop.store.partial(attempt.id)
        trouble = ""
        for look in range(LOOKS):
            url = attempt.media_url if look == 0 else await fresh_url(shop, attempt)
            if url is None:
                continue
            outcome = await again_until(
                monotonic() + PATIENCE_S, partial(one_try, shop, attempt, url), attempt.id
            )
            if isinstance(outcome, Vanished):
                trouble = outcome.reason
                continue
            try:
                info = await asyncio.to_thread(probe, part)
            except ClipError as error:
                part.unlink(missing_ok=True)  # whatever this is, it is no beginning of a clip
                trouble = error.message
                continue
            sha256 = await asyncio.to_thread(sha256_file, part)
            path = await asyncio.to_thread(shop.store.keep, part, sha256)
            await shop.book(shop.ledger.mark_stored, attempt, sha256, info.num_frames)
            return Clip(attempt.fingerprint, attempt.id, sha256, info.num_frames, path)
    if trouble.startswith("HTTP"):
        await shop.book(shop.ledger.mark_lost, attempt, f"the provider no longer has it: {trouble}")
        return None
    raise ClipError(
        f"{attempt.sequence}/{attempt.shot}: what the provider sends is not a clip: {trouble}",
        paid="yes",
        request_id=attempt.request_id,
        remedy="It stays in the ledger as paid: run `shotreel recover` later, or show the "
        "provider the request.",
    )


async def one_try(shop: Workshop, attempt: Attempt, url: str) -> Fetched | Vanished | Again:
    hosts = shop.provider_of(attempt).trusted_hosts
    return await download(shop.client, url, shop.store.partial(attempt.id), hosts)


async def fresh_url(shop: Workshop, attempt: Attempt) -> str | None:
    """Where the provider says, today, that the clip is."""
    assert attempt.ticket is not None
    outcome = await shop.provider_of(attempt).poll(MODELS[attempt.model], attempt.ticket)
    if isinstance(outcome, Ready):
        return outcome.media_url
    if isinstance(outcome, Again):
        await asyncio.sleep(1)
    return None
