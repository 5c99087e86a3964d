from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from blocks.sandbox import Sandbox

PROMPT = "The old sea captain stares intently, pipe in mouth."
MODEL = "fal-ai/magi-distilled"
WAVESPEED_MODEL = "wavespeed-ai/magi-1-24b"

# Reading the certificates of the world takes longer than most tests.
web = httpx.Client(verify=False, timeout=20)


class Client:
    """A client of one running sandbox, with the few calls that most tests make."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.urls = sandbox.environment
        self.fal = httpx.Client(
            headers={"Authorization": "Key admin:secret"}, timeout=20, verify=False
        )
        self.wavespeed = httpx.Client(
            headers={"Authorization": "Bearer key"},
            timeout=20,
            base_url=self.urls["WAVESPEED_URL"],
            verify=False,
        )

    def submit(self, endpoint: str = MODEL, **inputs: Any) -> dict[str, Any]:
        reply = self.post(endpoint, **inputs)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def post(self, endpoint: str = MODEL, **inputs: Any) -> httpx.Response:
        url = f"{self.urls['FAL_QUEUE_URL']}/{endpoint}"
        return self.fal.post(url, json={"prompt": PROMPT, **inputs})

    def finish(self, ticket: dict[str, Any], within_s: float = 10) -> httpx.Response:
        """The result, once the status is COMPLETED."""
        limit = time.monotonic() + within_s
        while self.fal.get(ticket["status_url"]).json()["status"] != "COMPLETED":
            assert time.monotonic() < limit, "the job does not end"
            time.sleep(0.02)
        return self.fal.get(ticket["response_url"])

    def predict(self, api: str = "v3", **inputs: Any) -> dict[str, Any]:
        url = f"/api/{api}/{WAVESPEED_MODEL}"
        reply = self.wavespeed.post(url, json={"prompt": PROMPT, **inputs})
        assert reply.status_code == 200, reply.text
        return dict(reply.json()["data"])

    def prediction(self, data: dict[str, Any], within_s: float = 10) -> dict[str, Any]:
        """The prediction's data, once it has ended."""
        limit = time.monotonic() + within_s
        while True:
            found = self.wavespeed.get(data["urls"]["get"]).json()["data"]
            if found["status"] not in ("created", "processing"):
                return dict(found)
            assert time.monotonic() < limit, "the task does not end"
            time.sleep(0.02)

    def told(self, what: str) -> Any:
        return self.fal.get(f"{self.sandbox.url}/sandbox/{what}").json()

    def misbehave(self, **rule: Any) -> None:
        reply = self.fal.post(f"{self.sandbox.url}/sandbox/faults", json=rule)
        assert reply.status_code == 200, reply.text

    def platform(self, path: str, **parameters: Any) -> httpx.Response:
        return self.fal.get(self.urls["FAL_PLATFORM_URL"] + path, params=parameters)

    def close(self) -> None:
        self.fal.close()
        self.wavespeed.close()


Run = Callable[..., Client]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts sandboxes, by default quick and with tiny clips, on one folder."""
    with ExitStack() as stack:

        def start(**options: Any) -> Client:
            usual: dict[str, Any] = {"latency_s": 0.1, "render": "thumb"}
            sandbox = Sandbox(tmp_path / "sandbox", **(usual | options))
            client = Client(stack.enter_context(sandbox))
            stack.callback(client.close)
            return client

        yield start


@pytest.fixture
def client(run: Run) -> Client:
    return run()


def decoded(content: bytes) -> list[Any]:
    """The luma plane of every frame."""
    with av.open(io.BytesIO(content), "r") as file:
        height = file.streams.video[0].height
        return [
            np.asarray(frame.to_ndarray(format="yuv420p"))[:height]
            for frame in file.decode(video=0)
        ]
