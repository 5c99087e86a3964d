"""Arguments that Prefect hands to a task as they are."""

from __future__ import annotations

from typing import TypeVar, cast

from prefect.utilities.annotations import quote

T = TypeVar("T")


def unvisited(value: T) -> T:
    """Prefect walks through arguments in search of futures; a plan of thousands has none."""
    return cast(T, quote(value))
