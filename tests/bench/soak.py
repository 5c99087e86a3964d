"""Buy clips by the thousand from a service that misbehaves, with a process that is killed.

    python -m tests.bench.soak [--requests 10000] [--naive 1000] [--sdk 300]

The sandbox is a process of its own and acts up on more than one request in ten, in what it answers,
lists and bills; the buying processes are killed (SIGKILL) every few seconds, wherever they are, and
started again. In the end the ledger is reconciled with the bill and held against the service's own
count. The same service then sells to a naive loop
and to fal's Python SDK, which are not killed. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

from blocks.errors import ClipError
from blocks.media.probe import probe
from tests.crash.audit import Audit, audit
from tests.crash.place import Place, Service
from tests.zygote import ROOT, Zygote, clean_environment

WORKERS = 3
SHOTS_IN_A_LIST = 500
LATENCY_S = 0.1
KILL_AFTER_S = (0.5, 12.0)
MAX_KILLS_OF_A_LIST = 6
ENDED_WELL = 0
SEED = 20261121

DENIED = {"detail": [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]}
RULES: tuple[dict[str, Any], ...] = (
    {"at": "submit", "do": "drop_after_accept", "probability": 0.02},
    {"at": "submit", "do": "status_after_accept", "status": 502, "probability": 0.01},
    {"at": "submit", "do": "garbage", "probability": 0.01},
    {"at": "submit", "do": "answer_late", "delay_s": 1.5, "probability": 0.004},
    {"at": "submit", "do": "drop_before_accept", "probability": 0.004},
    {"at": "submit", "do": "status", "status": 429, "probability": 0.02},
    {"at": "submit", "do": "status", "status": 422, "body": DENIED, "probability": 0.002},
    {"at": "submit", "do": "status_after_accept", "status": 413, "probability": 0.002},
    {
        "at": "job",
        "do": "fail",
        "status": 503,
        "error_type": "runner_disconnected",
        "probability": 0.004,
    },
    {"at": "job", "do": "late", "delay_s": 2, "probability": 0.004},
    {"at": "job", "do": "units", "units": "2.25", "probability": 0.004},
    {"at": "poll", "do": "status", "status": 500, "probability": 0.01},
    {"at": "poll", "do": "drop", "probability": 0.004},
    {"at": "poll", "do": "not_found", "probability": 0.004},
    {"at": "result", "do": "gateway_504", "probability": 0.01},
    {"at": "result", "do": "not_found", "probability": 0.004},
    {"at": "result", "do": "status", "status": 403, "probability": 0.002},
    {"at": "media", "do": "short", "probability": 0.008},
    {"at": "media", "do": "corrupt", "probability": 0.006},
    {"at": "media", "do": "not_found", "probability": 0.004},
    {"at": "listing", "do": "status", "status": 500, "probability": 0.02},
    {"at": "listing", "do": "hidden", "probability": 0.005},
    {"at": "listing", "do": "no_output", "probability": 0.01},
    {"at": "listing", "do": "rewritten", "probability": 0.01},
    {"at": "billing", "do": "status", "status": 500, "probability": 0.05},
    {"at": "billing", "do": "lag", "lag_s": 5, "probability": 0.1},
)


@dataclass
class Result:
    """What has come of one way to buy the clips."""

    name: str
    shots: int
    posts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    charges: int = 0
    double_charges: int = 0
    lost_clips: int = 0
    difference_usd: Decimal | None = None
    overpaid_usd: Decimal = Decimal(0)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """0 where shotreel paid nothing twice, lost nothing, and the bills agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--naive", type=int, default=1000)
    parser.add_argument("--sdk", type=int, default=300)
    parser.add_argument("--list", type=int, default=SHOTS_IN_A_LIST, help="shots in one list")
    parser.add_argument("--seed", type=int, default=SEED, help="of the faults and of the kills")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="shotreel-soak-") as name, Zygote({}) as zygote:
        folder = Path(name)
        results = [soak(zygote, folder / "shotreel", given.requests, given.list, given.seed)]
        for client, shots in (("naive", given.naive), ("sdk", given.sdk)):
            if shots:
                results.append(compare(zygote, folder / client, client, shots, given.seed))
    print(table(results))
    for problem in results[0].problems[:20]:
        print(problem, file=sys.stderr)
    ours = results[0]
    well = not (ours.double_charges or ours.lost_clips or ours.difference_usd or ours.problems)
    return int(not well)


