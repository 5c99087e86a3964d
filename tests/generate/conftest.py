from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from blocks.sandbox import Sandbox
from flows.generate import settle
from tests.generate.studio import Studio

Open = Callable[..., Studio]


@pytest.fixture
def open_studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Starts a sandbox, by default quick and with tiny clips, for a home of its own."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(settle, "REFUSAL_S", 1.0)  # the sandbox lists at once what it has taken
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def start(**options: Any) -> Studio:
            usual: dict[str, Any] = {"latency_s": 0.2, "render": "thumb"}
            sandbox = stack.enter_context(Sandbox(tmp_path / "sandbox", **(usual | options)))
            monkeypatch.setenv("SHOTREEL_SANDBOX_URL", sandbox.url)
            return Studio(sandbox)

        yield start


@pytest.fixture
def studio(open_studio: Open) -> Studio:
    return open_studio()
