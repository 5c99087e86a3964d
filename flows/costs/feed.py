"""An account's billing feed, read whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from blocks.errors import UnreachableError
from blocks.providers.base import Bill, BillingPage, BillingRow, NoFeed, Provider, sum_of
from blocks.providers.retry import again_until

PATIENCE_S = 60.0
MAX_ROWS = 1_000_000


@dataclass(frozen=True)
class Feed:
    """Rows by request, of everything that was charged or given back in the time asked for."""

    rows: Mapping[str, tuple[BillingRow, ...]]

    def bill(self, request_id: str) -> Bill | None:
        """None also where one of the rows cannot be read."""
        return sum_of(self.rows.get(request_id, ()))


async def read_feed(provider: Provider, since: datetime, until: datetime) -> Feed | NoFeed:
    """Every page. Half a feed could show a charge without its refund: it is no feed."""
    rows: dict[str, list[BillingRow]] = {}
    seen: set[BillingRow] = set()
    cursors: set[str] = set()
    cursor: str | None = None
    while True:
        asked = cursor
        try:
            page: BillingPage | NoFeed = await again_until(
                PATIENCE_S,
                lambda asked=asked: provider.billing(since, until, asked),  # type: ignore[misc]
                f"{provider.service} billing",
            )
        except UnreachableError as error:
            return NoFeed(error.message, error.remedy)
        if isinstance(page, NoFeed):
            return page
        # A late row pushes others onto the next page, where they are listed again.
        for row in page.rows:
            if row not in seen and row.request_id:
                rows.setdefault(row.request_id, []).append(row)
        seen.update(page.rows)
        cursor = page.cursor
        if cursor is None:
            return Feed({request_id: tuple(found) for request_id, found in rows.items()})
        if cursor in cursors or len(seen) > MAX_ROWS:
            return NoFeed(f"the pages of the billing of {provider.service} have no end")
        cursors.add(cursor)