# shotreel -----------------------------------------------------------------------------------------


def soak(zygote: Zygote, folder: Path, shots: int, in_a_list: int, seed: int) -> Result:
    service = Service(zygote, folder / "service", LATENCY_S)
    place = Place(zygote, service, folder)
    # The grace is long enough for a busy machine to deliver what a killed process has sent.
    place.env["SHOTREEL_QUIET_S"] = "10"
    service.misbehave(rules(seed))
    result = Result("shotreel", shots)
    lists: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for first in range(0, shots, in_a_list):
        number = min(in_a_list, shots - first)
        lists.put(write_list(folder / f"list-{first:05}.csv", first, number))
    begun = monotonic()
    draw = random.Random(seed)
    kills: list[int] = []

    def buy_lists() -> None:
        while True:
            try:
                shot_list = lists.get_nowait()
            except queue.Empty:
                return
            kills.append(buy_and_kill(place, shot_list, draw, result.problems))

    workers = [threading.Thread(target=buy_lists) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    result.seconds = monotonic() - begun
    result.kills = sum(kills)
    read_service(service, result)
    service.misbehave([])
    if place.run("reconcile", within_s=600):
        result.problems.append(f"the bills do not agree: {place.log[-500:]}")
    found = audit(
        place.ledger_url, place.home / "clips", service.told("charges"), service.told("posts")
    )
    service.stop()
    take_over(result, found)
    return result


def buy_and_kill(place: Place, shot_list: Path, draw: random.Random, problems: list[str]) -> int:
    """Make a list, killing the process now and then; how often it was killed."""
    kills = 0
    for _ in range(MAX_KILLS_OF_A_LIST + 20):
        process = place.start("buy", str(shot_list))
        killer = threading.Timer(draw.uniform(*KILL_AFTER_S), process.signal, [signal.SIGKILL])
        if kills < MAX_KILLS_OF_A_LIST:
            killer.start()
        code = process.wait(600)
        killer.cancel()
        if code == ENDED_WELL:
            return kills
        kills += code == -signal.SIGKILL
    problems.append(f"{shot_list.name} does not come to an end: {place.log[-500:]}")
    return kills


def take_over(result: Result, found: Audit) -> None:
    result.charges = found.charged
    result.double_charges = found.double_charges
    result.lost_clips = found.lost_clips
    result.difference_usd = found.difference_usd
    result.problems += found.problems
    result.problems += found.named
    if found.stored != result.shots:
        result.problems.append(f"{found.stored} clips of {result.shots} are in the store")


# the others ---------------------------------------------------------------------------------------


def compare(zygote: Zygote, folder: Path, client: str, shots: int, seed: int) -> Result:
    names = {"naive": "naive loop", "sdk": f"fal-client {sdk_version()}"}
    result = Result(names[client], shots)
    service = Service(zygote, folder / "service", LATENCY_S)
    service.misbehave(rules(seed))
    shot_list = write_list(folder / "list.csv", 0, shots)
    clips = folder / "clips"
    clips.mkdir()
    begun = monotonic()
    if client == "sdk":
        with fronted(folder, service.url) as (url, trusted):
            run_client(client, url, shot_list, clips, {"SSL_CERT_FILE": str(trusted)})
    else:
        run_client(client, service.url, shot_list, clips, {})
    result.seconds = monotonic() - begun
    read_service(service, result)
    charges = service.told("charges")["charges"]
    service.stop()
    per_shot = Counter(charge["inputs"]["prompt"] for charge in charges)
    result.charges = len(charges)
    result.double_charges = sum(per_shot.values()) - len(per_shot)
    paid = sum((Decimal(charge["cost_usd"]) for charge in charges), Decimal(0))
    result.overpaid_usd = paid * result.double_charges / max(1, len(charges))
    with shot_list.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["prompt"] in per_shot and not is_clip(clips / f"{row['shot']}.mp4"):
                result.lost_clips += 1
    return result


def run_client(client: str, url: str, shots: Path, clips: Path, env: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.bench.clients", client, url, str(shots), str(clips)],
        cwd=ROOT,
        env={**clean_environment(), **env},
        stdout=subprocess.DEVNULL,
        check=True,
    )


class fronted:  # noqa: N801 - reads as what it does
    """`with fronted(folder, url) as (https_url, trusted):` TLS in front of the service."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._port = int(url.rpartition(":")[2])

    def __enter__(self) -> tuple[str, Path]:
        import asyncio

        from tests.bench.tls_front import TlsFront
        from tests.tls import issue

        trusted, shown = issue(self._folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        front = TlsFront(shown, self._port)
        url = asyncio.run_coroutine_threadsafe(front.start(), self._loop).result(10)
        return url, trusted

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


def is_clip(path: Path) -> bool:
    try:
        probe(path)
    except (ClipError, OSError):
        return False
    return True


def sdk_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fal-client")
    except PackageNotFoundError:
        return "(not installed)"


# lists, rules, words ------------------------------------------------------------------------------


def rules(seed: int) -> list[dict[str, Any]]:
    return [{**rule, "times": 0, "seed": seed + n} for n, rule in enumerate(RULES)]


def write_list(path: Path, first: int, number: int) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("shot", "prompt", "seed", "resolution"))
        for shot in range(first + 1, first + number + 1):
            writer.writerow((f"s{shot:05}", f"Boat {shot:05}.", shot, "480p"))
    return path


def read_service(service: Service, result: Result) -> None:
    result.posts = service.told("posts")["total"]
    for rule in service.told("faults")["faults"]:
        what = f" {rule['status']}" if "status" in rule else ""
        result.faults[f"{rule['at']}: {rule['do']}{what}"] += rule["acted"]


def table(results: Sequence[Result]) -> str:
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("clips wanted", lambda r: f"{r.shots:,}"),
        ("POSTs", lambda r: f"{r.posts:,}"),
        ("faults", lambda r: f"{r.faults.total():,} ({r.faults.total() / r.shots:.0%})"),
        ("kills (SIGKILL)", lambda r: f"{r.kills:,}" if r.kills else "none"),
        ("charges", lambda r: f"{r.charges:,}"),
        ("**double charges**", lambda r: f"**{r.double_charges:,}**"),
        ("**paid clips lost**", lambda r: f"**{r.lost_clips:,}**"),
        (
            "**difference between the bills**",
            lambda r: "no bill" if r.difference_usd is None else f"**${r.difference_usd:.2f}**",
        ),
        ("paid for nothing", lambda r: f"${r.overpaid_usd:.2f}"),
        ("seconds", lambda r: f"{r.seconds:.0f}"),
    ]
    lines = [
        "| | " + " | ".join(result.name for result in results) + " |",
        "|---|" + "---:|" * len(results),
    ]
    lines += [f"| {name} | " + " | ".join(map(show, results)) + " |" for name, show in rows]
    kinds = [kind for kind, count in results[0].faults.items() if count]
    lines += ["", "| fault | " + " | ".join(result.name for result in results) + " |"]
    lines += ["|---|" + "---:|" * len(results)]
    lines += [
        f"| {kind} | " + " | ".join(f"{result.faults[kind]:,}" for result in results) + " |"
        for kind in kinds
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
