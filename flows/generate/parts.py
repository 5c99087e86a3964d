"""A large list in parts: whole sequences, so that a shot stays beside the one it goes on from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flows.planning.plan import Plan

AUTOMATIC_ABOVE = 1000
AUTOMATIC = 500
"""Clips to buy: from where on a list is bought in parts by itself, and how large they are."""


@dataclass(frozen=True)
class Part:
    """`clips` are the fingerprints that are to be bought or downloaded."""

    sequences: tuple[str, ...]
    clips: tuple[str, ...]

    @property
    def name(self) -> str:
        first, last = self.sequences[0], self.sequences[-1]
        return first if first == last else f"{first} to {last}"


def parts_of(plan: Plan, split: int | None) -> list[Part]:
    """Parts of at most `split` clips, in list order; a longer sequence is a part of its own.

    None leaves it to the number of clips; 0 and a list that is one part give none. What is in the
    store already moves no border: the same list has the same parts in every run.
    """
    clips: dict[str, list[str]] = {}
    seen: set[str] = set()
    wanted: set[str] = set()
    for line in plan.lines:
        key = line.job.fingerprint
        if key not in seen:
            seen.add(key)
            clips.setdefault(line.job.shot.sequence, []).append(key)
        if line.need in ("buy", "bought"):
            wanted.add(key)
    most = (AUTOMATIC if len(wanted) > AUTOMATIC_ABOVE else 0) if split is None else split
    if not most or len(wanted) <= most:
        return []
    groups: list[dict[str, list[str]]] = []
    for sequence, keys in clips.items():
        if not groups or sum(map(len, groups[-1].values())) + len(keys) > most:
            groups.append({})
        groups[-1][sequence] = keys
    parts = [
        Part(tuple(group), tuple(key for keys in group.values() for key in keys if key in wanted))
        for group in groups
    ]
    return [part for part in parts if part.clips]


def only(plan: Plan, clips: Collection[str]) -> Plan:
    """The lines of a plan that a part is to buy or to download."""
    lines = tuple(line for line in plan.lines if line.job.fingerprint in clips)
    begun = {line.job.previous.fingerprint for line in lines if line.job.previous}
    return Plan(lines, tuple(line for line in plan.stills if line.job.fingerprint in begun))
