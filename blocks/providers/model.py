"""A model: one endpoint of a provider, the inputs that it takes, and its price rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

Value = str | int | bool
Inputs = Mapping[str, Value]

MAX_PROMPT_CHARS = 10_000
# As long as anybody writes; the range is the model's.
WHOLE = re.compile(r"-?[0-9]{1,100}(\.0+)?")
NUMBER = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")


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
    step: int = 1

    @property
    def allowed(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"a whole number from {self.low} to {self.high}{steps}"

    def read(self, raw: str) -> int:
        # A spreadsheet writes 96 as 96.0 once the column has an empty cell.
        if not WHOLE.fullmatch(raw):
            raise ValueError(raw)
        number = int(raw.split(".", maxsplit=1)[0])
        if not self.low <= number <= self.high or (number - self.low) % self.step:
            raise ValueError(raw)
        return number


@dataclass(frozen=True)
class Choice:
    options: tuple[str, ...] | tuple[int, ...]

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(map(str, self.options))

    def read(self, raw: str) -> str | int:
        """The option in its own spelling: as written, else whatever its capitals, else the one of
        the same number (`5.0` for `5`, as spreadsheets write it). None is taken for being near."""
        for form in (str, _folded, _number):
            found = [option for option in self.options if form(str(option)) == form(raw)]
            if len(found) == 1 and form(raw) is not None:
                return found[0]
        raise ValueError(raw)


def _folded(text: str) -> str:
    return text.strip().casefold()


def _number(text: str) -> Decimal | None:
    return Decimal(text) if NUMBER.fullmatch(text) else None


@dataclass(frozen=True)
class Flag:
    @property
    def allowed(self) -> str:
        return "true or false"

    def read(self, raw: str) -> bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        try:
            return words[raw.lower().removesuffix(".0")]
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


@dataclass(frozen=True)
class Video:
    """A video that the clip goes on from: a URL, a path, or `@previous` (the clip before)."""

    @property
    def allowed(self) -> str:
        return "a URL, the path of a video beside the shot list, or @previous"

    def read(self, raw: str) -> str:
        return raw


InputType = Text | Whole | Choice | Flag | Image | Video

FILE_COLUMNS = ("image", "video")
"""Columns whose value is a file: what counts is its bytes, what is sent is a URL of them."""


@dataclass(frozen=True)
class Model:
    """`name` is what a shot list says; `endpoint` and `api` (its version) what the URL says.

    `inputs` maps each column that the model takes to its type; `defaults` are sent explicitly,
    so that a provider's change of a default cannot change what a fingerprint means.
    `units` is None where only the account knows the price. `wire_names` are the provider's own
    names of columns, where they differ.
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
    api: str = ""
    wire_names: Mapping[str, str] = field(default_factory=dict)
    random_seeds: tuple[int, ...] = ()
    """Values of `seed` by which the provider means "draw one"; the same as leaving it open."""
    repeats: bool = False
    """Whether the same inputs without a seed give the same clip: a workflow that binds none."""
    version: str = ""
    """Tells models of one name apart in a fingerprint: the digest of a workflow's files."""

    def body(self, inputs: Inputs) -> dict[str, Value]:
        """The inputs as the provider names them."""
        return {self.wire_names.get(column, column): value for column, value in inputs.items()}

    def clip_frames(self, inputs: Inputs) -> int:
        """Frames that the clip of these inputs is expected to have."""
        return int(inputs.get("num_frames", self.num_frames))

    def clip_rate(self, inputs: Inputs) -> Fraction:
        rate = inputs.get("frames_per_second")
        return self.frames_per_second if rate is None else Fraction(int(rate))

    def open_seeds(self) -> Whole:
        """Where a seed that the list leaves open is drawn from."""
        own = self.inputs.get("seed")
        if not isinstance(own, Whole):
            return SEEDS
        low, high = max(own.low, SEEDS.low), min(own.high, SEEDS.high)
        return Whole(low, high) if low <= high else own

    @property
    def most_takes(self) -> int:
        """How many different clips the same inputs can give, where the list leaves the seed
        open."""
        seeds = self.open_seeds()
        return 1 if self.repeats else (seeds.high - seeds.low) // seeds.step + 1


SEEDS = Whole(1, 2_147_483_647)
"""Where open seeds are drawn from: inside most services' range; 0 and -1 are no seed to some."""
