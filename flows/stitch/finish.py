"""How the film is finished: what a person chooses beside the shot list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from blocks.errors import InputError
from blocks.fields import EmptyField

OnMissing = Literal["slate", "skip", "fail"]
Fit = Literal["pad", "crop", "blur"]
MAX_RATE = 120
MAX_SIDE = 4096
SIZE = re.compile(r"([0-9]{1,3}[02468])x([0-9]{1,3}[02468])", re.ASCII)


def _from_words(value: Any) -> Any:
    return None if value == "off" else value


def _in_words(value: Decimal | None) -> str:
    return "off" if value is None else str(value)


Loudness = Annotated[
    Annotated[Decimal, Field(ge=-70, le=0)] | None,
    BeforeValidator(_from_words),
    PlainSerializer(_in_words, when_used="json"),
    # Words, for an empty field is one that nobody has filled in: Prefect's UI sends the default.
    WithJsonSchema({"type": "string", "pattern": r"^(off|-?[0-9]+(\.[0-9]+)?)$"}),
]
"""None, in forms `off`, leaves the clips' levels alone."""


def _as_rate(value: str) -> str:
    if value and not 1 <= rate_of(value) <= MAX_RATE:
        raise ValueError(f"not a rate from 1 to {MAX_RATE}")
    return value


def rate_of(value: str) -> Fraction:
    """23.976 and its like are the rates of television, 24000/1001. Raises ValueError."""
    try:
        rate = Fraction(value)
    except ZeroDivisionError:
        raise ValueError("not a rate") from None
    television = Fraction(1000 * round(rate + Fraction(1, 100)), 1001)
    return television if abs(rate - television) < Fraction(1, 100) else rate


def _as_size(value: str) -> str:
    if value:
        match = SIZE.fullmatch(value)
        if not match or not all(16 <= int(side) <= MAX_SIDE for side in match.groups()):
            raise ValueError("not a size of even sides, such as 1920x1080")
    return value


class Finish(BaseModel):
    """Everything about the film that costs nothing and can be changed at any time."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    on_missing: Annotated[OnMissing, Field(title="A shot without a clip")] = "slate"
    """slate: a card with shot, prompt and reason; skip: it is left out; fail: no new film."""
    fit: Annotated[Fit, Field(title="A clip of another shape")] = "pad"
    """pad: between bars; crop: filled, the edges cut; blur: before its own blurred picture."""
    title: Annotated[str, Field(title="Title", max_length=500)] = ""
    end_title: Annotated[str, Field(title="End title", max_length=500)] = ""
    music: Annotated[str | None, EmptyField("string"), Field(title="Music")] = None
    """A sound file that goes under the whole film."""
    loudness_lufs: Annotated[Loudness, Field(title="Loudness (LUFS)")] = Decimal(-14)
    """A number from -70 to 0; off leaves the clips' levels alone."""
    match_seams: Annotated[bool, Field(title="Match the seams")] = False
    rate: Annotated[str, AfterValidator(_as_rate), Field(title="Frames per second")] = ""
    """25, 23.976 or 30000/1001, say; empty: that of most of the clips, which are copied then."""
    size: Annotated[str, AfterValidator(_as_size), Field(title="Frame size")] = ""
    """1920x1080, say; empty: that of most of the clips, which are copied then."""

    @property
    def frame_rate(self) -> Fraction | None:
        return rate_of(self.rate) if self.rate else None

    @property
    def frame_size(self) -> tuple[int, int] | None:
        width, _, height = self.size.partition("x")
        return (int(width), int(height)) if self.size else None

    @property
    def chosen(self) -> set[str]:
        """The fields that were. A form sends every one: there those that are as they always are
        were not."""
        given = self.model_fields_set
        if given != set(Finish.model_fields):
            return given
        return {name for name in given if getattr(self, name) != getattr(AS_IT_IS, name)}

    def over(self, file: Mapping[str, Any]) -> Finish:
        """With what the film's own file says where nobody has chosen otherwise.

        Raises InputError for what the file cannot say.
        """
        try:
            return Finish(**{**file, **{name: getattr(self, name) for name in self.chosen}})
        except ValidationError as error:
            said = (f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
            raise InputError(
                f"The film's file is wrong: {'; '.join(said)}.", remedy="Nothing was bought."
            ) from None

    def of_sequence(self) -> Finish:
        """A sequence keeps its clips' levels: music and loudness are the whole film's."""
        return self.model_copy(update={"music": None, "loudness_lufs": None})


AS_IT_IS = Finish()
