"""Which items a sequence and the film are put together from: the plan, and what has come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import cast

from blocks.errors import ShotreelError
from blocks.providers.footage import OWN
from flows.generate.all_clips import Outcome
from flows.planning.film_order import film_order, title_of
from flows.planning.plan import Line, Plan
from flows.run.context import Clip as Stored
from flows.shots import Shot
from flows.shots.job import PREVIOUS
from flows.stitch.finish import Finish
from flows.stitch.item import Begin, Card, Clip, Item
from flows.stitch.timeline import TransitionKind

_TITLE_S = (Fraction(3), Fraction(10))

Outcomes = Mapping[str, Outcome | None]
"""By fingerprint; None where the clip is still being made."""


def sequence_items(lines: Sequence[Line], outcomes: Outcomes, finish: Finish) -> list[Item] | None:
    """The items of a sequence after its title, if it has one; none where no shot is left.

    None where a shot is missing and nothing is to be made then.
    """
    items: list[Item] = []
    for line in lines:
        outcome = outcomes[line.job.fingerprint]
        missing = isinstance(outcome, ShotreelError)
        if missing and finish.on_missing == "fail":
            return None
        if not (missing and finish.on_missing == "skip"):
            items.append(_item(line.job.shot, outcome, opens=not items))
    title = title_of(lines)
    if title and items:
        name = lines[0].job.shot.sequence
        items.insert(0, replace(_title(f"title of {name}", title), title_of=name))
    return items


def film_items(plan: Plan, outcomes: Outcomes, finish: Finish) -> list[Item] | None:
    """All sequences, in list order, between the title and the end title."""
    items: list[Item] = []
    for lines in film_order(plan).values():
        found = sequence_items(lines, outcomes, finish)
        if found is None:
            return None
        items += found
    titles = (("title", finish.title), ("end title", finish.end_title))
    first, last = ([_title(name, text)] if text.strip() else [] for name, text in titles)
    return [*first, *items, *last]


def has_clip(items: Sequence[Item]) -> bool:
    return any(isinstance(item, Clip) for item in items)


def _item(shot: Shot, outcome: Outcome | None, *, opens: bool) -> Item:
    begins = None
    if shot.transition != "cut":
        begins = Begin(cast(TransitionKind, shot.transition), Fraction(shot.transition_s))
    if isinstance(outcome, Stored):
        return Clip(
            outcome.path,
            outcome.sha256,
            shot.name,
            outcome.info,
            begins,
            opens,
            shot.caption,
            continues=PREVIOUS in shot.files.values(),
            use=shot.use,
            voice=shot.voice,
            dialogue=shot.dialogue,
            is_own=shot.made_by.provider == OWN,
        )
    card = Card(
        "pending",
        shot.name,
        shot.seen_s,
        begins=begins,
        opens=opens,
        voice=shot.voice,
        dialogue=shot.dialogue,
    )
    if outcome is None:
        return card
    prompt = str(shot.inputs.get("prompt", ""))
    return replace(card, kind="slate", heading=shot.name, text=prompt, note=outcome.message)


def _title(name: str, text: str) -> Card:
    """A card that stands as long as it takes to read it, at 15 characters a second."""
    reading_s = 1 + Fraction(len(text), 15)
    duration_s = min(max(_TITLE_S[0], reading_s), _TITLE_S[1])
    return Card("title", name, duration_s, heading=text.strip(), opens=True)
