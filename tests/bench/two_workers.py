"""A list of thousands of shots across two workers: what each process needs, and how long it takes.

    python tests/bench/two_workers.py [--clips 5000] [--split 500] [--latency 5] [--at-a-time 200]

A Prefect server, the sandbox (which has rendered all clips, tiny ones, before the clock starts) and
two process workers, all on this machine; ledger and clips are in one home, on SQLite. Memory is
looked at every half second: the peak of each kind of process, and the largest run's at a quarter of
its time and at its end, which shows whether it grows. The second run of the list buys nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.generate_200 import render_all, sandbox
from tests.bench.large_list import buying_s, save_account, write_list
from tests.e2e.prefect_server import PrefectServer, serve
from tests.e2e.world import PREFECT
from tests.zygote import ROOT, clean_environment

LOOK_S = 0.5
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--split", type=int, default=500)
    parser.add_argument("--latency", type=float, default=5.0)
    parser.add_argument("--at-a-time", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="two-workers-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "prefect").mkdir()
        url = stack.enter_context(sandbox(folder, given.latency))
        render_all(url, given.clips)
        prefect = stack.enter_context(serve(folder / "prefect"))
        save_account(prefect, given.at_a_time)
        write_list(folder, given.clips)
        env = {
            **clean_environment(),
            **prefect.env,
            "SHOTREEL_SANDBOX_URL": url,
            "SHOTREEL_PROJECT": str(folder),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
        }
        for arguments in (
            ["work-pool", "create", "shotreel", "--type", "process"],
            ["deploy", "--all", "--prefect-file", "deployments/prefect.yaml"],
        ):
            command = [PREFECT, "--no-prompt", *arguments]
            subprocess.run(command, check=True, cwd=ROOT, env=env, capture_output=True)
        for number in (1, 2):
            stack.enter_context(worker(folder, env, f"worker-{number}"))
        ideal_s = -(-given.clips // given.at_a_time) * given.latency
        for what in ("bought", "again"):
            began = time.monotonic()
            told, memory = run(prefect, folder, given.split)
            whole_s = time.monotonic() - began
            print(f"{what}: {told}, {whole_s:.1f} s for {given.clips} clips in all", flush=True)
            for kind, (peak, quarter, end) in memory.items():
                print(f"  {kind:<12} peak {peak:.0f} MB; largest run {quarter:.0f} -> {end:.0f} MB")
            if what == "bought":
                took_s = buying_s(folder, given.clips)
                print(
                    f"  first request to last clip {took_s:.1f} s, "
                    f"{took_s / ideal_s:.2f} x the ideal of {ideal_s:.0f} s"
                )


@contextmanager
def worker(folder: Path, env: dict[str, str], name: str) -> Iterator[None]:
    arguments = ["--pool", "shotreel", "--type", "process", "--name", name, "--limit", "3"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [PREFECT, "worker", "start", *arguments],
            cwd=folder,
            env={**env, "SHOTREEL_BENCH": "worker"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(
    prefect: PrefectServer, folder: Path, split: int
) -> tuple[str, dict[str, tuple[float, float, float]]]:
    """(how it ended, MB by kind of process: its peak, a quarter on, at the end)."""
    wanted = {"name": {"any_": ["make-film"]}}
    (deployment,) = prefect.ask("deployments/filter", deployments=wanted)
    given = {"shots": str(folder / "list.csv"), "out": str(folder / "film"), "split": split}
    path = f"deployments/{deployment['id']}/create_flow_run"
    run_id = prefect.ask(path, parameters=given)["id"]
    looks: dict[tuple[str, int], list[float]] = {}
    while True:
        time.sleep(LOOK_S)
        for kind, pid, megabytes in processes(prefect.home):
            looks.setdefault((kind, pid), []).append(megabytes)
        (found,) = prefect.ask("flow_runs/filter", flow_runs={"id": {"any_": [run_id]}})
        if found["state"]["type"] in ENDED:
            break
    memory: dict[str, tuple[float, float, float]] = {}
    for kind in dict.fromkeys(kind for kind, _ in looks):
        series = [seen for (other, _), seen in looks.items() if other == kind]
        longest = max(series, key=lambda seen: (len(seen), max(seen)))
        peak = max(max(seen) for seen in series)
        memory[kind] = (peak, longest[len(longest) // 4], longest[-1])
    return f"{found['state']['name']}: {found['state']['message']}", memory


def processes(home: Path) -> Iterator[tuple[str, int, float]]:
    """(kind, pid, MB) of the server and of what the workers run (Linux)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            pages = int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        if f"PREFECT_HOME={home}".encode() not in environment:
            continue
        if "server start" in command or "uvicorn" in command:
            kind = "server"
        elif "worker start" in command:
            kind = "worker"
        elif "blocks.processes" in command:
            kind = "stitching"
        else:
            kind = "run"
        yield kind, int(folder.name), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
