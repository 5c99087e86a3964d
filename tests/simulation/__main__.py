"""`python -m tests.simulation --requests N --seed S --json`: worlds from S on, until N requests.

Exit code 0 where every invariant held in every world, 1 otherwise. Each world has a seed of its
own; `--requests 1 --seed THAT` plays it again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress

PARTS = 2
"""Processes that play beside each other."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--requests", type=int, default=1, help="paid requests to come to")
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no new world after")
    parser.add_argument("--parts", type=int, default=PARTS, help="processes")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--trace", action="store_true", help="what happened in the first world")
    parser.add_argument("--shrink", action="store_true", help="the fewest events it fails with")
    parser.add_argument("--keep", action="store_true", help="and keep that as the mutant's world")
    parser.add_argument("--mutant", help="play with this protection out, 200 worlds at most")
    parser.add_argument("--known", action="store_true", help="every mutant in its known world")
    parser.add_argument("--mutants", action="store_true", help="list the protections")
    given = parser.parse_args(arguments)

    from tests.simulation import known
    from tests.simulation.campaign import found_by, play_all
    from tests.simulation.mutants import MUTANTS, without
    from tests.simulation.world import play

    if given.mutants:
        for name, mutant in MUTANTS.items():
            print(f"{name:28} {mutant.protection}")
        return 0
    if given.known:
        caught = {name: known.failing(name) for name in known.worlds()}
        told = {
            name: {
                "without": each.broken if each else [],
                "with": known.holding(name, each.virtual_s + 3600 if each else 0.0).broken,
            }
            for name, each in caught.items()
        }
        print(json.dumps(told, indent=1))
        return 0 if all(each["without"] and not each["with"] for each in told.values()) else 1
    if given.trace:
        with without(given.mutant):
            report = play(given.seed, traced=True, to_the_end=not given.mutant)
        print("\n".join((*report.trace, *report.broken)))
        return not report.held
    if given.shrink:
        return shrunk(given)
    if given.mutant:
        found = found_by(given.mutant, given.seed)
        about = {"mutant": given.mutant, "seed": found and found.seed}
        print(json.dumps(about | {"broken": found.broken if found else []}, indent=1))
        return 1 if found else 0
    result = play_all(given.requests, given.seed, given.seconds, given.parts)
    print(json.dumps(result.told()) if given.json else result.sentence())
    for line in result.broken[:20]:
        print(line, file=sys.stderr)
    return 0 if result.held else 1


def shrunk(given: argparse.Namespace) -> int:
    """Prints the shortest failing world that there is by the end, or by Ctrl-C."""
    from tests.simulation import known
    from tests.simulation.mutants import without
    from tests.simulation.shrink import of_seed, shrink
    from tests.simulation.world import Report, play

    found: list[Report] = []

    def tell(report: Report) -> None:
        found.append(report)
        print(f"fails with {len(report.happened)} events", file=sys.stderr)

    with without(given.mutant):
        with suppress(KeyboardInterrupt):
            shrink(of_seed(given.seed), given.seconds, tell)
        if not found:
            print(f"seed {given.seed} holds")
            return 0
        only = found[-1].happened
        report = play(given.seed, only=frozenset(only), traced=True, to_the_end=False)
    print("\n".join((*report.trace, *report.broken)))
    print(json.dumps({"seed": given.seed, "only": only}))
    if given.keep:
        known.keep(given.mutant, report)
    return 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings have an order, and it is drawn
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
