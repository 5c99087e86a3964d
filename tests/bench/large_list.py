"""What a list of a thousand shots costs in one run, and what it costs to run it again.

    python tests/bench/large_list.py [--clips 1000] [--latency 5] [--at-a-time 200]

The sandbox runs in a process of its own and has rendered all clips (tiny ones) before the clock
starts; the ideal is clips / at-a-time x latency. Beside the whole flow on a Prefect server that
this script starts, the same work (plan, reserve, buy, fetch, store; the same ledger and the same
requests) runs without Prefect and without stitching: what is between them is Prefect's share.
CPU and peak memory are those of each process; task runs are counted by Prefect's API once the run
has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.generate_200 import render_all, sandbox, timed
from tests.e2e.prefect_server import PrefectServer, serve
from tests.e2e.world import SHOTREEL
from tests.zygote import clean_environment

GOAL = 2.0
AGAIN_GOAL_S = 15.0  # a thousand shots; 60 s for 5,000
SEQUENCE = 50
SETTLE_S = 120


@dataclass(frozen=True)
class Measured:
    """`took_s`: from the first request to the last stored clip; `whole_s`: the whole command."""

    what: str
    took_s: float
    whole_s: float
    cpu_s: float
    rss_mb: float
    server_cpu_s: float | None = None
    missing: int | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=5.0)
    parser.add_argument("--at-a-time", type=int, default=200)
    parser.add_argument("--without", metavar="LIST", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.without:
        asyncio.run(without_prefect(given.without, given.at_a_time))
        return
    ideal_s = -(-given.clips // given.at_a_time) * given.latency
    with tempfile.TemporaryDirectory(prefix="large-list-") as name:
        folder = Path(name)
        (folder / "prefect").mkdir()
        with sandbox(folder, given.latency) as url:
            begun = time.monotonic()
            render_all(url, given.clips)
            print(f"rendered in {time.monotonic() - begun:.0f} s", file=sys.stderr)
            rows = [plain(folder / "plain", url, given.clips, given.at_a_time)]
            show(rows[-1], ideal_s)
            with serve(folder / "prefect") as prefect:
                save_account(prefect, given.at_a_time)
                for what in ("shotreel", "the same again"):
                    rows.append(shotreel(folder / "flow", url, prefect, given.clips, what))
                    show(rows[-1], ideal_s)
    without, made, again = rows
    share = made.cpu_s - without.cpu_s  # stitching, too, is in it
    print(
        f"{given.clips} clips at {given.latency:g} s, {given.at_a_time} in flight: ideal "
        f"{ideal_s:.0f} s\n"
        f"took {made.took_s / ideal_s:.2f} x ideal (goal {GOAL:g}); again {again.whole_s:.1f} s "
        f"(goal {max(1, given.clips / 1250) * AGAIN_GOAL_S:.0f})\n"
        f"Prefect's share: {share:.1f} s of {made.cpu_s:.1f} s of CPU in the run, "
        f"{1000 * share / given.clips:.1f} ms a clip, and {made.server_cpu_s:.1f} s in its server"
    )


def show(row: Measured, ideal_s: float) -> None:
    server = "" if row.server_cpu_s is None else f"server CPU {row.server_cpu_s:.1f} s, "
    missing = "" if row.missing is None else f"{row.missing} task runs missing"
    took = "" if not row.took_s else f"took {row.took_s:.1f} s ({row.took_s / ideal_s:.2f}), "
    print(
        f"{row.what:<16} {took}whole {row.whole_s:.1f} s, CPU {row.cpu_s:.1f} s, "
        f"peak {row.rss_mb:.0f} MB, {server}{missing}",
        flush=True,
    )


def save_account(prefect: PrefectServer, at_a_time: int) -> None:
    """As a user does: the account's limit is a field of its block."""
    script = (
        "from flows.studio.blocks import FalAccount\n"
        f"FalAccount(key='bench', max_in_flight={at_a_time}).save('default')"
    )
    env = {**clean_environment(), **prefect.env, "PYTHONPATH": str(Path(__file__).parents[2])}
    timed([sys.executable, "-c", script], Path.cwd(), env)


