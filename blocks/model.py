"""A model: one endpoint of a provider, the inputs that it takes, and its price rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

Value = str | int | bool
Inputs = Mapping[str, Value]

MAX_PROMPT_CHARS = 10_000
WHOLE = re.compile(r"-?[0-9]{1,19}(\.0+)?")


@dataclass(frozen=True)
class Text:
    max_chars: int = MAX_PROMPT_CHARS

    @property
    def allowed(self) -> str:
        return f"text of up to {self.max_chars:,} characters"

    def read(self, raw: str) -> str:
        if len(raw) > self.max_chars:
            raise ValueError(raw)
        return raw


@dataclass(frozen=True)
class Whole:
    low: int
    high: int

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def read(self, raw: str) -> int:
        # A spreadsheet writes 96 as 96.0 once the column has an empty cell.
        if not WHOLE.fullmatch(raw):
            raise ValueError(raw)
        number = int(raw.split(".", maxsplit=1)[0])
        if not self.low <= number <= self.high:
            raise ValueError(raw)
        return number


@dataclass(frozen=True)
class Choice:
    options: tuple[str, ...] | tuple[int, ...]

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(map(str, self.options))

    def read(self, raw: str) -> str | int:
        for option in self.options:
            if str(option) == raw.removesuffix(".0" if isinstance(option, int) else "").lower():
                return option
        raise ValueError(raw)


@dataclass(frozen=True)
class Flag:
    @property
    def allowed(self) -> str:
        return "true or false"

    def read(self, raw: str) -> bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        try:
            return words[raw.lower()]
        except KeyError:
            raise ValueError(raw) from None


@dataclass(frozen=True)
class Image:
    """A picture that the clip starts from: a URL, a path, or `@previous`."""

    @property
    def allowed(self) -> str:
        return "a URL, the path of a picture beside the shot list, or @previous"

    def read(self, raw: str) -> str:
        return raw


InputType = Text | Whole | Choice | Flag | Image


@dataclass(frozen=True)
class Model:
    """`name` is what a shot list says; `endpoint` what the URL says.

    `inputs` maps each column that the model takes to its type; `defaults` are sent explicitly,
    so that a provider's change of a default cannot change what a fingerprint means.
    `units` is None where only the account knows the price.
    """

    name: str
    provider: str
    endpoint: str
    inputs: Mapping[str, InputType]
    defaults: Mapping[str, Value]
    units: Callable[[Inputs], Decimal] | None
    frames_per_second: Fraction = Fraction(24)
    num_frames: int = 96
    required: tuple[str, ...] = ("prompt",)
    random_seeds: tuple[int, ...] = ()
    """Values of `seed` by which the provider means "draw one"; the same as leaving it open."""

    def clip_frames(self, inputs: Inputs) -> int:
        """Frames that the clip of these inputs is expected to have."""
        return int(inputs.get("num_frames", self.num_frames))

    def clip_rate(self, inputs: Inputs) -> Fraction:
        rate = inputs.get("frames_per_second")
        return self.frames_per_second if rate is None else Fraction(int(rate))


SEEDS = Whole(1, 2_147_483_647)
"""Where a seed that the list leaves open is drawn from: inside every provider's own range."""
