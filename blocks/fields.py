"""How the Prefect UI shows what may be left out: as an empty field, not a choice between types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


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
