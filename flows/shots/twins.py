"""Rows that ask for the very same clip and leave its seed open: each is a clip of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from flows.shots.input_file import PREVIOUS
from flows.shots.shot import Shot


def with_twins(shots: Iterable[Shot]) -> list[Shot]:
    """The shots with their `twin` told: the nth row of its kind in the list.

    By what the list says alone, so that every part of a list counts alike. Rows with a seed of
    their own mean one clip, and so do rows of a model that draws none: it would make the same file
    twice.
    """
    seen: Counter[str] = Counter()
    before: dict[str, tuple[Shot, str]] = {}
    found = []
    for shot in shots:
        previous = ""
        if shot.still:
            previous = kind_of(shot.still, str(shot.still.take))
        if PREVIOUS in shot.files.values() and shot.sequence in before:
            parent, grandparent = before[shot.sequence]
            chain = f"{kind_of(parent, grandparent)} {parent.twin} {parent.take}"
            previous = sha256(chain.encode("utf-8", "surrogatepass")).hexdigest()
        found.append(_told(shot, previous, seen))
        before[shot.sequence] = found[-1], previous
    return found


def _told(shot: Shot, previous: str, seen: Counter[str]) -> Shot:
    or_else = _told(shot.or_else, previous, seen) if shot.or_else else None
    twin = 1
    if shot.seed is None and not shot.made_by.repeats:
        seen[like := kind_of(shot, previous)] += 1
        twin = seen[like]
    if twin == shot.twin and or_else is shot.or_else:
        return shot
    return replace(shot, twin=twin, or_else=or_else)


def kind_of(shot: Shot, previous: str) -> str:
    """The same for rows that ask for the same; `previous` is what it goes on from."""
    asked = (shot.model, shot.made_by.version, sorted(shot.inputs.items()))
    return repr((*asked, sorted(shot.files.items()), shot.seed, previous))
