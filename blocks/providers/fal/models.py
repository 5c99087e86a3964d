"""The models on fal that shotreel knows: inputs, defaults and billing units.

Sources: the models' pages on fal (input schemas, pricing texts) and, for the siblings' inputs, the
endpoint types of the official JavaScript client 1.10.1.

Prices stand in the price book (`blocks/providers/prices.toml`) where a page names them. No page
that could be read names one for `fal-ai/magi`, `fal-ai/magi-distilled/image-to-video` and `fal-
ai/magi-distilled/extend-video`: without the account's answer nothing is bought there. That their
units are counted like those of their siblings is a reading; what a clip has really cost comes with
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from blocks.providers.model import (
    Choice,
    Flag,
    Image,
    Inputs,
    InputType,
    Model,
    Text,
    Value,
    Video,
    Whole,
)

BASE_FRAMES = 96
FRAMES_PER_UNIT = 24
BASE_UNITS = 4
STEPS_INCLUDED = 16


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


MAGI_DEFAULTS: Mapping[str, Value] = {
    "num_frames": 96,
    "resolution": "720p",
    "num_inference_steps": 16,
    "enable_safety_checker": True,
    "aspect_ratio": "auto",
}
WIRE_NAMES = {"image": "image_url", "video": "video_url"}


def family(name: str, steps: tuple[int, ...]) -> tuple[Model, ...]:
    """Text to video, and the siblings that go on from a picture or from a video."""
    inputs: dict[str, InputType] = {
        "prompt": Text(),
        "num_frames": Whole(96, 192),
        "seed": Whole(0, 2**63 - 1),  # the page names no range
        "resolution": Choice(("480p", "720p")),
        "num_inference_steps": Choice(steps),
        "enable_safety_checker": Flag(),
        "aspect_ratio": Choice(("auto", "16:9", "9:16", "1:1")),
    }
    # Left open, `start_frame` is 32 frames before the video's end.
    going_on: dict[str, InputType] = {"video": Video(), "start_frame": Whole(0, 1_000_000)}
    siblings: tuple[tuple[str, dict[str, InputType], tuple[str, ...]], ...] = (
        ("", {}, ("prompt",)),
        ("/image-to-video", {"image": Image()}, ("prompt", "image")),
        ("/extend-video", going_on, ("prompt", "video")),
    )
    return tuple(
        Model(
            name=name + path,
            provider="fal",
            endpoint=name + path,
            inputs={**inputs, **more},
            defaults=MAGI_DEFAULTS,
            units=magi_units,
            required=required,
            wire_names=WIRE_NAMES,
        )
        for path, more, required in siblings
    )


MODELS = (
    *family("fal-ai/magi-distilled", (4, 8, 16, 32)),
    *family("fal-ai/magi", (4, 8, 16, 32, 64)),
)
