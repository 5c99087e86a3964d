"""The shortest known world that fails without each protection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.simulation.campaign import found_by
from tests.simulation.mutants import without
from tests.simulation.world import Report, play

FEW = 20
FILE = Path(__file__).with_name("worlds.json")


def worlds() -> dict[str, dict[str, Any]]:
    """`seed` and `only` of each, by the mutant's name."""
    known: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return known


def keep(mutant: str, world: Report) -> None:
    known = worlds() | {mutant: {"seed": world.seed, "only": world.happened}}
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


def failing(mutant: str) -> Report | None:
    """The world that fails without the protection: the known one, or else one that is looked for.

    Another number of requests on the way to the same end can make a known world hold.
    """
    known = worlds()[mutant]
    with without(mutant):
        report = play(known["seed"], only=frozenset(known["only"]), to_the_end=False)
    return found_by(mutant, worlds=FEW) if report.held else report


def holding(mutant: str, most_s: float) -> Report:
    """The same world with the protection, until so many seconds of its own time."""
    known = worlds()[mutant]
    only = frozenset(known["only"])
    return play(known["seed"], only=only, to_the_end=False, most_s=most_s)
