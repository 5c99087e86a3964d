"""WaveSpeed's official Python client works through the sandbox as through WaveSpeed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wavespeed
from PIL import Image

from blocks.sandbox import Sandbox
from tests.web import web

MODEL = "wavespeed-ai/magi-1-24b"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("NO_PROXY", "*")
    with Sandbox(tmp_path / "sandbox", latency_s=0.1, render="thumb") as opened:
        yield opened


@pytest.fixture
def client(sandbox: Sandbox) -> wavespeed.Client:
    return wavespeed.Client(api_key="key", base_url=sandbox.environment["WAVESPEED_URL"])


def told(sandbox: Sandbox, what: str) -> Any:
    return web.get(f"{sandbox.url}/sandbox/{what}").json()


def test_client_uploads_runs_and_downloads(
    sandbox: Sandbox, client: wavespeed.Client, tmp_path: Path
) -> None:
    picture = tmp_path / "sea.png"
    Image.new("RGB", (64, 36), "navy").save(picture, "PNG")
    place = client.upload(str(picture))
    assert web.get(place).content == picture.read_bytes()

    made = client.run(MODEL, {"prompt": "The sea", "image": place, "seed": 7}, poll_interval=0.05)
    [url] = made["outputs"]
    assert len(web.get(url).content) > 1000
    [charge] = told(sandbox, "charges")["charges"]
    assert charge["inputs"] == {"prompt": "The sea", "image": place, "seed": 7}


def test_client_waits_in_one_call(sandbox: Sandbox, client: wavespeed.Client) -> None:
    made = client.run(MODEL, {"prompt": "The sea"}, enable_sync_mode=True)
    assert len(made["outputs"]) == 1
    assert told(sandbox, "posts")["total"] == 1


def test_client_reports_a_failed_task(sandbox: Sandbox, client: wavespeed.Client) -> None:
    rule = {"at": "job", "do": "fail", "status": 422, "error": "not allowed", "code": "1200"}
    web.post(f"{sandbox.url}/sandbox/faults", json=rule)
    told_by_client = client.run_no_throw(MODEL, {"prompt": "The sea"}, poll_interval=0.05)
    assert told_by_client["status"] == "failed"
    assert "not allowed" in told_by_client["error"]


def test_client_does_not_send_twice_what_was_lost(
    sandbox: Sandbox, client: wavespeed.Client
) -> None:
    web.post(f"{sandbox.url}/sandbox/faults", json={"at": "submit", "do": "drop_after_accept"})
    with pytest.raises(RuntimeError, match="may already have been created"):
        client.run(MODEL, {"prompt": "The sea"})
    assert told(sandbox, "posts")["total"] == 1
