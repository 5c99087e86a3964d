"""Every video model with a prompt of both catalogues, through a list, to a body."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.errors import InputError
from blocks.providers.cards.card import CardError, card_text, read_card
from tests.cards.catalogues import (
    Item,
    card_of,
    fal_items,
    keep,
    row_of,
    schema_of,
    wavespeed_items,
)
from tests.cards.conftest import Rows, body_of

UNABLE: dict[str, str] = {}
"""Models that a row cannot be made for, and why."""


def trouble_of(item: Item, folder: Path, shots_of: Rows) -> str:
    """Why the model cannot be used by a list; empty where it can."""
    try:
        card = card_of(item)
    except CardError as error:
        return f"no card: {error}"
    keep(card, folder)
    try:
        [shot] = shots_of(row_of(card))
    except InputError as error:
        return f"no row: {error.message}"
    body = body_of(shot)
    wrong = [error.message for error in schema_of(item).iter_errors(body)]
    return f"no body: {wrong} {body}" if wrong else ""


@pytest.mark.parametrize(
    ("items", "count"),
    [pytest.param(fal_items, 411, id="fal"), pytest.param(wavespeed_items, 431, id="wavespeed")],
)
def test_every_model_of_a_catalogue_gives_a_card_a_row_and_a_body_that_its_schema_accepts(
    items: Callable[[], list[Item]], count: int, folder: Path, shots_of: Rows
) -> None:
    everything = items()
    assert len(everything) == count
    unable = {
        str(item.get("endpoint_id") or item.get("model_id")): why
        for item in everything
        if (why := trouble_of(item, folder, shots_of))
    }
    assert unable.keys() <= UNABLE.keys(), unable
    assert len(unable) <= 0.05 * count


@pytest.mark.parametrize("items", [fal_items, wavespeed_items], ids=["fal", "wavespeed"])
def test_a_card_that_is_written_and_read_again_is_the_same(
    items: Callable[[], list[Item]],
) -> None:
    for item in items():
        card = card_of(item)
        assert read_card(card_text(card)) == card
