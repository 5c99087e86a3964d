"""A Prefect server for the whole session, and a sandbox and a folder for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from blocks.sandbox import Sandbox
from tests.e2e.prefect_server import PrefectServer, serve
from tests.e2e.world import Done, World, free_port

NewWorld = Callable[..., World]


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with serve(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def nobody_there(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[Done]]:
    """A run whose service does not answer: it is patient for two minutes, so it begins first."""
    folder = tmp_path_factory.mktemp("nobody")
    with Sandbox(folder / "sandbox") as sandbox, ThreadPoolExecutor(1) as thread:
        url = f"http://127.0.0.1:{free_port()}"
        world = World(folder, sandbox, {**prefect_server.env, "SHOTREEL_SANDBOX_URL": url})
        yield thread.submit(world.run, "make", world.write("prompt\nSea\n"))


@pytest.fixture(scope="module")
def new_world(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewWorld]:
    """Makes worlds: options are the sandbox's, by default quick and with tiny clips."""
    with ExitStack() as stack:

        def make(**options: Any) -> World:
            folder = tmp_path_factory.mktemp("world")
            usual: dict[str, Any] = {"latency_s": 0.2, "render": "thumb"}
            sandbox = stack.enter_context(Sandbox(folder / "sandbox", **(usual | options)))
            env = {**prefect_server.env, "SHOTREEL_SANDBOX_URL": sandbox.url}
            return World(folder, sandbox, env)

        yield make


@pytest.fixture
def world(new_world: NewWorld) -> World:
    return new_world()
