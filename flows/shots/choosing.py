"""Choosing: which take of a shot is in the film, and asking for more of them, as pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from blocks.errors import InputError
from flows.shots.choices import Choice, Choices
from flows.shots.job import approval_of, still_of
from flows.shots.problem import shown
from flows.shots.settings import TAKES
from flows.shots.shot import Shot
from flows.shots.table import nearest


def shot_named(shots: Sequence[Shot], name: str) -> Shot:
    """The one that is called so: `shot`, or `sequence/shot`. Raises InputError."""
    found = [shot for shot in shots if name == shot.name] or [s for s in shots if name == s.shot]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(shot.name for shot in found)
        reason = f"There are {len(found)} shots {shown(name)}: {names}"
    else:
        known = [*(shot.name for shot in shots), *(shot.shot for shot in shots)]
        reason = f"The list has no shot {shown(name)}{nearest(name, known)}"
    raise InputError(
        f"{reason.rstrip('?')}{'?' if reason.endswith('?') else '.'}",
        remedy="Nothing was bought. Name it as shot, or as sequence/shot.",
    )


def with_take(choices: Choices, shot: Shot, take: int) -> dict[str, Choice]:
    """The choices with this take in the film. Raises InputError where the shot has no such take."""
    if not 1 <= take <= shot.takes:
        has = "1 take" if shot.takes == 1 else f"takes 1 to {shot.takes}"
        raise InputError(
            f"{shot.name} has {has}, and none that is {take}.",
            remedy="Nothing was changed. `shotreel again` makes another.",
        )
    choice = replace(choices.get(shot.name, Choice()), take=take)
    return {**choices, shot.name: choice}


def with_more(
    choices: Choices, shots: Iterable[Shot], takes: int, *, keep: bool
) -> dict[str, Choice]:
    """The choices with so many more takes of each shot, the newest chosen unless `keep`.

    Raises InputError where a shot can have no more.
    """
    found = dict(choices)
    for shot in shots:
        last = shot.takes + takes
        most = TAKES.high if shot.seed is not None else min(TAKES.high, shot.made_by.most_takes)
        if last > most:
            why = f"at most {most} are kept" if most > 1 else "its model gives the same clip again"
            raise InputError(
                f"{shot.name} has {shot.takes} of its takes already: {why}.",
                remedy="Nothing was bought. Change its prompt, or give it a row of its own.",
            )
        was = found.get(shot.name, Choice())
        # What was in the film stays there by its number: the list may say nothing of it.
        found[shot.name] = replace(was, takes=last, take=shot.take if keep else last)
    return found


def with_stills(
    choices: Choices, shots: Iterable[Shot], more: int, *, keep: bool
) -> dict[str, Choice]:
    """The choices with so many more stills of each shot, the newest chosen unless `keep`.

    Raises InputError where a shot has none, or can have no more.
    """
    found = dict(choices)
    for shot in shots:
        still = shot.still
        if still is None or still.takes + more > TAKES.high:
            has = f"has {still.takes} stills already" if still else "has no image_prompt"
            raise InputError(f"{shot.name} {has}.", remedy="Nothing was bought.")
        last = still.takes + more
        was = found.get(shot.name, Choice())
        found[shot.name] = replace(was, stills=last, still=still.take if keep else last)
    return found


def with_still(choices: Choices, shot: Shot, number: int) -> dict[str, Choice]:
    """The choices with this still for the clip to begin with. Raises InputError."""
    if shot.still is None or not 1 <= number <= shot.still.takes:
        has = f"{shot.still.takes} stills" if shot.still else "no image_prompt"
        raise InputError(
            f"{shot.name} has {has}, and none that is {number}.", remedy="Nothing was changed."
        )
    return {**choices, shot.name: replace(choices.get(shot.name, Choice()), still=number)}


def with_approval(choices: Choices, shot: Shot, *, live: bool) -> dict[str, Choice]:
    """The choices with the shot's still approved, where it has one."""
    choice = choices.get(shot.name, Choice())
    if shot.still:
        choice = replace(choice, approved=approval_of(still_of(shot, live=live)))
    return {**choices, shot.name: replace(choice, mark="approved")}


def overruled(shots: Iterable[Shot], choices: Choices) -> list[Shot]:
    """Shots whose take the list itself says, which comes first."""
    return [s for s in shots if (c := choices.get(s.name)) and c.take and c.take != s.take]
