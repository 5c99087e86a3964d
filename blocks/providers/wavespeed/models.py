"""The models on WaveSpeedAI that shotreel knows. Source: the model's pages of API v3 and API v2.

v3 names three inputs and no frames, size or steps: a clip is taken to be four seconds at 24 frames
per second, and what it really is, is counted when it comes.

v2 names its frames three times and never alike: 96 to 192 in the table, "between 81 to 100
(inclusive)" beside it, "up to 64 frames (~4 seconds)" in the text. Whatever one of them allows is
taken here, 64 to 192; what the service does not want it refuses, which costs nothing. The default
is the table's, 96.

No page names a price in USD: it is asked of the account. v2 names billing units: "480p is 0.5
billing units, and 720p is 1", "1.25x more billing units" above 81 frames, read as 1.25 times as
many.
"""

from __future__ import annotations

from decimal import Decimal

from blocks.providers.model import Choice, Flag, Image, Inputs, Model, Text, Whole

NAME = "wavespeed-ai/magi-1-24b"
FRAMES_INCLUDED = 81


def v2_units(inputs: Inputs) -> Decimal:
    """Billing units of a clip of API v2."""
    size = Decimal("0.5") if inputs["resolution"] == "480p" else Decimal(1)
    longer = int(inputs["num_frames"]) > FRAMES_INCLUDED
    return size * (Decimal("1.25") if longer else Decimal(1))


MODELS = (
    Model(
        name=NAME,
        provider="wavespeed",
        endpoint=NAME,
        api="v3",
        inputs={"prompt": Text(), "image": Image(), "seed": Whole(-1, 2_147_483_647)},
        defaults={},
        units=None,
        random_seeds=(-1,),
    ),
    Model(
        name=f"{NAME}@v2",
        provider="wavespeed",
        endpoint=NAME,
        api="v2",
        inputs={
            "prompt": Text(),
            "image": Image(),
            "num_frames": Whole(64, 192),
            "frames_per_second": Whole(5, 30),
            "seed": Whole(-1, 9_999_999_999),
            "resolution": Choice(("480p", "720p")),
            "enable_safety_checker": Flag(),
            "aspect_ratio": Choice(("auto", "16:9", "9:16", "1:1")),
        },
        defaults={
            "num_frames": 96,
            "frames_per_second": 24,
            "resolution": "720p",
            "enable_safety_checker": True,
            "aspect_ratio": "auto",
        },
        units=v2_units,
        random_seeds=(-1,),
    ),
)
