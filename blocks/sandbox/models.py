"""What the sandbox sells: any model of which it has a card; its input schema, price, picture size.

Of a card it reads what the service itself publishes (the schema, where the result stands). How it
validates, what a clip of it costs and how long it is, are the sandbox's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator

from .jobs import Inputs

SHIPPED = Path(__file__).parents[1] / "providers" / "cards" / "shipped"
WAVESPEED_UNIT_USD = Decimal("0.24")
"""Of MAGI-1: WaveSpeed publishes no USD price of a unit, so this is the sandbox's own."""

UNIT_USD = Decimal("0.05")
"""Of all others but MAGI-2, whose page names $0.08 a second."""

PRICES_USD = {
    "fal-ai/magi-distilled": Decimal("0.08"),
    "fal-ai/magi": Decimal("0.20"),
    "wavespeed-ai/magi-1-24b": WAVESPEED_UNIT_USD,
    "sand-ai/magi-2": Decimal("0.08"),
}
RATES = {"sand-ai/magi-2": 25}
USUAL_S = 5

Problem = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """`family` is the service; `output` the place of the clip's URL in fal's result."""

    endpoint: str
    family: Literal["fal", "wavespeed", "comfyui"]
    schema: Mapping[str, Any] = field(default_factory=dict)
    api: str = ""
    makes: str = "video"
    output: str = "/video/url"
    output_schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The family of endpoints that share a price."""
        return max(
            (r for r in PRICES_USD if f"{self.endpoint}/".startswith(f"{r}/")), default="", key=len
        )

    @property
    def unit_price_usd(self) -> Decimal:
        return PRICES_USD.get(self.root, UNIT_USD)

    @property
    def properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.schema.get("properties", {})
        return found

    @cached_property
    def validator(self) -> Draft202012Validator:
        properties = dict(self.properties)
        if self.family == "wavespeed" and "seed" in properties:  # the pages name it, no schema does
            properties["seed"] = {"maximum": 2_147_483_647, **properties["seed"]}
        return Draft202012Validator({**self.schema, "properties": properties})

    @cached_property
    def each_alone(self) -> Draft202012Validator:
        """Without the rules between inputs."""
        rules = dict.fromkeys(("allOf", "anyOf", "oneOf", "not", "if", "then", "else"))
        kept = {name: each for name, each in self.schema.items() if name not in rules}
        return Draft202012Validator(kept)

    @property
    def image_field(self) -> str | None:
        """The first file that the clip is drawn from: a picture, else a video."""
        return next(
            (
                name
                for media in ("image", "video")
                for name, each in self.properties.items()
                if each.get("media") == media
            ),
            None,
        )


def model_of(card: Mapping[str, Any]) -> Model:
    """Raises KeyError for a card that is not whole."""
    return Model(
        card["endpoint"],
        card["provider"],
        card["schema"],
        card.get("api", ""),
        card.get("makes", "video"),
        card.get("output") or "/video/url",
        card.get("output_schema", {}),
    )


def read_cards(folder: Path) -> Iterator[Model]:
    for path in sorted(folder.glob("*/*.json")):
        yield model_of(json.loads(path.read_text("utf-8")))


class Catalogue:
    """The models that are sold at the moment: those that come with shotreel, and those added."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._models: dict[tuple[str, str, str], Model] = {
            (m.family, m.api, m.endpoint): m for m in read_cards(SHIPPED)
        }
        if folder and folder.is_dir():
            for path in sorted(folder.glob("*.json")):
                self._take(json.loads(path.read_text("utf-8")))

    def get(self, family: str, endpoint: str, api: str = "") -> Model | None:
        return self._models.get((family, api, endpoint))

    def of(self, family: str) -> list[Model]:
        return [model for (service, _, _), model in self._models.items() if service == family]

    def add(self, card: Mapping[str, Any]) -> None:
        """Sell the model of a card, from now on by this schema. Raises KeyError."""
        self._take(card)
        self._keep(card)

    def retire(self, family: str, endpoint: str) -> None:
        card = {"provider": family, "endpoint": endpoint, "retired": True}
        self._take(card)
        self._keep(card)

    def _take(self, card: Mapping[str, Any]) -> None:
        if card.get("retired"):
            gone = (card["provider"], card["endpoint"])
            self._models = {k: m for k, m in self._models.items() if (k[0], k[2]) != gone}
        else:
            model = model_of(card)
            self._models[model.family, model.api, model.endpoint] = model

    def _keep(self, card: Mapping[str, Any]) -> None:
        """A sandbox that is started again sells the same."""
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = "__".join([card["provider"], card.get("api", ""), card["endpoint"]])
            path = self._folder / f"{name.replace('/', '__')}.json"
            path.write_text(json.dumps(card), "utf-8")


_CATALOGUE = Catalogue()
FAL: dict[str, Model] = {model.endpoint: model for model in _CATALOGUE.of("fal")}
WAVESPEED: dict[str, dict[str, Model]] = {
    api: {m.endpoint: m for m in _CATALOGUE.of("wavespeed") if m.api == api} for api in ("v2", "v3")
}


