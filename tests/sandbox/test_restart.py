from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from blocks.sandbox.edge_code import clip_code, read_edge_code

from .conftest import MODEL, Run, decoded, web

ROOT = Path(__file__).parents[2]
KEY = {"Authorization": "Key admin"}


class Process:
    """`python -m blocks.sandbox` on a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "blocks.sandbox", "--folder", str(folder), *options]
        self.process = subprocess.Popen(
            [*command, "--render", "thumb"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.urls = {}
        for _ in range(7):
            name, url = self.process.stdout.readline().removeprefix("export ").split("=", 1)
            self.urls[name] = url.strip()

    def end(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        code = self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()
        return code


def test_a_killed_service_has_forgotten_nothing(tmp_path: Path) -> None:
    first = Process(tmp_path, "--latency", "1")
    url = f"{first.urls['FAL_QUEUE_URL']}/{MODEL}"
    ticket = web.post(url, json={"prompt": "x", "seed": 3}, headers=KEY).json()
    first.end(signal.SIGKILL)

    second = Process(tmp_path, "--latency", "1")
    try:
        assert second.urls["FAL_QUEUE_URL"] != first.urls["FAL_QUEUE_URL"]
        own = f"{second.urls['FAL_QUEUE_URL']}/{MODEL}/requests/{ticket['request_id']}"
        limit = time.monotonic() + 5
        while web.get(f"{own}/status", headers=KEY).status_code != 200:
            assert time.monotonic() < limit
            time.sleep(0.05)
        video = web.get(own, headers=KEY).json()["video"]["url"]
        assert video.startswith(second.urls["FAL_MEDIA_URL"])
        frames = decoded(web.get(video).content)
        assert read_edge_code(frames[50]) == (clip_code(3), 50)
        base = second.urls["FAL_QUEUE_URL"].removesuffix("/fal/queue")
        assert web.get(f"{base}/sandbox/charges").json()["units"] == "4"
    finally:
        code = second.end(signal.SIGTERM)
    assert code == 0


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_service_ends_when_it_is_told_to(tmp_path: Path, by: signal.Signals) -> None:
    assert Process(tmp_path).end(by) == 0


def test_two_services_on_one_folder_know_each_other_s_requests(run: Run) -> None:
    one, other = run(concurrency=1, latency_s=0.3), run(concurrency=1, latency_s=0.3)
    ticket = one.submit()
    elsewhere = other.submit()
    here = one.sandbox.url
    assert other.sandbox.url != here
    path = ticket["status_url"].removeprefix(here)
    assert other.fal.get(other.sandbox.url + path).json()["status"] == "IN_PROGRESS"
    # One account: its limit holds across both.
    assert other.fal.get(elsewhere["status_url"]).json()["status"] == "IN_QUEUE"
    time.sleep(0.65)
    assert one.told("charges") == other.told("charges")
    assert one.told("charges")["units"] == "8"


def test_a_lost_clip_is_rendered_again_alike(run: Run, tmp_path: Path) -> None:
    client = run()
    url = client.finish(client.submit(seed=4)).json()["video"]["url"]
    before = web.get(url)
    for path in (tmp_path / "sandbox" / "clips").iterdir():
        path.unlink()
    after = web.get(url)
    assert after.content == before.content
    assert after.headers["etag"] == before.headers["etag"]


def test_fault_counts_survive_a_restart(run: Run) -> None:
    rules: list[dict[str, Any]] = [{"at": "submit", "do": "status", "status": 429, "times": 2}]
    assert run(faults=rules).post().status_code == 429
    again = run(faults=rules)
    assert [again.post().status_code for _ in range(3)] == [429, 200, 200]
    other = [{"at": "submit", "do": "status", "status": 503}]
    assert run(faults=other).post().status_code == 503


def test_starting_is_silent_and_takes_no_signals(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    client = run()
    assert client.told("charges")["charges"] == []
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    client.sandbox.stop()
    assert capfd.readouterr() == ("", "")


def test_a_process_that_ends_leaves_no_painter_behind(tmp_path: Path) -> None:
    service = Process(tmp_path)
    url = f"{service.urls['FAL_QUEUE_URL']}/{MODEL}"
    web.post(url, json={"prompt": "x"}, headers=KEY)
    pid = service.process.pid
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    painters = [painter for task in tasks for painter in task.read_text().split()]
    service.end(signal.SIGKILL)
    limit = time.monotonic() + 5
    for painter in painters:
        while Path(f"/proc/{painter}").exists():
            assert time.monotonic() < limit
            time.sleep(0.05)
