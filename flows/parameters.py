"""The flows' parameters as the forms of the Prefect UI show them.

An amount is a number there, and a Decimal in the flow: pydantic takes a JSON number by its digits.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from blocks.fields import EmptyField
from blocks.money import MAX_AMOUNT
from flows.shots.table import MAX_ROWS
from flows.stitch.finish import AS_IT_IS, Finish


def titled(title: str) -> Any:
    # Prefect sets each field's title to the parameter's name; only this comes after it.
    return Field(json_schema_extra={"title": title})


_Usd = Annotated[Decimal, Field(ge=0, le=MAX_AMOUNT)]

ShotList = Annotated[str, titled("Shot list")]
ShotLists = Annotated[str, titled("Shot lists")]
OutputFolder = Annotated[str | None, EmptyField("string"), titled("Output folder")]
Live = Annotated[bool, titled("Live")]
Budget = Annotated[_Usd | None, EmptyField("number", maximum=MAX_AMOUNT), titled("Budget (USD)")]
ApproveAbove = Annotated[
    _Usd | None,
    EmptyField("number", maximum=MAX_AMOUNT),
    titled("Ask before buying for more than (USD)"),
]
MostOfClip = Annotated[
    _Usd | None,
    EmptyField("number", maximum=MAX_AMOUNT),
    titled("The most that a clip may cost (USD)"),
]
Finishing = Annotated[Finish, titled("Finish")]
StillsAlone = Annotated[bool, titled("Stills alone")]
NO_FINISH = AS_IT_IS
Split = Annotated[
    Annotated[int, Field(ge=0)] | None,
    EmptyField("integer", maximum=MAX_ROWS),
    titled("Clips in a sub-run"),
]
Notify = Annotated[str | None, EmptyField("string"), titled("Notify")]
