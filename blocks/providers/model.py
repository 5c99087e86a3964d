"""A model: one endpoint of a provider, the inputs that it takes, and its price rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, Protocol

Value = Any
"""A JSON value: text, a number, a flag, a list, an object."""

Inputs = Mapping[str, Value]
"""By the provider's own names."""

Media = Literal["image", "video", "audio"]

MAX_PROMPT_CHARS = 10_000
# As long as anybody writes; the range is the model's.
WHOLE = re.compile(r"[-+]?[0-9]{1,100}(\.0+)?")
REAL = re.compile(r"[-+]?[0-9]{1,15}(?:[.,][0-9]{1,15})?")
SECONDS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?)\s*-?(?:s|sec|secs|second|seconds)?")
PIXELS = re.compile(r"([0-9]{1,5})\s*[x×*]\s*([0-9]{1,5})")
LIST_SEPARATOR = "|"


class InputType(Protocol):
    """What an input takes. `allowed` completes the sentence "it is not ..."."""

    @property
    def allowed(self) -> str: ...

    def read(self, raw: str) -> Value:
        """The value of a cell. Raises ValueError for what is not allowed."""
        ...


class FileName(str):
    """A file as a list names it, inside a value that is not final yet."""

    __slots__ = ("media",)
    media: Media

    def __new__(cls, name: str, media: Media) -> FileName:
        made = super().__new__(cls, name)
        made.media = media
        return made


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
class Real:
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def allowed(self) -> str:
        if self.low is None and self.high is None:
            return "a number"
        if self.high is None:
            return f"a number from {self.low} on"
        return (
            f"a number up to {self.high}"
            if self.low is None
            else (f"a number from {self.low} to {self.high}")
        )

    def read(self, raw: str) -> int | float:
        if not REAL.fullmatch(raw):
            raise ValueError(raw)
        number = Decimal(raw.replace(",", "."))
        if (self.low is not None and number < self.low) or (
            self.high is not None and number > self.high
        ):
            raise ValueError(raw)
        return int(number) if number == number.to_integral_value() else float(number)


@dataclass(frozen=True)
class Choice:
    """The option's own spelling and type are what is sent, whatever way a list writes it."""

    options: tuple[Value, ...]

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(map(str, self.options))

    def read(self, raw: str) -> Value:
        """The option in its own spelling: as written, else whatever its capitals, else what says
        the same (`5.0` and `5s` for `5`). None is taken for being near."""
        for form in (str, _caseless, _folded):
            found = [option for option in self.options if form(option) == form(raw)]
            if len(found) == 1:
                return found[0]
        raise ValueError(raw)


def _caseless(value: Value) -> str:
    return str(value).strip().casefold()


def _folded(value: Value) -> str:
    """`5`, `5.0` and `5s` read alike; `1280x720` and `1280*720`; capitals do not count."""
    words = str(value).strip().casefold()
    if pixels := PIXELS.fullmatch(words):
        return f"{pixels[1]}x{pixels[2]}"
    seconds = seconds_in(words)
    return words if seconds is None else f"{seconds.normalize():f}"


def seconds_in(value: Value) -> Decimal | None:
    """5 of `5`, `"5"`, `"5s"` and `"5 seconds"`; None of what is no length."""
    found = SECONDS.fullmatch(str(value).strip().lower())
    return Decimal(found[1]) if found else None


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
class File:
    """A picture, a video or a sound: a URL, a path, or `@previous` (what the shot before made)."""

    media: Media = "image"

    @property
    def allowed(self) -> str:
        noun = {"image": "picture", "video": "video", "audio": "sound file"}[self.media]
        previous = "" if self.media == "audio" else ", or @previous"
        return f"a URL, the path of a {noun} beside the shot list{previous}"

    def read(self, raw: str) -> FileName:
        return FileName(raw, self.media)


@dataclass(frozen=True)
class Size:
    """Width and height as an object; or one of the `words`."""

    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return " or ".join(filter(None, ["a size such as 1280x720", ", ".join(self.words)]))

    def read(self, raw: str) -> Value:
        if pixels := PIXELS.fullmatch(raw.strip().lower()):
            return {"width": int(pixels[1]), "height": int(pixels[2])}
        return Choice(self.words).read(raw)


@dataclass(frozen=True)
class Many:
    """A list: ` | ` stands between its members."""

    of: InputType
    fewest: int = 0
    most: int | None = None

    @property
    def allowed(self) -> str:
        if self.most is None:
            count = f"{self.fewest} or more" if self.fewest else "any number"
        else:
            count = f"{self.fewest} to {self.most}" if self.fewest else f"up to {self.most}"
        return f"a list ({count}, with | between) of which each is {self.of.allowed}"

    def read(self, raw: str) -> list[Value]:
        members = [part.strip() for part in raw.split(LIST_SEPARATOR)]
        if not all(members) or len(members) < self.fewest:
            raise ValueError(raw)
        if self.most is not None and len(members) > self.most:
            raise ValueError(raw)
        return [self.of.read(member) for member in members]


@dataclass(frozen=True)
class Json:
    """Anything else. `media_of` tells which of its texts name files, by the path to them."""

    about: str = "JSON"
    media_of: Callable[[Sequence[str]], Media | None] | None = field(default=None, compare=False)

    @property
    def allowed(self) -> str:
        return self.about

    def read(self, raw: str) -> Value:
        try:
            value = json.loads(raw, parse_constant=_no_constant)
        except RecursionError:
            raise ValueError(raw) from None
        return self._with_files(value, [])

    def _with_files(self, value: Value, path: list[str]) -> Value:
        if isinstance(value, dict):
            return {key: self._with_files(each, [*path, key]) for key, each in value.items()}
        if isinstance(value, list):
            return [self._with_files(each, [*path, "*"]) for each in value]
        media = self.media_of(path) if self.media_of and isinstance(value, str) else None
        return FileName(value, media) if media else value


