"""Every model that a shot list can name."""

from __future__ import annotations

from pathlib import Path

from blocks.providers.cards import catalogue
from blocks.providers.cards.card import CardError
from blocks.providers.comfyui import models as comfyui
from blocks.providers.comfyui.workflow import WorkflowError
from blocks.providers.model import Model

MODELS: dict[str, Model] = {
    **catalogue.shipped(),
    **{model.name: model for model in comfyui.MODELS},
}
"""Those that come with shotreel; cards and workflow files of the list's and the home's come on
top."""

DEFAULT_MODEL = "fal-ai/magi-distilled"

ModelError = (CardError, WorkflowError)
"""A card or a workflow that cannot be used; the text is said of the model's name."""


def counted_models() -> list[Model]:
    """Those whose billing units a formula counts: a price of theirs can be told beforehand."""
    return [model for model in MODELS.values() if model.units is not None]


def find_model(name: str, list_folder: Path | None = None) -> Model | None:
    """The model that a list calls `name`; None where there is none.

    Raises ModelError for a card or a workflow that is there and cannot be used.
    """
    if name.startswith(comfyui.PREFIX):
        return comfyui.find_workflow(name, list_folder)
    return catalogue.find_card(name, list_folder)


def sent_model(name: str, provider: str = "") -> Model:
    """The model of a request that the ledger knows: what following it takes, no more.

    Its card need not be there any more: the id and the version of the API are in the name.
    """
    if name.startswith(comfyui.PREFIX):
        return comfyui.followed(name)
    try:
        card = catalogue.find_card(f"{provider}:{name}" if provider else name)
    except CardError:
        card = None
    if card is not None:
        return card
    endpoint, _, api = name.partition("@")
    return Model(name, provider, endpoint, {}, {}, None, api=api or "v3")
