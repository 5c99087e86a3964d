"""What a list asks for that it did not when its film was last made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from blocks.ledger import Attempt, Ledger
from blocks.ledger.film_runs import MadeList, last_list, run_ids
from blocks.providers.services import is_sandboxed
from flows.planning.plan import Line
from flows.shots import FilmId

MAX_EXPLAINED = 2_000
"""Changed shots of which it is said what has changed."""

Key = tuple[str, str, int]
"""Sequence, shot, take."""

Transition = tuple[str, str]
"""Its kind, and over how many seconds."""


@dataclass(frozen=True)
class Before:
    """A take as it was. `transition` is None where that is not known."""

    fingerprint: str
    model: str
    transition: Transition | None = None


@dataclass(frozen=True)
class Change:
    name: str
    what: tuple[str, ...]
    """The columns that differ; empty where it is only what the clip goes on from."""


@dataclass(frozen=True)
class Recut:
    """How a shot begins, before and now; it costs nothing."""

    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Changes:
    """`since` is None where the film was never made here. `renamed` are (now, before): the clip is
    the same."""

    since: datetime | None
    new: tuple[str, ...]
    changed: tuple[Change, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    recut: tuple[Recut, ...]
    unchanged: int


def changes_of(
    lines: Sequence[Line],
    before: Mapping[Key, Before],
    asked: Mapping[str, Attempt],
    since: datetime | None,
) -> Changes:
    """`asked` is by fingerprint."""
    now = {key_of(line): line for line in lines}
    gone = {key: was for key, was in before.items() if key not in now}
    were = {was.fingerprint: key for key, was in gone.items()}
    renamed: dict[Key, Key] = {}
    for key, line in now.items():
        if key not in before:
            keys = (were.pop(job.fingerprint, None) for job in line.job.alternatives)
            if old := next(filter(None, keys), None):
                renamed[key] = old
    changed, recut = [], []
    for key, line in now.items():
        was = before.get(renamed.get(key, key))
        if was is None:
            continue
        if was.fingerprint not in {job.fingerprint for job in line.job.alternatives}:
            changed.append(Change(name_of(key), difference(line, was, asked.get(was.fingerprint))))
        begins = transition_of(line)
        if was.transition and was.transition != begins and line.is_chosen:
            recut.append(Recut(name_of(key), words_of(was.transition), words_of(begins)))
    new = [key for key in now if key not in before and key not in renamed]
    return Changes(
        since,
        tuple(map(name_of, new)),
        tuple(changed),
        tuple(name_of(key) for key in gone if key not in renamed.values()),
        tuple((name_of(key), name_of(old)) for key, old in renamed.items()),
        tuple(recut),
        len(now) - len(new) - len(changed) - len(renamed),
    )


def transition_of(line: Line) -> Transition:
    shot = line.job.shot
    return (shot.transition, f"{shot.transition_s.normalize():f}")


def words_of(transition: Transition) -> str:
    kind, seconds = transition
    return kind if kind == "cut" else f"{kind} over {seconds} s"


def difference(line: Line, was: Before, asked: Attempt | None) -> tuple[str, ...]:
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


def noted(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The list as it is kept until it is made the next time."""
    return [
        {
            "sequence": line.job.shot.sequence,
            "shot": line.job.shot.shot,
            "take": line.job.take,
            "fingerprint": line.job.fingerprint,
            "model": line.job.shot.model,
            "transition": transition_of(line),
        }
        for line in lines
    ]


def as_noted(made: MadeList) -> dict[Key, Before]:
    return {
        (each["sequence"], each["shot"], each["take"]): Before(
            each["fingerprint"], each["model"], tuple(each["transition"])
        )
        for each in made.shots
    }


def bought_before(
    ledger: Ledger, run_ids: Sequence[str], *, live: bool
) -> dict[Key, tuple[Before, datetime]]:
    """The newest attempt of each take in these runs, and when; a request that was never sent does
    not count."""
    found: dict[Key, tuple[Before, datetime]] = {}
    for attempt in ledger.sent_by(run_ids):
        take = (attempt.sequence, attempt.shot, attempt.take)
        if is_sandboxed(attempt.service) != live:
            found[take] = (Before(attempt.fingerprint, attempt.model), attempt.created_at)
    return found


def changes_since(
    ledger: Ledger, lines: Sequence[Line], film: FilmId, manifest: Path, *, live: bool
) -> Changes:
    """Against the list that the film was last made of.

    Where an earlier version made it, that is not noted: what its runs have bought says it, and the
    last manifest which of those shots the list still had.
    """
    since: datetime | None
    made = next(
        filter(None, (last_list(ledger, k, live=live) for k in (film.key, film.place))), None
    )
    if made:
        before, since = as_noted(made), made.at
    else:
        keys = [job.fingerprint for line in lines for job in line.job.alternatives]
        ids = run_ids(ledger, film.key, film.name, film.place, keys)
        bought = bought_before(ledger, ids, live=live)
        since = max((at for _, at in bought.values()), default=None)
        last = last_takes(manifest)
        now = set(map(key_of, lines))
        before = {
            key: was
            for key, (was, _) in bought.items()
            if key in now or last is None or key in last
        }
    current = {key_of(line): line.job.fingerprint for line in lines}
    differ = [w.fingerprint for k, w in before.items() if current.get(k, "") != w.fingerprint]
    asked = {each.fingerprint: each for each in ledger.attempts_for(differ[:MAX_EXPLAINED])}
    return changes_of(lines, before, asked, since)


def last_takes(manifest: Path) -> set[Key] | None:
    """The takes of a manifest; None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        shots = json.loads(manifest.read_bytes())["shots"]
        return {(shot["sequence"], shot["shot"], shot["take"]) for shot in shots}
    return None