def _no_constant(word: str) -> Value:
    raise ValueError(f"{word} is no number")


# --- files inside inputs ----------------------------------------------------------------------


def files_in(value: Value, pointer: str = "") -> Iterator[tuple[str, FileName]]:
    """Every file that a value names, with the place where its URL goes (`images/0`)."""
    if isinstance(value, FileName):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from files_in(each, f"{pointer}/{_escaped(key)}" if pointer else _escaped(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from files_in(each, f"{pointer}/{index}")


def without_files(inputs: Inputs) -> dict[str, Value]:
    """The inputs without what names files: None stands where a URL goes inside a value."""
    return {
        name: _blanked(value) for name, value in inputs.items() if not isinstance(value, FileName)
    }


def _blanked(value: Value) -> Value:
    if isinstance(value, FileName):
        return None
    if isinstance(value, dict):
        return {key: _blanked(each) for key, each in value.items()}
    return [_blanked(each) for each in value] if isinstance(value, list) else value


def with_urls(inputs: Inputs, urls: Mapping[str, str]) -> dict[str, Value]:
    """The inputs with each URL in its place."""
    filled = json.loads(json.dumps(inputs)) if any("/" in each for each in urls) else dict(inputs)
    for pointer, url in urls.items():
        *path, last = pointer.split("/")
        place: Any = filled
        for step in path:
            place = place[int(step)] if isinstance(place, list) else place[pointer_key(step)]
        place[int(last) if isinstance(place, list) else pointer_key(last)] = url
    return filled


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")  # RFC 6901


def pointer_key(step: str) -> str:
    """The key that a step of a JSON pointer names (RFC 6901)."""
    return step.replace("~1", "/").replace("~0", "~")


# --- models -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """`name` is what a shot list says; `endpoint` and `api` (its version) what the URL says.

    `inputs` maps each input that the model takes, by the provider's own name, to its type;
    `roles` maps columns that mean the same everywhere to those names. `defaults` are sent
    explicitly, so that a provider's change of a default cannot change what a fingerprint means.
    `units` is None where only the account knows the price.
    """

    name: str
    provider: str
    endpoint: str
    inputs: Mapping[str, InputType]
    defaults: Mapping[str, Value]
    units: Callable[[Inputs], Decimal] | None
    unit: str = "unit"
    """What `units` counts."""
    frames_per_second: Fraction = Fraction(24)
    num_frames: int = 96
    """Of every clip, where no input decides it; 0: nothing says."""
    required: tuple[str, ...] = ("prompt",)
    api: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    random_seeds: tuple[int, ...] = ()
    """Values of `seed` by which the provider means "draw one"; the same as leaving it open."""
    repeats: bool = False
    """Whether the same inputs without a seed give the same clip: a workflow that binds none."""
    version: str = ""
    """Tells models of one name apart in a fingerprint: the digest of a workflow's files."""
    max_usd: Decimal | None = None
    """The most that one clip may cost, where the model's card names it."""
    schema_sha256: str = ""
    """Of the schema that it was made from; empty where there is none to hold it against."""
    makes: Literal["video", "image"] = "video"
    output: str = ""
    """Where the URL of what it makes stands in the result (RFC 6901); empty: where clips mostly
    are."""

    def input_of(self, column: str) -> str | None:
        """The provider's name of what a column sets; None where the model takes no such thing."""
        name = self.roles.get(column, column)
        return name if name in self.inputs else None

    def column_of(self, name: str) -> str:
        """What a list calls an input: its role's column, else the provider's name."""
        return next((column for column, its in self.roles.items() if its == name), name)

    def body(self, inputs: Inputs) -> dict[str, Value]:
        """The inputs as the provider names them.

        Attempts that an earlier version has written name files by their column.
        """
        return {self.input_of(name) or name: value for name, value in inputs.items()}

    def problems(self, inputs: Inputs) -> list[tuple[str, str]]:
        """(input, what is wrong) of inputs that do not go together; the types are checked."""
        return []

    @property
    def mark(self) -> str | None:
        """An input that tells an attempt from its twins, where no seed does."""
        return None

    @property
    def takes_seed(self) -> bool:
        return self.input_of("seed") is not None

    def clip_frames(self, inputs: Inputs) -> int:
        """Frames that the clip of these inputs is expected to have."""
        if (frames := _number(inputs.get(self.roles.get("num_frames", "num_frames")))) is not None:
            return int(frames)
        seconds = seconds_in(inputs.get(self.roles.get("duration_s", "duration_s")))
        rate = self.clip_rate(inputs)
        return int(Fraction(seconds) * rate) if seconds else self.num_frames or int(USUAL_S * rate)

    def clip_rate(self, inputs: Inputs) -> Fraction:
        name = self.roles.get("frames_per_second", "frames_per_second")
        rate = _number(inputs.get(name))
        return Fraction(rate) if rate else self.frames_per_second

    def open_seeds(self) -> Whole:
        """Where a seed that the list leaves open is drawn from."""
        own = self.inputs.get(self.input_of("seed") or "")
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


def _number(value: Value) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        return None
    return found if found.is_finite() and found > 0 else None


USUAL_S = 5
"""How long a clip is taken to be where nothing says."""

SEEDS = Whole(1, 2_147_483_647)
"""Where open seeds are drawn from: inside most services' range; 0 and -1 are no seed to some."""
