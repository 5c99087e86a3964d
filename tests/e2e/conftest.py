"""A sandbox and a folder for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from blocks.sandbox import Sandbox
from tests.e2e.prefect_server import PrefectServer
from tests.e2e.world import World
from tests.zygote import Zygote

NewWorld = Callable[..., World]


@pytest.fixture(scope="module")
def new_world(
    prefect_server: PrefectServer,
    film_zygote: Zygote,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[NewWorld]:
    """Makes worlds: options are the sandbox's, by default quick and with tiny clips."""
    with ExitStack() as stack:

        def make(**options: Any) -> World:
            folder = tmp_path_factory.mktemp("world")
            usual: dict[str, Any] = {"latency_s": 0.2, "render": "thumb"}
            sandbox = stack.enter_context(Sandbox(folder / "sandbox", **(usual | options)))
            env = {**prefect_server.env, "SHOTREEL_SANDBOX_URL": sandbox.url}
            return World(folder, sandbox, env, film_zygote)

        yield make


@pytest.fixture
def world(new_world: NewWorld) -> World:
    return new_world()
