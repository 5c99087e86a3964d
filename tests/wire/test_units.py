"""What a clip is expected to cost, held against the sentences of fal's own page."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.providers.catalogue import MODELS
from blocks.providers.model import Inputs, Value
from blocks.providers.prices import shipped

DISTILLED = MODELS["fal-ai/magi-distilled"]
MAGI_DEFAULTS = DISTILLED.defaults

UNIT_PRICES_USD = {rule.model: rule.unit_price_usd for rule in shipped().rules}
PRICE_USD = UNIT_PRICES_USD["fal-ai/magi-distilled"]


def magi_units(inputs: Inputs) -> Decimal:
    assert DISTILLED.units is not None
    return DISTILLED.units(inputs)


def v2_units(inputs: Inputs) -> Decimal:
    units = MODELS["wavespeed-ai/magi-1-24b@v2"].units
    assert units is not None
    return units(inputs)


def inputs(**values: Value) -> Inputs:
    return {"prompt": "the sea", **MAGI_DEFAULTS, **values}


@pytest.mark.parametrize(
    ("given_inputs", "units", "cost_usd"),
    [
        pytest.param(inputs(), "4", "0.32", id="'$0.32 to generate one four-second video'"),
        pytest.param(inputs(num_frames=120), "5", "0.40", id="'additional seconds cost $0.08'"),
        pytest.param(inputs(num_frames=144), "6", "0.48", id="'each additional 24 frames': 2"),
        pytest.param(inputs(num_frames=192), "8", "0.64", id="192 frames are twice 96"),
        pytest.param(inputs(num_inference_steps=32), "8", "0.64", id="'x2 at 32 steps'"),
        pytest.param(
            inputs(num_frames=192, num_inference_steps=32), "16", "1.28", id="both: four times"
        ),
        pytest.param(inputs(num_inference_steps=4), "4", "0.32", id="4 steps save nothing"),
        pytest.param(inputs(num_inference_steps=8), "4", "0.32", id="8 steps save nothing"),
        pytest.param(inputs(resolution="480p"), "2", "0.16", id="'480p is 0.5 billing units'"),
        pytest.param(inputs(resolution="480p", num_frames=120), "2.5", "0.20", id="half of 5"),
        pytest.param(
            inputs(
                num_frames=96,
                resolution="720p",
                num_inference_steps=16,
                enable_safety_checker=True,
                aspect_ratio="auto",
            ),
            "4",
            "0.32",
            id="the page's full example",
        ),
        pytest.param(inputs(num_frames=97), "5", "0.40", id="a started second counts whole"),
        pytest.param(inputs(num_frames=119), "5", "0.40", id="one frame short of a second"),
        pytest.param(inputs(num_frames=121), "6", "0.48", id="one frame into the next second"),
    ],
)
def test_price_is_what_the_page_says(given_inputs: Inputs, units: str, cost_usd: str) -> None:
    assert magi_units(given_inputs) == Decimal(units)
    assert magi_units(given_inputs) * PRICE_USD == Decimal(cost_usd)


def test_a_dollar_buys_three_clips() -> None:
    """'For $1 you can run this model approximately 3 times.'"""
    assert Decimal(1) // (magi_units(inputs()) * PRICE_USD) == 3


@given(
    num_frames=st.integers(96, 192),
    resolution=st.sampled_from(["480p", "720p"]),
    steps=st.sampled_from([4, 8, 16, 32]),
)
def test_more_of_anything_never_costs_less(num_frames: int, resolution: str, steps: int) -> None:
    def units(**change: Value) -> Decimal:
        base: dict[str, Value] = {
            "num_frames": num_frames,
            "resolution": resolution,
            "num_inference_steps": steps,
        }
        return magi_units(inputs(**{**base, **change}))

    assert units() >= 2
    assert units(num_frames=min(192, num_frames + 1)) >= units()
    assert units(resolution="720p") >= units(resolution="480p") == units(resolution="720p") / 2
    assert units(num_inference_steps=32) == 2 * units(num_inference_steps=16)


@pytest.mark.parametrize(
    ("steps", "cost_usd"),
    [
        pytest.param(16, "0.80", id="'$0.80' for four seconds"),
        pytest.param(32, "1.60", id="'x2 at 32'"),
        pytest.param(64, "3.20", id="'x4 at 64'"),
    ],
)
def test_magi_costs_what_its_page_says(steps: int, cost_usd: str) -> None:
    units = magi_units(inputs(num_inference_steps=steps))
    for name in ("fal-ai/magi/image-to-video", "fal-ai/magi/extend-video"):
        assert units * UNIT_PRICES_USD[name] == Decimal(cost_usd)


@pytest.mark.parametrize(
    ("resolution", "num_frames", "units"),
    [
        pytest.param("720p", 81, "1", id="'720p is 1 billing unit'"),
        pytest.param("480p", 81, "0.5", id="'480p is 0.5'"),
        pytest.param("720p", 82, "1.25", id="'1.25x' above 81 frames"),
        pytest.param("480p", 192, "0.625", id="both"),
        pytest.param("720p", 96, "1.25", id="the page's own example: 96 frames at 720p"),
        pytest.param("720p", 64, "1", id="'up to 64 frames (~4 seconds)'"),
        pytest.param("720p", 100, "1.25", id="'between 81 to 100 (inclusive)': the longest"),
    ],
)
def test_wavespeed_v2_counts_units_as_its_page_says(
    resolution: str, num_frames: int, units: str
) -> None:
    assert v2_units({"resolution": resolution, "num_frames": num_frames}) == Decimal(units)


def test_defaults_are_sent_as_the_page_names_them() -> None:
    assert MAGI_DEFAULTS == {
        "num_frames": 96,
        "resolution": "720p",
        "num_inference_steps": 16,
        "enable_safety_checker": True,
        "aspect_ratio": "auto",
    }
