"""The sandbox serves whatever there is a card of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.providers.cards.card import Card
from blocks.providers.cards.catalogue import shipped
from blocks.providers.cards.sources import fal_card, wavespeed_card
from blocks.sandbox import Sandbox
from tests.web import web

KEYS = {"fal": {"Authorization": "Key a:b"}, "wavespeed": {"Authorization": "Bearer k"}}
CHECKED = [card for card in shipped().values() if card.schema_sha256]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), latency_s=0.05) as running:
        yield running


def published(sandbox: Sandbox, card: Card) -> Card:
    """The card, made anew from what the sandbox publishes of the model."""
    urls = sandbox.environment
    if card.provider == "fal":
        query = {"endpoint_id": card.endpoint, "expand": "openapi-3.0"}
        reply = web.get(f"{urls['FAL_PLATFORM_URL']}/models", params=query)
        [item] = reply.json()["models"]
        return fal_card(item, read_at="now", source="sandbox")
    reply = web.get(f"{urls['WAVESPEED_URL']}/api/v3/models", headers=KEYS["wavespeed"])
    [item] = [each for each in reply.json()["data"] if each["model_id"] == card.endpoint]
    return wavespeed_card(item, read_at="now", source="sandbox")


@pytest.mark.parametrize("card", CHECKED, ids=lambda card: f"{card.provider} {card.name}")
def test_schema_that_is_published_is_the_card_s(sandbox: Sandbox, card: Card) -> None:
    again = published(sandbox, card)
    assert again.schema_sha256 == card.schema_sha256
    assert (again.inputs, again.roles, again.output) == (card.inputs, card.roles, card.output)


def test_changed_schema_is_published_and_a_retired_model_is_not(
    tmp_path: Path,
) -> None:
    with Sandbox(tmp_path, latency_s=0.05) as sandbox:
        card = shipped()["fal-ai/veo3.1"]
        schema = {**card.schema, "properties": {**card.schema["properties"], "mood": {}}}
        changed = {"endpoint": card.endpoint, "provider": "fal", "schema": schema}
        web.post(f"{sandbox.url}/sandbox/models", json=changed).raise_for_status()
        assert published(sandbox, card).schema_sha256 != card.schema_sha256
        gone = {"service": "fal", "endpoint": card.endpoint}
        web.delete(f"{sandbox.url}/sandbox/models", params=gone).raise_for_status()
        with pytest.raises(ValueError, match="unpack"):
            published(sandbox, card)
