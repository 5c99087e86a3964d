"""Clips that the ledger does not know and Prefect's results do: its file was lost, or moved away.

They are in the store and paid for, so they are written down again before anything is planned; so
are requests that were noted beside a ledger whose file went away under them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from blocks import settings
from blocks.files import sha256_once
from blocks.ledger import Intent, Ledger, fallback
from flows.run.context import Clip


def results_folder() -> Path:
    """Prefect's results, beside the ledger, whatever PREFECT_HOME is."""
    return settings.home() / "prefect-results"


def read_clip(blob: bytes) -> Clip:
    """What a result of `generate-clip` says. Raises ValueError where its clip was altered."""
    values = json.loads(blob)
    clip = Clip(**{**values, "path": Path(values["path"])})
    if sha256_once(clip.path) != clip.sha256:
        raise ValueError("the clip was altered")
    return clip


def remembered(fingerprint: str) -> Clip | None:
    """The clip of a result that is whole and whose file is there."""
    try:
        record = json.loads((results_folder() / fingerprint).read_bytes())
        return read_clip(record["result"].encode())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def all_remembered(fingerprints: Sequence[str]) -> dict[str, Clip]:
    if not results_folder().is_dir():
        return {}
    return {key: clip for key in fingerprints if (clip := remembered(key))}


async def write_down_remembered(ledger: Ledger, intents: Sequence[Intent], film: str) -> int:
    """Adopt what is remembered of these, which the ledger does not know; gives their number."""
    found = 0
    sent = {noted.fingerprint: noted for noted in fallback.noted_requests()}
    clips = await asyncio.to_thread(all_remembered, [intent.fingerprint for intent in intents])
    for intent in intents:
        key = intent.fingerprint
        if clip := clips.get(key):
            stored = (clip.attempt_id, clip.sha256, clip.num_frames)
            found += await ledger.book(ledger.adopt_stored, intent, *stored, film)
        elif noted := sent.get(key):
            request = (noted.attempt_id, noted.ticket)
            found += await ledger.book(ledger.adopt_sent, intent, *request, film)
    return found
