"""What the sandbox sells: input schemas, prices and picture sizes of the endpoints.

Inputs and prices are those of fal's and WaveSpeed's own model pages. WaveSpeed publishes no USD
price of a unit, so `WAVESPEED_UNIT_USD` is the sandbox's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .jobs import Inputs

WAVESPEED_UNIT_USD = Decimal("0.24")

Problem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: Literal["string", "integer", "boolean"]
    default: str | int | bool | None = None
    required: bool = False
    lowest: int | None = None
    highest: int | None = None
    options: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """`family` names the price rule; `unit_price_usd` the price of one unit."""

    endpoint: str
    family: Literal["fal", "wavespeed", "comfyui"]
    unit_price_usd: Decimal
    fields: tuple[Field, ...]

    @property
    def image_field(self) -> str | None:
        names = {field.name for field in self.fields}
        return next((name for name in ("image_url", "image", "video_url") if name in names), None)


def _fal_fields(steps: tuple[int, ...], *extra: Field) -> tuple[Field, ...]:
    return (
        Field("prompt", "string", required=True),
        *extra,
        Field("num_frames", "integer", 96, lowest=96, highest=192),
        Field("seed", "integer"),
        Field("resolution", "string", "720p", options=("480p", "720p")),
        Field("num_inference_steps", "integer", 16, options=steps),
        Field("enable_safety_checker", "boolean", True),
        Field("aspect_ratio", "string", "auto", options=("auto", "16:9", "9:16", "1:1")),
    )


def _fal_family(root: str, unit_price_usd: Decimal, steps: tuple[int, ...]) -> list[Model]:
    image = Field("image_url", "string", required=True)
    video = (Field("video_url", "string", required=True), Field("start_frame", "integer"))
    return [
        Model(root, "fal", unit_price_usd, _fal_fields(steps)),
        Model(f"{root}/image-to-video", "fal", unit_price_usd, _fal_fields(steps, image)),
        Model(f"{root}/extend-video", "fal", unit_price_usd, _fal_fields(steps, *video)),
    ]


FAL: dict[str, Model] = {
    model.endpoint: model
    for model in (
        *_fal_family("fal-ai/magi-distilled", Decimal("0.08"), (4, 8, 16, 32)),
        *_fal_family("fal-ai/magi", Decimal("0.20"), (4, 8, 16, 32, 64)),
    )
}

_WAVESPEED_V3 = Model(
    "wavespeed-ai/magi-1-24b",
    "wavespeed",
    WAVESPEED_UNIT_USD,
    (
        Field("prompt", "string", required=True),
        Field("image", "string"),
        Field("seed", "integer", lowest=-1, highest=2147483647),
    ),
)
_WAVESPEED_V2 = Model(
    "wavespeed-ai/magi-1-24b",
    "wavespeed",
    WAVESPEED_UNIT_USD,
    (
        Field("prompt", "string", required=True),
        Field("image", "string"),
        # The page names 96-192, 81-100 and 64 frames; whatever any of them allows is taken.
        Field("num_frames", "integer", 96, lowest=64, highest=192),
        Field("frames_per_second", "integer", 24, lowest=5, highest=30),
        Field("seed", "integer", lowest=-1, highest=9999999999),
        Field("resolution", "string", "720p", options=("480p", "720p")),
        Field("enable_safety_checker", "boolean", True),
        Field("aspect_ratio", "string", "auto", options=("auto", "16:9", "9:16", "1:1")),
    ),
)
WAVESPEED: dict[str, dict[str, Model]] = {
    "v2": {_WAVESPEED_V2.endpoint: _WAVESPEED_V2},
    "v3": {_WAVESPEED_V3.endpoint: _WAVESPEED_V3},
}


def validate(model: Model, inputs: Inputs) -> tuple[Inputs, list[Problem]]:
    """The inputs with defaults filled in, and what is wrong with them in pydantic's form.

    Unknown inputs are ignored, as the services do. `seed` stays None if none is given.
    """
    values: Inputs = {}
    problems: list[Problem] = []
    for field in model.fields:
        given = inputs.get(field.name)
        if given is None:
            if field.required:
                problems.append(_problem(field, "missing", "Field required", inputs, {}))
            values[field.name] = field.default
            continue
        value = _coerced(field, given)
        if value is None:
            kind = {"integer": "int_parsing", "boolean": "bool_parsing", "string": "string_type"}
            message = f"Input should be a valid {field.kind}"
            problems.append(_problem(field, kind[field.kind], message, given, {}))
        elif field.options and value not in field.options:
            expected = " or ".join(repr(option) for option in field.options)
            message = f"Input should be {expected}"
            problems.append(_problem(field, "enum", message, given, {"expected": expected}))
        elif field.lowest is not None and int(value) < field.lowest:
            message = f"Input should be greater than or equal to {field.lowest}"
            problems.append(
                _problem(field, "greater_than_equal", message, given, {"ge": field.lowest})
            )
        elif field.highest is not None and int(value) > field.highest:
            message = f"Input should be less than or equal to {field.highest}"
            problems.append(
                _problem(field, "less_than_equal", message, given, {"le": field.highest})
            )
        else:
            values[field.name] = value
    return values, problems


def units(model: Model, values: Inputs) -> Decimal:
    """Billing units of a clip.

    fal: 4 for 96 frames, 1 for each 24 more, half at 480p, steps/16 above 16 steps.
    WaveSpeed v2: 0.5 at 480p or 1 at 720p, 1.25 times above 81 frames. v3 names no size and no
    frames: a run is one unit.
    """
    if model.family == "comfyui":
        return Decimal(0)
    half = Decimal("0.5") if values.get("resolution") == "480p" else Decimal(1)
    num_frames = int(values.get("num_frames", 96))
    if model.family == "wavespeed" and "num_frames" not in values:
        return Decimal(1)
    if model.family == "wavespeed":
        return half * (Decimal("1.25") if num_frames > 81 else Decimal(1))
    steps = max(Decimal(1), Decimal(int(values["num_inference_steps"])) / 16)
    return (4 + math.ceil((num_frames - 96) / 24)) * half * steps


def units_text(count: Decimal) -> str:
    """As fal writes `X-Fal-Billable-Units`: whole numbers plain, others with eight decimals."""
    return f"{count:.0f}" if count == count.to_integral_value() else f"{count:.8f}"


def picture_size(values: Inputs, image_size: tuple[int, int] | None) -> tuple[int, int]:
    """(width, height) in pixels, both even. `auto` is the input image's shape, else 16:9."""
    if "width" in values:
        return int(values["width"]), int(values["height"])
    short = 480 if values.get("resolution") == "480p" else 720
    aspect = values.get("aspect_ratio", "auto")
    if aspect == "1:1":
        return short, short
    if aspect == "9:16":
        return short, _even(short * 16 / 9)
    if aspect == "auto" and image_size:
        width, height = image_size
        ratio = min(max(width / height, 0.5), 2.0)
        return (_even(short * ratio), short) if ratio >= 1 else (short, _even(short / ratio))
    return _even(short * 16 / 9), short


def _even(length: float) -> int:
    # 480p at 16:9 is 848 wide with the providers: whole blocks of 16.
    return round(length / 16) * 16


def _coerced(field: Field, given: object) -> str | int | bool | None:
    if field.kind == "string":
        return given if isinstance(given, str) else None
    if field.kind == "boolean":
        return given if isinstance(given, bool) else None
    if isinstance(given, bool):
        return None
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, str):
        # fal's own clients send the steps as a string.
        return int(given) if given.lstrip("-").isdigit() else None
    return given if isinstance(given, int) else None


def _problem(field: Field, kind: str, message: str, given: object, context: Problem) -> Problem:
    problem: Problem = {"type": kind, "loc": ["body", field.name], "msg": message, "input": given}
    return {**problem, "ctx": context} if context else problem
