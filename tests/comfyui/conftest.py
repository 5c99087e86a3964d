"""A sandbox's ComfyUI, and an account that speaks to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from blocks.providers.base import Accepted, Order, Polled, Ticket, Waiting
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui.account import ComfyUI, ComfyUIAccount
from blocks.providers.http import open_client
from blocks.providers.model import Model, Value
from blocks.sandbox import Sandbox
from tests.web import web

T = TypeVar("T")
BLANK = "comfyui/blank.json"
SMALL: dict[str, Value] = {
    "prompt": "A fox in the snow",
    "num_frames": 8,
    "frames_per_second": 12,
    "resolution": "240p",
    "aspect_ratio": "16:9",
    "seed": 5,
}


class Server:
    """A running sandbox: asked by hand (`get`, `post`), or by an account (`with_account`)."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.environment["COMFYUI_URL"]
        self.client = httpx.Client(base_url=self.url, timeout=20)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(path, json=body)

    def told(self, what: str) -> Any:
        return web.get(f"{self.sandbox.url}/sandbox/{what}").json()

    def misbehave(self, **rule: Any) -> None:
        answer = web.post(f"{self.sandbox.url}/sandbox/faults", json=rule)
        assert answer.status_code == 200, answer.text

    def ended(self, prompt_id: str, within_s: float = 10) -> dict[str, Any]:
        """The prompt's history, once there is one."""
        limit = time.monotonic() + within_s
        while not (found := self.get(f"/history/{prompt_id}").json()):
            assert time.monotonic() < limit, "the prompt does not end"
            time.sleep(0.02)
        return dict(found[prompt_id])

    def with_account(self, act: Callable[[ComfyUI], Awaitable[T]]) -> T:
        async def run() -> T:
            async with open_client() as client:
                return await act(ComfyUIAccount(url=self.url).provider(client, "comfyui", "x"))

        return asyncio.run(run())


Run = Callable[..., Server]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts sandboxes on one folder, by default quick and with tiny clips."""
    with ExitStack() as stack:

        def start(**options: Any) -> Server:
            usual: dict[str, Any] = {"latency_s": 0.1, "render": "thumb"}
            sandbox = stack.enter_context(Sandbox(tmp_path / "sandbox", **(usual | options)))
            server = Server(sandbox)
            stack.callback(server.client.close)
            return server

        yield start


@pytest.fixture
def server(run: Run) -> Server:
    return run()


def order(attempt_id: str = "a1", model: Model | None = None, **inputs: Value) -> Order:
    return Order(attempt_id, model or MODELS[BLANK], {**SMALL, **inputs}, 600)


async def sent(comfyui: ComfyUI, of: Order) -> Ticket:
    outcome = await comfyui.submit(of)
    assert isinstance(outcome, Accepted), outcome
    return outcome.ticket


async def followed(comfyui: ComfyUI, ticket: Ticket) -> Polled:
    """What the prompt comes to."""
    for _ in range(500):
        outcome = await comfyui.poll(MODELS[BLANK], ticket)
        if not isinstance(outcome, Waiting):
            return outcome
        await asyncio.sleep(0.02)
    raise AssertionError("the prompt does not end")
