"""A service's clock beside this machine's, by the `Date` of its answers (RFC 9110 6.6.1)."""

from __future__ import annotations

from datetime import datetime, timedelta

from blocks import timing
from blocks.providers.http import Answer, Reply, read_http_date

CLOCK_SKEW = timedelta(minutes=2)
"""Clocks that differ by no more agree. Where they do not, no silence proves anything."""


class ServiceClock:
    """Of one account. `ahead` is how far it is ahead of ours; None: nothing was answered yet."""

    def __init__(self) -> None:
        self.ahead: timedelta | None = None

    def note(self, answer: Answer) -> None:
        told = read_http_date(answer.headers.get("date", "")) if isinstance(answer, Reply) else None
        if told is not None:
            self.ahead = told - timing.now()

    def at(self, moment: datetime) -> datetime:
        """What it showed when ours showed this."""
        return moment + (self.ahead or timedelta(0))

    def now(self) -> datetime:
        """What it shows, as far as its answers have told."""
        return self.at(timing.now())

    @property
    def agrees(self) -> bool:
        return abs(self.ahead or timedelta(0)) <= CLOCK_SKEW

    def __str__(self) -> str:
        ahead = self.ahead or timedelta(0)
        fast = "behind" if ahead > timedelta(0) else "ahead of"
        return f"this machine's clock is {abs(ahead).total_seconds() / 60:.0f} min {fast} it"
