"""One thing that `shotreel doctor` looks at, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from blocks.errors import ShotreelError

Verdict = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Check:
    """`missing` is what only some need; `broken` is what has to be mended."""

    name: str
    verdict: Verdict
    what: str
    remedy: str = ""


def guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except ShotreelError as error:
        return Check(name, "broken", error.message, error.remedy)
