"""What a list asks for that its last run did not."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from blocks.ledger import Ledger
from blocks.ledger.queries import chunks
from blocks.ledger.tables import attempts, runs
from flows.planning.plan import Line

MAX_EXPLAINED = 2_000
"""Changed shots of which it is said what has changed."""

Key = tuple[str, str, int]
"""Sequence, shot, take."""


@dataclass(frozen=True)
class Before:
    """The newest attempt of a take in the runs of this list."""

    attempt_id: str
    fingerprint: str
    model: str
    created_at: datetime


@dataclass(frozen=True)
class Asked:
    """What an attempt was asked with."""

    inputs: Mapping[str, Any]
    seed: int | None


@dataclass(frozen=True)
class Change:
    name: str
    what: tuple[str, ...]
    """The columns that differ; empty where it is only what the clip goes on from."""


@dataclass(frozen=True)
class Changes:
    """`since` is None where the list was never made here."""

    since: datetime | None
    new: tuple[str, ...]
    changed: tuple[Change, ...]
    removed: tuple[str, ...]
    unchanged: int


def changes_of(
    lines: Sequence[Line],
    before: Mapping[Key, Before],
    asked: Mapping[str, Asked],
    last: Collection[Key] | None,
) -> Changes:
    """`last` are the takes of the last manifest; None: there is none to be read."""
    now = {key_of(line): line for line in lines}
    new = [name_of(key) for key in now if key not in before]
    changed = []
    for key, line in now.items():
        was = before.get(key)
        if was is None or was.fingerprint in {job.fingerprint for job in line.job.alternatives}:
            continue
        changed.append(Change(name_of(key), difference(line, was, asked.get(was.attempt_id))))
    gone = [key for key in before if key not in now and (last is None or key in last)]
    return Changes(
        max((was.created_at for was in before.values()), default=None),
        tuple(new),
        tuple(changed),
        tuple(map(name_of, gone)),
        len(now) - len(new) - len(changed),
    )


def difference(line: Line, was: Before, asked: Asked | None) -> tuple[str, ...]:
    job = line.job
    found = ["model"] if job.shot.model != was.model else []
    if asked is None:
        return tuple(found)
    found += [name for name, value in job.inputs.items() if asked.inputs.get(name) != value]
    found += [
        name for name in asked.inputs if name not in job.inputs and name not in ("seed", *job.files)
    ]
    if job.seed is not None and job.seed != asked.seed:
        found.append("seed")
    return tuple(dict.fromkeys([*found, *(() if found else job.files)]))


def key_of(line: Line) -> Key:
    return (line.job.shot.sequence, line.job.shot.shot, line.job.take)


def name_of(key: Key) -> str:
    sequence, shot, take = key
    return f"{sequence}/{shot}.t{take}"


def made_before(ledger: Ledger, film: str, services: Collection[str]) -> dict[Key, Before]:
    """By take; requests that were never sent do not count."""
    query = (
        select(
            attempts.c.sequence,
            attempts.c.shot,
            attempts.c.take,
            attempts.c.id,
            attempts.c.fingerprint,
            attempts.c.model,
            attempts.c.created_at,
        )
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(
            runs.c.name == film,
            attempts.c.service.in_(sorted(services)),
            attempts.c.posted_at.is_not(None),
        )
        .order_by(attempts.c.created_at)
    )
    with ledger.engine.connect() as connection:
        return {(row[0], row[1], row[2]): Before(*row[3:]) for row in connection.execute(query)}


def asked_with(ledger: Ledger, attempt_ids: Sequence[str]) -> dict[str, Asked]:
    found = {}
    with ledger.engine.connect() as connection:
        for some in chunks(attempt_ids[:MAX_EXPLAINED]):
            query = select(attempts.c.id, attempts.c.inputs, attempts.c.seed).where(
                attempts.c.id.in_(some)
            )
            for attempt_id, inputs, seed in connection.execute(query):
                found[attempt_id] = Asked(inputs, seed)
    return found


def changes_since(
    ledger: Ledger, lines: Sequence[Line], film: str, services: Collection[str], manifest: Path
) -> Changes:
    """Against the ledger's runs of the list; the last manifest says which shots it then had."""
    before = made_before(ledger, film, services)
    now = {key_of(line): line.job.fingerprint for line in lines}
    differ = [w.attempt_id for k, w in before.items() if k in now and now[k] != w.fingerprint]
    return changes_of(lines, before, asked_with(ledger, differ), last_takes(manifest))


def last_takes(manifest: Path) -> set[Key] | None:
    """The takes of a manifest; None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        shots = json.loads(manifest.read_bytes())["shots"]
        return {(shot["sequence"], shot["shot"], shot["take"]) for shot in shots}
    return None
