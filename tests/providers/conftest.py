from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from blocks.providers.catalogue import MODELS
from blocks.providers.http import open_client
from blocks.sandbox import Sandbox
from tests.providers.desk import CASES, Case, Desk


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture
async def desk(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Every account of `CASES`, each at a sandbox of its own with tiny clips."""
    monkeypatch.setenv("NO_PROXY", "*")
    with Sandbox(tmp_path / "sandbox", latency_s=0.1, render="thumb") as sandbox:
        for name, url in sandbox.environment.items():
            monkeypatch.setenv(name, url)
        async with open_client() as client:
            service = f"sandbox/{MODELS[case.model].provider}"
            yield Desk(case, sandbox, case.account().provider(client, service, "default"), client)
