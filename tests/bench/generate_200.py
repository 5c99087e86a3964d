"""How long 200 clips take, from the first request to the last stored clip.

    python tests/bench/generate_200.py [--clips 200] [--latency 5] [--at-a-time 40]

The sandbox runs in a process of its own and takes `latency` seconds for a clip, so that the ideal
is clips / at-a-time x latency. It has rendered all clips (tiny ones) before the clock starts: what
is measured is the client, not the service's rendering. Beside shotreel (the whole flow, on a
Prefect server that this script starts) a plain asyncio and httpx script sends the same requests,
polls as often and downloads the same clips, and does nothing else. Peak memory is that of the
largest process of each run; the work on the last rows is 50 clips, to see whether memory grows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from blocks.sandbox.server import environment_of
from tests.e2e.prefect_server import PrefectServer, serve, stop
from tests.e2e.world import FAL, SHOTREEL, free_port
from tests.zygote import ROOT, clean_environment

POLL_S = 0.5
GOAL = 1.25


@dataclass(frozen=True)
class Measured:
    what: str
    clips: int
    took_s: float
    whole_s: float
    cpu_s: float
    rss_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--few", type=int, default=50, help="clips of the run for memory")
    parser.add_argument("--latency", type=float, default=5.0)
    parser.add_argument("--at-a-time", type=int, default=40)
    parser.add_argument("--plain", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        print(asyncio.run(plain_script(given.plain, given.clips, given.at_a_time)))
        return
    with tempfile.TemporaryDirectory(prefix="generate-200-") as name:
        folder = Path(name)
        (folder / "prefect").mkdir()
        with sandbox(folder, given.latency) as url, serve(folder / "prefect") as prefect:
            render_all(url, given.clips)
            rows = [
                plain(url, given.clips, given.at_a_time),
                shotreel(folder, url, prefect, given.clips),
                shotreel(folder, url, prefect, given.few),
            ]
    ideal_s = {n: -(-n // given.at_a_time) * given.latency for n in (given.clips, given.few)}
    show(rows, ideal_s)


@contextmanager
def sandbox(folder: Path, latency_s: float) -> Iterator[str]:
    port = free_port()
    arguments = ("--port", str(port), "--latency", str(latency_s), "--render", "thumb")
    process = subprocess.Popen(
        [sys.executable, "-m", "blocks.sandbox", *arguments, "--folder", str(folder / "sandbox")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # its URLs: it is up
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def render_all(url: str, clips: int) -> None:
    """Order every clip and wait until the last one can be had: later orders find it rendered."""
    with httpx.Client(headers={"Authorization": "Key bench"}, timeout=120) as client:
        queue = environment_of(url)["FAL_QUEUE_URL"]
        tickets = [client.post(f"{queue}/{FAL}", json=inputs(n)).json() for n in range(clips)]
        for ticket in tickets:
            while client.get(ticket["status_url"]).json()["status"] != "COMPLETED":
                time.sleep(POLL_S)
            video = client.get(ticket["response_url"]).json()["video"]["url"]
            client.get(video).raise_for_status()


def inputs(number: int) -> dict[str, Any]:
    """What shotreel sends for a row of a prompt and a seed."""
    return {
        "prompt": f"Shot {number}",
        "seed": number + 1,
        "num_frames": 96,
        "resolution": "720p",
        "num_inference_steps": 16,
        "enable_safety_checker": True,
        "aspect_ratio": "auto",
    }


# --- the plain script -------------------------------------------------------------------------


def plain(url: str, clips: int, at_a_time: int) -> Measured:
    arguments = ("--plain", url, "--clips", str(clips), "--at-a-time", str(at_a_time))
    command = [sys.executable, str(Path(__file__)), *arguments]
    out, *used = timed(command, Path.cwd(), dict(os.environ))
    return Measured("asyncio + httpx", clips, float(out), *used)


async def plain_script(url: str, clips: int, at_a_time: int) -> float:
    queue = environment_of(url)["FAL_QUEUE_URL"]
    room = asyncio.Semaphore(at_a_time)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with httpx.AsyncClient(headers={"Authorization": "Key bench"}, timeout=60) as client:

            async def one(number: int) -> None:
                async with room:
                    answer = await client.post(f"{queue}/{FAL}", json=inputs(number))
                    ticket = answer.json()
                    while True:
                        await asyncio.sleep(POLL_S)
                        status = (await client.get(ticket["status_url"])).json()
                        if status["status"] == "COMPLETED":
                            break
                result = (await client.get(ticket["response_url"])).json()
                async with client.stream("GET", result["video"]["url"]) as response:
                    with (Path(folder) / f"{number}.mp4").open("wb") as file:
                        async for chunk in response.aiter_raw():
                            file.write(chunk)

            await asyncio.gather(*(one(number) for number in range(clips)))
    return time.monotonic() - begun


# --- shotreel ---------------------------------------------------------------------------------


def shotreel(folder: Path, url: str, prefect: PrefectServer, clips: int) -> Measured:
    place = folder / f"shotreel-{clips}"
    place.mkdir()
    lines = ["prompt,seed", *(f"Shot {n},{n + 1}" for n in range(clips))]
    (place / "list.csv").write_text("\n".join(lines))
    env = {**clean_environment(), **prefect.env, "SHOTREEL_SANDBOX_URL": url}
    out, *used = timed([SHOTREEL, "make", "list.csv", "--json"], place, env)
    assert json.loads(out)["exit_code"] == 0
    with sqlite3.connect(place / ".shotreel/ledger.sqlite") as ledger:
        query = "SELECT MIN(posted_at), MAX(stored_at), COUNT(stored_at) FROM attempts"
        first, last, stored = ledger.execute(query).fetchone()
    assert stored == clips
    took = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return Measured("shotreel", clips, took.total_seconds(), *used)


def timed(command: list[str], place: Path, env: dict[str, str]) -> tuple[str, float, float, float]:
    """(stdout, seconds, seconds of CPU, megabytes at the peak of the largest process)."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command[0]} ended with {process.returncode}"
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    cpu_s = usage.ru_utime + usage.ru_stime
    return out, time.monotonic() - begun, cpu_s, kilobytes / 1024


def show(rows: list[Measured], ideal_s: dict[int, float]) -> None:
    reference_s = next(row.took_s for row in rows if row.what != "shotreel")
    print(
        f"{'':<16} {'clips':>5} {'ideal':>7} {'took':>8} {'/ ideal':>8} {'/ plain':>8} "
        f"{'process':>9} {'CPU':>8} {'peak RSS':>9}"
    )
    for row in rows:
        comparable = row.clips == rows[0].clips
        ratio = f"{row.took_s / reference_s:.2f}" if comparable else ""
        print(
            f"{row.what:<16} {row.clips:>5} {ideal_s[row.clips]:>5.1f} s {row.took_s:>6.1f} s "
            f"{row.took_s / ideal_s[row.clips]:>8.2f} {ratio:>8} {row.whole_s:>7.1f} s "
            f"{row.cpu_s:>6.1f} s {row.rss_mb:>6.0f} MB"
        )
    print(f"The goal is {GOAL} x ideal. `process` is the whole command, with stitching.")


if __name__ == "__main__":
    main()
