"""The models on WaveSpeedAI that shotreel knows.

Source: the model's page of API v3. It names three inputs and no frames, size or steps: a clip is
taken to be four seconds at 24 frames per second, and what it really is, is counted when it comes.
The price is asked of the account; no page names it.
"""

from __future__ import annotations

from blocks.model import Image, Model, Text, Whole

MODELS = (
    Model(
        name="wavespeed-ai/magi-1-24b",
        provider="wavespeed",
        endpoint="wavespeed-ai/magi-1-24b",
        inputs={"prompt": Text(), "image": Image(), "seed": Whole(-1, 2_147_483_647)},
        defaults={},
        units=None,
        random_seeds=(-1,),
    ),
)
