"""What it costs to run a finished list again, beside a Prefect flow that does nothing.

    python tests/bench/rerun.py [--shots 10] [--rounds 5]

Both start the same way: as a process of their own, with Prefect's embedded server (on a
PREFECT_HOME that has been used before) and with a server that is running. The quickest round
counts: whatever else the machine does can only add to it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e.prefect_server import serve
from tests.e2e.world import SHOTREEL
from tests.zygote import ROOT, clean_environment

GOAL_S = 2.0
EMPTY = """
from flows import prefect_settings
prefect_settings.apply(of_commands=True)
import asyncio
from prefect import flow
@flow(name="empty")
async def empty() -> None: ...
asyncio.run(empty())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rerun-") as name:
        folder = Path(name)
        (folder / "prefect").mkdir()
        lines = ["prompt,seed", *(f"Shot {n},{n + 1}" for n in range(given.shots))]
        (folder / "list.csv").write_text("\n".join(lines))
        settings = {"PYTHONPATH": str(ROOT), "SHOTREEL_SANDBOX_LATENCY_S": "0.1"}
        env = {**clean_environment(), **settings}
        with serve(folder / "prefect") as server:
            running = compare(folder, {**env, **server.env}, given.rounds)
        (folder / "embedded").mkdir()
        embedded = compare(folder, {**env, "PREFECT_HOME": str(folder / "embedded")}, given.rounds)
    print(f"{given.shots} shots, the quickest of {given.rounds} rounds")
    print(f"{'':<18} {'empty flow':>11} {'make again':>11} {'more':>8}")
    for what, (empty_s, again_s) in (("running server", running), ("embedded server", embedded)):
        print(f"{what:<18} {empty_s:>9.2f} s {again_s:>9.2f} s {again_s - empty_s:>6.2f} s")
    print(f"The goal is at most {GOAL_S:g} s more.")


def compare(folder: Path, env: dict[str, str], rounds: int) -> tuple[float, float]:
    """(empty flow, finished list): one of each, in turn, after one of each that does not count."""
    empty = [sys.executable, "-c", EMPTY]
    again = [SHOTREEL, "make", "list.csv", "--json"]
    times: dict[str, list[float]] = {"empty": [], "again": []}
    for counted in [False] + [True] * rounds:
        for what, command in (("empty", empty), ("again", again)):
            took_s = timed(command, folder, env)
            if counted:
                times[what].append(took_s)
    return min(times["empty"]), min(times["again"])


def timed(command: list[str], folder: Path, env: dict[str, str]) -> float:
    begun = time.monotonic()
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
