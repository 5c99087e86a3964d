"""A live run holds its cards against the services' catalogues, and buys nothing by a stale one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import InputError
from blocks.providers.base import Provider
from blocks.providers.cards.card import Card
from blocks.providers.cards.catalogue import shipped
from blocks.providers.cards.check import differences
from blocks.providers.fal.account import FalAccount
from blocks.providers.http import open_client
from blocks.providers.wavespeed.account import WaveSpeedAccount
from blocks.sandbox import Sandbox
from tests.cards.catalogues import card_of, fal_items, recorded
from tests.web import web

pytestmark = pytest.mark.anyio
VEO, KLING = "fal-ai/veo3.1", "kwaivgi/kling-video-o1/image-to-video"
SEEDANCE = "bytedance/seedance-2.0/reference-to-video"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path, latency_s=0.05) as running:
        yield running


@pytest.fixture
async def accounts(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, Provider]]:
    """Live accounts whose URLs are the sandbox's."""
    for name, url in sandbox.environment.items():
        monkeypatch.setenv(name, url)
    async with open_client() as client:
        yield {
            "fal": FalAccount(key="admin:secret-key").provider(client, "fal", "default"),
            "wavespeed": WaveSpeedAccount(key="admin:secret-key").provider(
                client, "wavespeed", "default"
            ),
        }


def change(sandbox: Sandbox, card: Card, **properties: Any) -> None:
    """The service has changed these inputs of the model; None: it has dropped one."""
    both = {**card.schema["properties"], **properties}
    schema = {**card.schema, "properties": {k: v for k, v in both.items() if v is not None}}
    told = {
        "provider": card.provider,
        "endpoint": card.endpoint,
        "api": card.api,
        "schema": schema,
        "output": card.output,
        "output_schema": card.output_schema,
    }
    web.post(f"{sandbox.url}/sandbox/models", json=told).raise_for_status()


def retire(sandbox: Sandbox, card: Card) -> None:
    gone = {"service": card.provider, "endpoint": card.endpoint}
    web.delete(f"{sandbox.url}/sandbox/models", params=gone).raise_for_status()


async def test_cards_that_are_current_may_be_bought_by(accounts: dict[str, Provider]) -> None:
    every = list(shipped().values())
    for name, provider in accounts.items():
        await provider.preflight([card for card in every if card.provider == name])


@pytest.mark.parametrize("name", [VEO, KLING])
async def test_changed_schema_is_refused_with_the_difference(
    name: str, sandbox: Sandbox, accounts: dict[str, Provider]
) -> None:
    card = shipped()[name]
    change(sandbox, card, duration={"type": "string", "enum": ["5s"], "default": "5s"}, seed=None)
    with pytest.raises(InputError) as refused:
        await accounts[card.provider].preflight([card])
    assert f"{name}: its inputs have changed: " in refused.value.message
    assert "duration: also 5s, without" in refused.value.message
    assert f"models update {card.provider}:{name}`" in refused.value.remedy


@pytest.mark.parametrize("name", [VEO, KLING])
async def test_model_that_is_gone_is_refused(
    name: str, sandbox: Sandbox, accounts: dict[str, Provider]
) -> None:
    card = shipped()[name]
    retire(sandbox, card)
    with pytest.raises(InputError, match=f"{name}: the service no longer has it"):
        await accounts[card.provider].preflight([card])


async def test_model_whose_schema_cannot_be_read_any_more_is_refused(
    sandbox: Sandbox, accounts: dict[str, Provider]
) -> None:
    card = shipped()[VEO]
    change(sandbox, replace(card, schema={"type": "object", "properties": {}}))
    with pytest.raises(InputError, match=f"{VEO}: no card can be made of what the service says"):
        await accounts["fal"].preflight([card])


def test_four_months_of_a_real_model_are_told_input_by_input() -> None:
    """Seedance 2.0 as recorded on 2026-04-26, and as it was on 2026-08-02."""
    old = next(i for i in recorded("fal_models_api.json.gz") if i["endpoint_id"] == SEEDANCE)
    new = next(item for item in fal_items() if item["endpoint_id"] == SEEDANCE)
    said = differences(card_of(old), card_of(new))
    assert "seed is gone" in said
    assert "bitrate_mode is new" in said
    assert "resolution: also 4k" in said
