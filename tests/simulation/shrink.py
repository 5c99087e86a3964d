"""What it takes for a world to fail: fewer films, fewer shots, fewer kinds of trouble."""

from __future__ import annotations

from typing import Any

from tests.simulation.world import TROUBLES, play


def shrunk(seed: int) -> dict[str, Any]:
    """The smallest options with which the seed's world still fails; each is tried by itself.

    `play(seed, **options)` plays it again.
    """
    options: dict[str, Any] = {}
    if play(seed).held:
        return {"seed": seed, "held": True}
    for smaller in (
        *({"num_films": number} for number in (1, 2, 3, 4)),
        *({"num_shots": number} for number in (1, 2, 4, 6)),
    ):
        name = next(iter(smaller))
        if name not in options and not play(seed, **options, **smaller).held:
            options |= smaller
    spared: frozenset[str] = frozenset()
    for trouble in TROUBLES:
        if not play(seed, **options, spared=spared | {trouble}).held:
            spared |= {trouble}
    report = play(seed, **options, spared=spared)
    return {"seed": seed, **options, "spared": sorted(spared), "broken": report.broken}
