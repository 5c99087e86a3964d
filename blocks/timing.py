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
