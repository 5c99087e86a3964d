"""How the film is finished: what a person chooses beside the shot list."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
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

    def over(self, file: Mapping[str, Any]) -> Finish:
        """With what the film's own file says where nobody has chosen otherwise.

        A form sends every field: there those that are as they always are were not chosen. Raises
        InputError for what the file cannot say.
        """
        given = self.model_fields_set
        if given == set(Finish.model_fields):
            given = {name for name in given if getattr(self, name) != getattr(AS_IT_IS, name)}
        try:
            return Finish(**{**file, **{name: getattr(self, name) for name in given}})
        except ValidationError as error:
            said = (f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
            raise InputError(
                f"The film's file is wrong: {'; '.join(said)}.", remedy="Nothing was bought."
            ) from None

    def of_sequence(self) -> Finish:
        """A sequence keeps its clips' levels: music and loudness are the whole film's."""
        return self.model_copy(update={"music": None, "loudness_lufs": None})


AS_IT_IS = Finish()
