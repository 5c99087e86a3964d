"""The card of a model: what it takes, gives and costs, in a frozen file.

A card is data. It is written from the service's own schema and never by hand, but for what no
schema says: `rules` between inputs, `units` and `max_usd` of the price, the clip's frame rate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from blocks.providers.cards import rules
from blocks.providers.cards.inputs import WIDEST, input_type
from blocks.providers.cards.roles import MARK, MULTIPLIES, is_never_sent, roles_of
from blocks.providers.cards.schema import Schema, SchemaError, digest
from blocks.providers.cards.units import Formula, FormulaError
from blocks.providers.model import Choice, File, Inputs, InputType, Many, Model, Text, Value, Whole

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

VERSION = 1
Makes = Literal["video", "image"]

SEEDS: Mapping[str, tuple[int, int]] = {"fal": (0, WIDEST), "wavespeed": (-1, 2_147_483_647)}
"""Of a seed whose schema names no range (none of 511 does). WaveSpeed's pages name theirs; -1, the
default of most of its models, means "draw one" and would leave no mark."""


class CardError(ValueError):
    """A card that cannot be used; the text is said of it."""


@dataclass(frozen=True)
class Price:
    """What is known of a model's price. Amounts are USD.

    `units` is a formula over the inputs; it counts only where it gives every one of `examples`,
    the worked examples of the service's own `sentence`. `max_usd` is a ceiling for one clip.
    """

    unit: str = ""
    unit_price: Decimal | None = None
    as_of: str = ""
    source: str = ""
    sentence: str = ""
    units: str = ""
    examples: tuple[Mapping[str, Any], ...] = ()
    max_usd: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Card(Model):
    """A model by its card. `schema` and `output_schema` are plain (schema.py)."""

    source: str
    read_at: str
    status: str = "active"
    schema: Schema = field(repr=False)
    output_schema: Schema = field(repr=False)
    rules: tuple[str, ...] = ()
    price: Price = Price()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    note: str = ""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_validator"}

    @cached_property
    def _validator(self) -> Validator:
        return validator_of({"additionalProperties": False, **self.schema})

    def problems(self, inputs: Inputs) -> list[tuple[str, str]]:
        """What the schema or a rule refuses of a whole body; a file counts as its URL."""
        sent = self.body(inputs)
        found = [*rules.refused(self._validator, sent), *rules.broken(self.rules, sent)]
        found += rules.no_film(sent) if self.makes == "video" else ()
        return list(dict.fromkeys(found))

    @property
    def takes_seed(self) -> bool:
        """Whether a seed is drawn: a hidden one is sent only where a list names it."""
        return "seed" in self.roles

    @property
    def mark(self) -> str | None:
        """The input that can tell an attempt from its twins, where no seed does."""
        return MARK if MARK in self.inputs and not self.takes_seed else None

    @property
    def takes_files(self) -> bool:
        return any(isinstance(each, (File, Many)) for each in self.inputs.values())


def validator_of(schema: Schema) -> Validator:
    # Its import takes a quarter of a second, which no command needs that reads no list.
    from jsonschema import Draft202012Validator

    validator: Validator = Draft202012Validator(schema)
    return validator


def make_card(
    *,
    name: str,
    provider: str,
    endpoint: str,
    schema: Schema,
    output_schema: Schema,
    source: str,
    read_at: str,
    api: str = "",
    makes: Makes = "video",
    output: str = "",
    status: str = "active",
    checked: bool = True,
    roles: Mapping[str, str] | None = None,
    defaults: Mapping[str, Value] | None = None,
    extra_rules: Sequence[str] = (),
    price: Price | None = None,
    frames_per_second: Fraction = Fraction(24),
    num_frames: int = 0,
    note: str = "",
) -> Card:
    """The card of a schema. Raises CardError where the schema has no inputs.

    `checked`: a live run holds the card against the schema as it is then.
    """
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    if not properties:
        raise CardError("its schema names no inputs")
    kinds: dict[str, InputType] = {}
    fixed: dict[str, Value] = {}
    for input_name, each in properties.items():
        if is_never_sent(input_name):
            if each.get("default") is True:
                fixed[input_name] = False
        elif MULTIPLIES.match(input_name):
            kinds[input_name] = Choice((1,))
            fixed[input_name] = 1
        else:
            kinds[input_name] = input_type(each)
    offered = {name: kind for name, kind in kinds.items() if not properties[name].get("hidden")}
    roles = roles_of(offered) if roles is None else {r: n for r, n in roles.items() if n in kinds}
    if seed := roles.get("seed"):
        kinds[seed] = seeds_of(provider, properties[seed])
    price = price or Price()
    said = rules.rules_in_words(properties)
    if defaults is None:
        defaults = {**dict(_defaults(properties, kinds, roles)), **fixed}
    return Card(
        name=name,
        provider=provider,
        endpoint=endpoint,
        api=api,
        inputs=kinds,
        defaults=defaults,
        units=_units(price),
        unit=price.unit or "unit",
        max_usd=price.max_usd,
        frames_per_second=frames_per_second,
        num_frames=num_frames,
        required=tuple(each for each in schema.get("required", ()) if each in kinds),
        roles=roles,
        random_seeds=(-1,) if provider == "wavespeed" else (),
        makes=makes,
        output=output,
        source=source,
        read_at=read_at,
        status=status,
        schema=schema,
        output_schema=output_schema,
        schema_sha256=digest(schema, output_schema) if checked else "",
        rules=tuple(dict.fromkeys([*said, *_checked_rules(extra_rules)])),
        price=price,
        fixed=fixed,
        note=note,
    )


def seeds_of(provider: str, schema: Schema) -> Whole:
    low, high = SEEDS[provider]
    return Whole(schema.get("minimum", low), schema.get("maximum", high))


def _defaults(
    properties: Mapping[str, Schema], kinds: Mapping[str, InputType], roles: Mapping[str, str]
) -> Iterator[tuple[str, Value]]:
    """What is sent where the list says nothing, so that a service's change changes nothing.

    A prompt, a file and a seed are the list's; a default that the schema itself refuses is none.
    """
    of_list = {roles.get("prompt"), roles.get("seed")}
    for name, kind in kinds.items():
        schema = properties[name]
        value = schema.get("default")
        if value is None or name in of_list or schema.get("hidden"):
            continue
        if isinstance(kind, File) or (isinstance(kind, Many) and isinstance(kind.of, File)):
            continue
        if value == "" and not isinstance(kind, Text):
            continue
        if validator_of(schema).is_valid(value):
            yield name, value


def _units(price: Price) -> Any:
    """The formula as a function; None where there is none, or it misses an example."""
    if not price.units:
        return None
    try:
        units = Formula(price.units)
        for example in price.examples:
            if price.unit_price is None:
                return None
            if units(example["inputs"]) * price.unit_price != Decimal(str(example["usd"])):
                return None
    except FormulaError:
        return None
    return units


def _checked_rules(said: Sequence[str]) -> Iterator[str]:
    for rule in said:
        try:
            rules.names(rule)
        except ValueError:
            raise CardError(f"has a rule that cannot be read: {rule}") from None
        yield rule


# --- the file ---------------------------------------------------------------------------------


def card_text(card: Card) -> str:
    """The file of a card. What follows from the schema stands in it too, to be read by people."""
    price = {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in vars(card.price).items()
        if value not in (None, "", ())
    }
    data = {
        "card": VERSION,
        "name": card.name,
        "provider": card.provider,
        "endpoint": card.endpoint,
        "api": card.api,
        "makes": card.makes,
        "source": card.source,
        "read_at": card.read_at,
        "status": card.status,
        "schema_sha256": card.schema_sha256,
        "note": card.note,
        "output": card.output,
        "frames_per_second": str(card.frames_per_second),
        "num_frames": card.num_frames,
        "roles": dict(card.roles),
        "defaults": dict(card.defaults),
        "rules": list(card.rules),
        "price": price,
        "schema": card.schema,
        "output_schema": card.output_schema,
    }
    kept = {name: value for name, value in data.items() if value not in ("", [], {})}
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


def read_card(text: str, *, as_written: bool = False) -> Card:
    """The card of a file. Raises CardError; not for a schema that was changed by hand where it is
    taken `as_written`, to be held against the service's own."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CardError(f"is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("card") != VERSION:
        raise CardError(f"is no card of version {VERSION}")
    try:
        sha256 = data.get("schema_sha256", "")
        read = digest(data["schema"], data.get("output_schema", {}))
        if sha256 and sha256 != read and not as_written:
            raise CardError(f"was changed by hand: run `shotreel models update {data['name']}`")
        price = data.get("price", {})
        amounts = {
            name: Decimal(price[name]) for name in ("unit_price", "max_usd") if name in price
        }
        return make_card(
            name=data["name"],
            provider=data["provider"],
            endpoint=data["endpoint"],
            api=data.get("api", ""),
            makes=data.get("makes", "video"),
            schema=data["schema"],
            output_schema=data.get("output_schema", {}),
            source=data["source"],
            read_at=data["read_at"],
            output=data.get("output", ""),
            roles=data["roles"],
            defaults=data.get("defaults", {}),
            status=data.get("status", "active"),
            checked=bool(sha256),
            extra_rules=data.get("rules", ()),
            price=Price(
                **{**price, **amounts, "examples": tuple(price.get("examples", ()))},
            ),
            frames_per_second=Fraction(data.get("frames_per_second", 24)),
            num_frames=int(data.get("num_frames", 0)),
            note=data.get("note", ""),
        )
    except CardError:
        raise
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, SchemaError) as error:
        raise CardError(f"is not whole: {type(error).__name__} {error}") from None