def write_list(place: Path, clips: int) -> None:
    place.mkdir(exist_ok=True)
    rows = [f"s{n // SEQUENCE:03},Shot {n},{n + 1}" for n in range(clips)]
    (place / "list.csv").write_text("\n".join(["sequence,prompt,seed", *rows]))


# --- without Prefect --------------------------------------------------------------------------


def plain(place: Path, url: str, clips: int, at_a_time: int) -> Measured:
    write_list(place, clips)
    command = [sys.executable, __file__, "--without", "list.csv", "--at-a-time", str(at_a_time)]
    env = {**clean_environment(), "SHOTREEL_SANDBOX_URL": url}
    _, whole_s, cpu_s, rss_mb = timed(command, place, env)
    return Measured("without Prefect", buying_s(place, clips), whole_s, cpu_s, rss_mb)


async def without_prefect(shots: str, at_a_time: int) -> None:
    """What make-film does until the clips are there, in its own order."""
    from blocks.errors import ShotreelError
    from flows.generate.all_clips import Clips
    from flows.generate.footage import keep_footage
    from flows.generate.generation import open_generation
    from flows.generate.lifecycle import obtain
    from flows.planning.reserving import plan_list, reserve
    from flows.report.progress import Progress
    from flows.run import opening
    from flows.shots import read_shots

    opening.SANDBOX_LIMITS["fal"]["max_in_flight"] = at_a_time
    rows = read_shots(shots)
    async with open_generation(rows, Progress(), live=False) as run:
        plan = await plan_list(run, rows, live=False)
        intents = await reserve(run, plan, "bench", None)
        clips = Clips(
            lambda job: obtain(run, job, intents[job.fingerprint]),
            lambda job: keep_footage(run, job, intents[job.fingerprint]),
        )
        clips.start(run, plan)
        outcomes = await clips.all()
        assert not any(isinstance(each, ShotreelError) for each in outcomes.values())


# --- with it ----------------------------------------------------------------------------------


def shotreel(place: Path, url: str, prefect: PrefectServer, clips: int, what: str) -> Measured:
    if not place.exists():
        write_list(place, clips)
    before = server_cpu_s(prefect)
    env = {**clean_environment(), **prefect.env, "SHOTREEL_SANDBOX_URL": url}
    out, whole_s, cpu_s, rss_mb = timed([SHOTREEL, "make", "list.csv", "--json"], place, env)
    assert json.loads(out)["exit_code"] == 0
    first = what == "shotreel"
    missing = task_runs_missing(prefect, clips if first else 0)
    took_s = buying_s(place, clips) if first else 0.0
    server_s = server_cpu_s(prefect) - before
    return Measured(what, took_s, whole_s, cpu_s, rss_mb, server_s, missing)


def task_runs_missing(prefect: PrefectServer, clips: int) -> int:
    """How many clips of the newest run have no ended task run; it is given time to be written."""
    (run,) = prefect.ask("flow_runs/filter", sort="START_TIME_DESC", limit=1)
    ended = {"type": {"any_": ["COMPLETED"]}}
    given_up = time.monotonic() + SETTLE_S
    while True:
        count = prefect.ask(
            "task_runs/count",
            flow_runs={"id": {"any_": [run["id"]]}},
            task_runs={"state": ended, "name": {"like_": "/"}},
        )
        if count >= clips or time.monotonic() > given_up:
            return int(clips - count)
        time.sleep(0.25)


def server_cpu_s(prefect: PrefectServer) -> float:
    """Seconds of CPU that the server's process has used (Linux), with those it has started."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            command = (stat.parent / "environ").read_bytes()
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if f"PREFECT_HOME={prefect.home}".encode() in command:
            total += int(fields[11]) + int(fields[12])
    return total / ticks


def buying_s(place: Path, clips: int) -> float:
    with sqlite3.connect(place / ".shotreel/ledger.sqlite") as ledger:
        query = "SELECT MIN(posted_at), MAX(stored_at), COUNT(stored_at) FROM attempts"
        first, last, stored = ledger.execute(query).fetchone()
    assert stored == clips, f"{stored} clips of {clips} are in the store"
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


if __name__ == "__main__":
    main()
