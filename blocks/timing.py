"""The one clock that the ledger, the buying path, the accounts and retries ask."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """This machine's time of day, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds since some moment; they never go back."""
    return time.monotonic()


def moment_text(moment: datetime) -> str:
    """UTC in ISO 8601, to the microsecond: it sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
