"""One account at one sandbox, asked as the program asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from blocks.providers.base import (
    Accepted,
    Again,
    Order,
    Polled,
    Provider,
    Submitted,
    Ticket,
    Waiting,
)
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui.account import ComfyUIAccount
from blocks.providers.fal.account import FalAccount
from blocks.providers.model import Model, Value
from blocks.providers.wavespeed.account import WaveSpeedAccount
from blocks.sandbox import Sandbox

Account = FalAccount | WaveSpeedAccount | ComfyUIAccount
KEY = "admin:secret-key"


@dataclass(frozen=True)
class Case:
    """`sold`: it has a price; `looked_at`: its requests are followed by asking for their state."""

    name: str
    model: str
    account: Callable[[], Account]
    sold: bool = True
    looked_at: bool = True


CASES = (
    Case("fal queue", "fal-ai/magi-distilled", lambda: FalAccount(key=KEY)),
    Case(
        "fal direct",
        "fal-ai/magi-distilled",
        lambda: FalAccount(key=KEY, transport="direct"),
        looked_at=False,
    ),
    Case("WaveSpeed v3", "wavespeed-ai/magi-1-24b", lambda: WaveSpeedAccount(key=KEY)),
    Case("WaveSpeed v2", "wavespeed-ai/magi-1-24b@v2", lambda: WaveSpeedAccount(key=KEY)),
    Case("ComfyUI", "comfyui/blank.json", ComfyUIAccount, sold=False),
)

_numbers = count(1)


@dataclass(frozen=True)
class Desk:
    case: Case
    sandbox: Sandbox
    provider: Provider
    client: httpx.AsyncClient

    @property
    def model(self) -> Model:
        return MODELS[self.case.model]

    def order(self, **inputs: Value) -> Order:
        number = next(_numbers)
        given: dict[str, Value] = {"prompt": f"wave {number}", "seed": 1000 + number, **inputs}
        return Order(f"a{number}", self.model, {**self.model.defaults, **given}, 600)

    async def buy(self, order: Order | None = None) -> Ticket:
        outcome: Submitted = await self.provider.submit(order or self.order())
        assert isinstance(outcome, Accepted), outcome
        return outcome.ticket

    async def ended(self, ticket: Ticket, within_s: float = 20) -> Polled:
        """What became of it, once it has ended."""
        limit = monotonic() + within_s
        while True:
            outcome = await self.provider.poll(self.model, ticket)
            if not isinstance(outcome, (Waiting, Again)):
                return outcome
            assert monotonic() < limit, outcome
            await asyncio.sleep(0.05)

    async def found(self, order: Order) -> list[Ticket]:
        since = datetime.now(UTC) - timedelta(minutes=1)
        findings = await self.provider.find(order, since)
        assert findings.complete
        return [found.ticket for found in findings.candidates]

    async def told(self, what: str) -> Any:
        return (await self.client.get(f"{self.sandbox.url}/sandbox/{what}")).json()

    async def posts(self) -> int:
        return int((await self.told("posts"))["total"])

    async def charged_usd(self) -> Decimal:
        return Decimal((await self.told("charges"))["cost_usd"])

    async def misbehave(self, **rule: Any) -> None:
        reply = await self.client.post(f"{self.sandbox.url}/sandbox/faults", json=rule)
        assert reply.status_code == 200, reply.text


def elsewhere(desk: Desk, monkeypatch: Any, url: str) -> Provider:
    """The same account, where another address answers."""
    for name in desk.sandbox.environment:
        monkeypatch.setenv(name, url)
    return desk.case.account().provider(desk.client, desk.provider.service, "default")


def picture(path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (64, 36), "navy").save(path, "PNG")
    return path
