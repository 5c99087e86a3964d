"""The flows' parameters as the forms of the Prefect UI show them.

An amount is a number there, and a Decimal in the flow: pydantic takes a JSON number by its digits.
What may be left out is an empty field, not a choice between types.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from flows.shots.table import MAX_ROWS
from flows.stitch.finish import Finish

MAX_USD = 10**9
"""The ledger counts billionths in 64 bits."""


class _WithoutDefault(dict[str, Any]):
    """A schema that says no default. Prefect's UI sends a default of null for an empty field, and
    its server takes null only where no default is said (utilities/schema_tools/validation.py)."""

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "default":
            super().__setitem__(key, value)


@dataclass(frozen=True)
class EmptyField:
    """Shows a parameter that may be None as a plain field of this type."""

    type: str
    maximum: int | None = None

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        limits = {} if self.maximum is None else {"minimum": 0, "maximum": self.maximum}
        return _WithoutDefault({"type": self.type, **limits})


def titled(title: str) -> Any:
    # Prefect sets each field's title to the parameter's name; only this comes after it.
    return Field(json_schema_extra={"title": title})


_Usd = Annotated[Decimal, Field(ge=0, le=MAX_USD)]

ShotList = Annotated[str, titled("Shot list")]
ShotLists = Annotated[str, titled("Shot lists")]
OutputFolder = Annotated[str | None, EmptyField("string"), titled("Output folder")]
Live = Annotated[bool, titled("Live")]
Budget = Annotated[_Usd | None, EmptyField("number", MAX_USD), titled("Budget (USD)")]
ApproveAbove = Annotated[
    _Usd | None, EmptyField("number", MAX_USD), titled("Ask before buying for more than (USD)")
]
Finishing = Annotated[Finish, titled("Finish")]
Split = Annotated[
    Annotated[int, Field(ge=0)] | None,
    EmptyField("integer", MAX_ROWS),
    titled("Clips in a sub-run"),
]
Notify = Annotated[str | None, EmptyField("string"), titled("Notify")]