def validate(
    model: Model, inputs: Inputs, *, together: bool = True
) -> tuple[Inputs, list[Problem]]:
    """The inputs with defaults filled in, and what is wrong with them in pydantic's form.

    Unknown inputs are ignored, as the services do. Without `together` each is held against its own
    schema alone, and no rule between them.
    """
    known = {name: each for name, each in inputs.items() if name in model.properties}
    given = {
        name: _coerced(model.properties[name], each)
        for name, each in known.items()
        if each is not None
    }
    validator = model.validator if together else model.each_alone
    problems = [_problem(error, inputs) for error in validator.iter_errors(given)]
    values = {name: given.get(name, each.get("default")) for name, each in model.properties.items()}
    return values, problems


def _coerced(schema: Mapping[str, Any], given: object) -> object:
    """Numbers may come as text or as 96.0: pydantic takes both for an integer."""
    if schema.get("type") == "integer" and not isinstance(given, bool):
        if isinstance(given, float) and given.is_integer():
            return int(given)
        if isinstance(given, str) and given.lstrip("-").isdigit():
            return int(given)
    return given


def _problem(error: Any, inputs: Inputs) -> Problem:
    place: list[Any] = ["body", *error.absolute_path]
    limit = error.validator_value
    context: Problem = {}
    given = error.instance
    match error.validator:
        case "required":
            kind, message = "missing", "Field required"
            place.append(next(name for name in limit if name not in error.instance))
            given = inputs
        case "enum":
            expected = " or ".join(repr(option) for option in limit)
            kind, message, context = "enum", f"Input should be {expected}", {"expected": expected}
        case "minimum":
            kind, context = "greater_than_equal", {"ge": limit}
            message = f"Input should be greater than or equal to {limit}"
        case "maximum":
            kind, context = "less_than_equal", {"le": limit}
            message = f"Input should be less than or equal to {limit}"
        case "type":
            kinds = {"integer": "int_parsing", "boolean": "bool_parsing", "string": "string_type"}
            kind, message = kinds.get(limit, f"{limit}_type"), f"Input should be a valid {limit}"
        case _:
            kind, message = "value_error", error.message[:200]
    problem: Problem = {"type": kind, "loc": place, "msg": message, "input": given}
    return {**problem, "ctx": context} if context else problem


def units(model: Model, values: Inputs) -> Decimal:
    """Billing units of a clip.

    MAGI on fal: 4 for 96 frames, 1 for each 24 more, half at 480p, steps/16 above 16 steps.
    WaveSpeed v2: 0.5 at 480p or 1 at 720p, 1.25 times above 81 frames. v3 names no size and no
    frames: a run is one unit. All others: a unit for each second, twice with sound or at 1080p, and
    one for each picture.
    """
    if model.family == "comfyui":
        return Decimal(0)
    half = Decimal("0.5") if values.get("resolution") == "480p" else Decimal(1)
    num_frames = int(values.get("num_frames") or 96)
    if model.root == "wavespeed-ai/magi-1-24b":
        long = Decimal("1.25") if num_frames > 81 else Decimal(1)
        return half * long if model.api == "v2" else Decimal(1)
    if model.root.startswith("fal-ai/magi"):
        steps = max(Decimal(1), Decimal(int(values["num_inference_steps"])) / 16)
        return (4 + math.ceil((num_frames - 96) / 24)) * half * steps
    if model.makes == "image":
        return Decimal(1)
    frames, rate = length(model, values)
    seconds = Decimal(math.ceil(frames / rate))
    if model.root == "sand-ai/magi-2":
        return seconds
    sound = Decimal(2) if values.get("generate_audio") else Decimal(1)
    large = Decimal(2) if values.get("resolution") == "1080p" else Decimal(1)
    return seconds * sound * large


def length(model: Model, values: Inputs) -> tuple[int, int]:
    """(frames, frames a second) of a clip of these inputs."""
    rates = (values.get(name) for name in ("frames_per_second", "fps", "frame_rate"))
    rate = next((int(each) for each in rates if each), RATES.get(model.root, 24))
    if frames := values.get("num_frames"):
        return int(frames), rate
    said = "".join(c for c in str(values.get("duration") or "") if c.isdigit() or c == ".")
    magi = model.root in ("fal-ai/magi", "fal-ai/magi-distilled", "wavespeed-ai/magi-1-24b")
    seconds = float(said) if said else 4 if magi or model.family == "comfyui" else USUAL_S
    return max(1, round(seconds * rate)), rate


def units_text(count: Decimal) -> str:
    """As fal writes `X-Fal-Billable-Units`: whole numbers plain, others with eight decimals."""
    return f"{count:.0f}" if count == count.to_integral_value() else f"{count:.8f}"


def picture_size(values: Inputs, image_size: tuple[int, int] | None) -> tuple[int, int]:
    """(width, height) in pixels, both even. `auto` is the input image's shape, else 16:9."""
    size = next((v for v in values.values() if isinstance(v, dict) and "width" in v), values)
    if "width" in size and "height" in size and size["width"] and size["height"]:
        return max(2, int(size["width"]) // 2 * 2), max(2, int(size["height"]) // 2 * 2)
    short = {"480p": 480, "1080p": 1080}.get(str(values.get("resolution")), 720)
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
