"""`python -m tests.simulation --requests N --seed S --json`: worlds from S on, until N requests.

Exit code 0 where every invariant held in every world, 1 otherwise. Each world has a seed of its
own; `--requests 1 --seed THAT` plays it again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

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
    parser.add_argument("--shrink", action="store_true", help="what of the world's faults it takes")
    parser.add_argument("--mutant", help="play with this protection out, 200 worlds at most")
    parser.add_argument("--known", action="store_true", help="every mutant on its known seed")
    parser.add_argument("--mutants", action="store_true", help="list the protections")
    given = parser.parse_args(arguments)

    from tests.simulation.campaign import found_by, play_all
    from tests.simulation.mutants import MUTANTS, without
    from tests.simulation.shrink import shrunk
    from tests.simulation.world import play

    if given.mutants:
        for name, mutant in MUTANTS.items():
            print(f"{name:28} {mutant.protection}")
        return 0
    if given.known:
        seeds = {name: each.seed for name, each in MUTANTS.items() if each.seed is not None}
        caught = {name: found_by(name, seed, worlds=1) for name, seed in seeds.items()}
        print(json.dumps({name: each.broken if each else [] for name, each in caught.items()}))
        return 0 if all(caught.values()) else 1
    if given.trace:
        with without(given.mutant):
            report = play(given.seed, traced=True, to_the_end=not given.mutant)
        print("\n".join((*report.trace, *report.broken)))
        return not report.held
    if given.shrink:
        with without(given.mutant):
            print(json.dumps(shrunk(given.seed), indent=1))
        return 1
    if given.mutant:
        found = found_by(given.mutant, given.seed)
        told = {"mutant": given.mutant, "seed": found and found.seed}
        print(json.dumps(told | {"broken": found.broken if found else []}, indent=1))
        return 1 if found else 0
    result = play_all(given.requests, given.seed, given.seconds, given.parts)
    print(json.dumps(result.told()) if given.json else result.sentence())
    for line in result.broken[:20]:
        print(line, file=sys.stderr)
    return 0 if result.held else 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings have an order, and it is drawn
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
