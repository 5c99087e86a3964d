"""The models on fal that shotreel knows: inputs, defaults and billing units.

Source: the model's page on fal (input schema and pricing text).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from blocks.model import Choice, Flag, Inputs, InputType, Model, Text, Value, Whole

BASE_FRAMES = 96
FRAMES_PER_UNIT = 24
BASE_UNITS = 4
STEPS_INCLUDED = 16

DISTILLED_UNIT_PRICE_USD = Decimal("0.08")
PRICE_AS_OF = date(2026, 11, 21)


def magi_units(inputs: Inputs) -> Decimal:
    """Billing units of a MAGI clip: 4 for four seconds of 720p at up to 16 steps.

    "$0.32 for one four-second video", "additional seconds will cost $0.08 each, calculated at 24
    frames per second", "480p is 0.5 billing units, and 720p is 1 billing unit", "additional
    inference steps above 16 incur a 1/16 multiplier each". A started second is counted whole;
    fewer than 16 steps save nothing, since no sentence says that they do.
    """
    extra_frames = int(inputs["num_frames"]) - BASE_FRAMES
    seconds = BASE_UNITS + max(0, -(-extra_frames // FRAMES_PER_UNIT))
    size = Decimal("0.5") if inputs["resolution"] == "480p" else Decimal(1)
    steps = max(Decimal(1), Decimal(int(inputs["num_inference_steps"])) / STEPS_INCLUDED)
    return seconds * size * steps


MAGI_INPUTS: Mapping[str, InputType] = {
    "prompt": Text(),
    "num_frames": Whole(96, 192),
    "seed": Whole(0, 2**63 - 1),  # the page names no range
    "resolution": Choice(("480p", "720p")),
    "num_inference_steps": Choice((4, 8, 16, 32)),
    "enable_safety_checker": Flag(),
    "aspect_ratio": Choice(("auto", "16:9", "9:16", "1:1")),
}
MAGI_DEFAULTS: Mapping[str, Value] = {
    "num_frames": 96,
    "resolution": "720p",
    "num_inference_steps": 16,
    "enable_safety_checker": True,
    "aspect_ratio": "auto",
}

MODELS = (
    Model(
        name="fal-ai/magi-distilled",
        provider="fal",
        endpoint="fal-ai/magi-distilled",
        inputs=MAGI_INPUTS,
        defaults=MAGI_DEFAULTS,
        units=magi_units,
    ),
)

UNIT_PRICES_USD = {"fal-ai/magi-distilled": DISTILLED_UNIT_PRICE_USD}
