"""Fields of the forms that the Prefect UI shows: of accounts, and of the flows' parameters.

What may be left out is shown as an empty field, not as a choice between types.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from blocks import settings
from blocks.money import MAX_AMOUNT


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
    minimum: int = 0
    maximum: int | None = None

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        limits = {} if self.maximum is None else {"minimum": self.minimum, "maximum": self.maximum}
        return _WithoutDefault({"type": self.type, **limits})


MonthlyBudget = Annotated[
    Decimal | None,
    EmptyField("number", maximum=MAX_AMOUNT),
    Field(
        ge=0,
        title="Monthly budget (USD)",
        description="No more than this is bought in a calendar month (UTC), over all runs.",
    ),
]


def service_url(
    variable: str, title: str, description: str = "Only for a proxy or a test server."
) -> Any:
    """A field for a base URL of a service: where no block says it, the environment does."""
    return Field(
        default_factory=lambda: settings.url(variable), title=title, description=description
    )
