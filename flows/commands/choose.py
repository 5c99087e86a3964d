"""`shotreel choose` and `again`: another take of a shot in the film; more takes of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from blocks.errors import InputError, ShotreelError
from flows.commands.run_options import decide
from flows.shots import read_shots
from flows.shots.choices import Choice, Choices, choices_of, choices_path, write_choices
from flows.shots.choosing import (
    overruled,
    shot_named,
    with_more,
    with_still,
    with_stills,
    with_take,
)
from flows.shots.job import PREVIOUS
from flows.shots.shot import Shot
from flows.shots.source import without_key


def choose(source: str, name: str, take: int, *, still: bool = False) -> int:
    """Raises InputError. Spends nothing."""
    source = without_key(source)
    path, shots = place_of_choices(source), read_shots(source)
    shot = shot_named(shots, name)
    if still:
        write(path, with_still(choices_of(source), shot, take))
        click.echo(f"Still {take} of {shot.name} is chosen, in {path}; its clip needs approval.")
        return 0
    chosen = with_take(choices_of(source), shot, take)
    write(path, chosen)
    warn_overruled(read_shots(source), chosen)
    click.echo(f"Take {take} of {shot.name} is chosen, in {path}.")
    for successor in going_on_from(shots, shot):
        click.echo(
            f"{successor.name} goes on from it: another take of the shot before makes it another "
            "clip. `shotreel plan` says what that costs."
        )
    click.echo("`shotreel make` with the same list puts it into the film, for nothing else.")
    return 0


def again(
    source: str,
    names: Sequence[str],
    out: Path | None,
    *,
    takes: int,
    keep: bool,
    still: bool = False,
    live: bool,
    budget_usd: Decimal | None,
    max_usd: Decimal | None = None,
    as_json: bool,
) -> int:
    """Raises ShotreelError; the choices are what they were then, and nothing was bought."""
    # They import Prefect, which takes seconds that choosing need not wait.
    from flows.commands.make import made_film
    from flows.film_list import require_budget

    require_budget(budget_usd, live=live)
    source = without_key(source)
    path, shots = place_of_choices(source), read_shots(source)
    before = choices_of(source)
    asked = [shot_named(shots, name) for name in dict.fromkeys(names)]
    more = with_stills if still else with_more
    wanted = more(before, asked, takes, keep=keep)
    write(path, wanted)
    try:
        options = decide(source, out, max_usd=max_usd)
        warn_overruled(options.found.shots, wanted)
        made = made_film(source, out, options, live=live, budget_usd=budget_usd, as_json=as_json)
    except ShotreelError:
        write(path, before)
        raise
    if made is None:
        return 1
    for shot in asked:
        if keep or still or is_here(made.manifest, shot, takes):
            continue
        wanted[shot.name] = before.get(shot.name, Choice())
        click.echo(
            f"shotreel: {shot.name}: the new take has not come; take {shot.take} is chosen as "
            "before. `shotreel make` puts it back into the film.",
            err=True,
        )
    write(path, wanted)
    return made.exit_code


def is_here(manifest: Any, shot: Shot, more: int) -> bool:
    """Whether the newest take of a shot has come."""
    newest = (shot.sequence, shot.shot, shot.takes + more)
    return any(
        (row["sequence"], row["shot"], row["take"]) == newest and row["state"] == "stored"
        for row in manifest["shots"]
    )


def place_of_choices(source: str) -> Path:
    path = choices_path(source)
    if path is None:
        raise InputError(
            "A list that is pasted has no place for what is chosen.",
            remedy="Save it as a file, and name that.",
        )
    return path


def write(path: Path, choices: Choices) -> None:
    """Raises InputError where the file cannot be written."""
    try:
        write_choices(path, choices)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="Nothing was bought. Make its folder writable.",
        ) from None


def warn_overruled(shots: Sequence[Shot], choices: Choices) -> None:
    for shot in overruled(shots, choices):
        click.echo(
            f"shotreel: {shot.name}: the list itself says take {shot.take}, and that comes first.",
            err=True,
        )


def going_on_from(shots: Sequence[Shot], shot: Shot) -> list[Shot]:
    """The shots that begin where this one ends."""
    same = [each for each in shots if each.sequence == shot.sequence]
    at = same.index(shot)
    return [each for each in same[at + 1 : at + 2] if PREVIOUS in each.files.values()]
