"""Every model that a shot list can name."""

from __future__ import annotations

from blocks.fal.models import MODELS as FAL
from blocks.model import Model
from blocks.wavespeed.models import MODELS as WAVESPEED

MODELS: dict[str, Model] = {model.name: model for model in (*FAL, *WAVESPEED)}
DEFAULT_MODEL = "fal-ai/magi-distilled"
