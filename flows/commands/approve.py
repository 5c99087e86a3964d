"""`shotreel approve`: the stills that a person has looked at; only those become clips."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import click

from blocks.errors import InputError
from blocks.ledger import Ledger
from blocks.storage.places import ledger_place
from flows.commands.choose import place_of_choices, write
from flows.commands.stopping import run_stoppable
from flows.shots import Shot, read_shots
from flows.shots.choices import choices_of
from flows.shots.choosing import shot_named, with_approval
from flows.shots.job import still_of
from flows.shots.source import without_key


def approve(source: str, names: Sequence[str], *, live: bool) -> int:
    """Raises InputError for a shot without a still that is here. Spends nothing."""
    source = without_key(source)
    path, shots = place_of_choices(source), read_shots(source)
    asked = [shot_named(shots, name) for name in dict.fromkeys(names)]
    asked = asked or [shot for shot in shots if shot.still]
    here = stills_here([shot for shot in asked if shot.still], live=live)
    missing = [shot.name for shot in asked if shot.name not in here]
    if missing or not asked:
        raise InputError(
            f"There is no still of {', '.join(missing) or 'any shot'}.",
            remedy="Give it an image_prompt, and run `shotreel make`. Nothing was approved.",
        )
    chosen = choices_of(source)
    for shot in asked:
        chosen = with_approval(chosen, shot, live=live)
    write(path, chosen)
    click.echo(f"{len(asked)} stills are approved, in {path}. `shotreel make` makes their clips.")
    return 0


def stills_here(shots: Sequence[Shot], *, live: bool) -> set[str]:
    """The names of those whose still is bought and in the store."""
    keys = {shot.name: still_of(shot, live=live).fingerprint for shot in shots}
    with closing(Ledger(run_stoppable(ledger_place()))) as ledger:
        held = ledger.holders(list(set(keys.values())))
    return {name for name, key in keys.items() if key in held and held[key].clip_sha256}
