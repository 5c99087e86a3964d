"""Footage of one's own: the file goes into the store, and no request is made."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from blocks.errors import ClipError, SetupError
from blocks.files import sha256_file
from blocks.ledger import Intent
from blocks.media.probe import probe
from blocks.providers.footage import CLIP
from blocks.storage.clip_store import ClipStore
from flows.run.context import Clip, RunContext
from flows.shots.job import InputFile, Job


async def keep_footage(run: RunContext, job: Job, intent: Intent) -> Clip:
    """The job's own clip, from the store; the ledger notes it, for nothing.

    Raises ClipError for a file that is no clip, or was changed since it was looked at.
    """
    file = job.files[CLIP]
    try:
        path = await asyncio.to_thread(_stored, run.store, file)
    except OSError as error:
        raise SetupError(
            f"{job.name} cannot be kept: {error.strerror or error}.",
            remedy="Nothing was paid for it. Make room, then run the same command again.",
        ) from None
    info = await asyncio.to_thread(probe, path)
    ledger = run.ledger
    held = await ledger.book(ledger.holder, job.fingerprint)
    if held is None:
        told = {CLIP: shown(job.shot.files[CLIP]), "frames_per_second": float(info.rate)}
        intent = replace(intent, inputs={**intent.inputs, **told})
        facts = (uuid4().hex, file.sha256, info.num_frames, "")
        await ledger.book(ledger.adopt_stored, intent, *facts, run_id=run.run_id)
        held = await ledger.book(ledger.holder, job.fingerprint)
        assert held is not None
    return Clip(job.fingerprint, held.id, file.sha256, info.num_frames, path, info)


def shown(name: str) -> str:
    """A file's name, or its URL without a query: keys stand there."""
    if not name.startswith(("http://", "https://")):
        return Path(name).name
    parts = urlsplit(name)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _stored(store: ClipStore, file: InputFile) -> Path:
    if path := store.path(file.sha256):
        return path
    part = store.partial(f"own-{uuid4().hex}")
    try:
        shutil.copyfile(file.path, part)
        if sha256_file(part) != file.sha256:
            raise ClipError(f"{Path(file.path).name} was changed while the film was planned.")
        return store.keep(part, file.sha256)
    finally:
        part.unlink(missing_ok=True)
