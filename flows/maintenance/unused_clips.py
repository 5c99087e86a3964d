"""Paid clips that no film needs any more: what they are, and what they would cost again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from blocks.errors import SetupError
from blocks.ledger import Attempt, Ledger
from blocks.ledger.films import all_films, forget_films
from blocks.storage.clip_store import ClipStore

CAUSE = "the clip was removed from the store by a person: it may be bought again"


@dataclass(frozen=True)
class Unused:
    """A clip in the store that no kept manifest names; no attempt names it where none is known.

    `cost_usd` is what it has cost, which is what it would cost again at the same price.
    """

    sha256: str
    num_bytes: int
    attempts: tuple[Attempt, ...]
    cost_usd: Decimal | None

    @property
    def name(self) -> str:
        names = (a.shot_name + (f".t{a.take}" if a.take > 1 else "") for a in self.attempts)
        return ", ".join(names) or "no attempt"


def unused_clips(ledger: Ledger, store: ClipStore, older_than: timedelta) -> list[Unused]:
    """Oldest first. Films whose folders are gone from this machine are forgotten."""
    films = all_films(ledger)
    kept = {clip for film in films if film.is_kept for clip in film.clips}
    forget_films(ledger, [film for film in films if not film.is_kept])
    stored: dict[str, list[Attempt]] = {}
    for attempt in ledger.in_states(("stored",)):
        stored.setdefault(attempt.clip_sha256 or "", []).append(attempt)
    wanted = {
        sha256: (num_bytes, tuple(stored.get(sha256, ())))
        for sha256, (num_bytes, changed_at) in store.clips().items()
        if sha256 not in kept and _age(stored.get(sha256, ()), changed_at) > older_than
    }
    costs = ledger.costs([a.id for _, attempts in wanted.values() for a in attempts])
    return [
        Unused(
            sha256,
            num_bytes,
            attempts,
            sum((costs[a.id].cost_usd for a in attempts if a.id in costs), Decimal(0))
            if attempts
            else None,
        )
        for sha256, (num_bytes, attempts) in wanted.items()
    ]


def _age(attempts: Sequence[Attempt], changed_at: datetime | None) -> timedelta:
    """Since the last of them was stored, or the file was written."""
    moments = [a.stored_at for a in attempts if a.stored_at] + ([changed_at] if changed_at else [])
    return datetime.now(UTC) - max(moments) if moments else timedelta(0)


def remove_clips(ledger: Ledger, store: ClipStore, clips: Sequence[Unused]) -> None:
    """The ledger is told first: what it believes to be stored is there.

    Raises SetupError while a run is under way, which may be about to use one.
    """
    if ledger.anyone_is_at_work():
        raise SetupError(
            "A run is under way, and may be about to use one of the clips.",
            remedy="No clip was removed. Try again when it has ended.",
        )
    for clip in clips:
        for attempt in clip.attempts:
            ledger.release(ledger.mark_lost(attempt, CAUSE), CAUSE)
        store.remove(clip.sha256)


def cost_again_usd(clips: Sequence[Unused]) -> Decimal:
    return sum((clip.cost_usd or Decimal(0) for clip in clips), Decimal(0))
