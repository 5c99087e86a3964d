"""The flows' parameters as the forms of the Prefect UI show them.

An amount is a number there, and a Decimal in the flow: pydantic takes a JSON number by its digits.
What may be left out is an empty field, not a choice between types.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from flows.stitch.finish import Finish

MAX_USD = 10**9
"""The ledger counts billionths in 64 bits."""


def titled(title: str, **schema: Any) -> Any:
    # Prefect sets each field's title to the parameter's name; only this comes after it.
    return Field(json_schema_extra={"title": title, **schema})


_Usd = Annotated[Decimal, Field(ge=0, le=MAX_USD)]
_USD_FIELD = WithJsonSchema({"type": "number", "minimum": 0, "maximum": MAX_USD})
_TEXT_FIELD = WithJsonSchema({"type": "string"})

ShotList = Annotated[str, titled("Shot list")]
ShotLists = Annotated[str, titled("Shot lists")]
OutputFolder = Annotated[str | None, _TEXT_FIELD, titled("Output folder")]
Live = Annotated[bool, titled("Live")]
Budget = Annotated[_Usd | None, _USD_FIELD, titled("Budget (USD)")]
ApproveAbove = Annotated[_Usd | None, _USD_FIELD, titled("Ask before buying for more than (USD)")]
Finishing = Annotated[Finish, titled("Finish")]
Notify = Annotated[str | None, _TEXT_FIELD, titled("Notify")]
