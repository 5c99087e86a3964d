"""Every model that a shot list can name."""

from __future__ import annotations

from pathlib import Path

from blocks.providers.comfyui import models as comfyui
from blocks.providers.fal.models import MODELS as FAL
from blocks.providers.model import Model
from blocks.providers.wavespeed.models import MODELS as WAVESPEED

MODELS: dict[str, Model] = {model.name: model for model in (*FAL, *WAVESPEED, *comfyui.MODELS)}
"""Those that are always there; workflow files of the list's come on top."""

DEFAULT_MODEL = "fal-ai/magi-distilled"


def find_model(name: str, list_folder: Path | None = None) -> Model | None:
    """The model that a list calls `name`; None where there is none.

    Raises WorkflowError for a workflow that is not there or cannot be used.
    """
    if name.startswith(comfyui.PREFIX):
        return comfyui.find_workflow(name, list_folder)
    return MODELS.get(name)


def sent_model(name: str) -> Model:
    """The model of a request that the ledger knows: what following it takes, no more."""
    if name.startswith(comfyui.PREFIX):
        return comfyui.followed(name)
    return MODELS[name]
