from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from blocks.providers.http import open_client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's proxy is not what is tested."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as opened:
        yield opened
