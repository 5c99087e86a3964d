"""A service's listing of requests, page by page to its end.

What a silent listing proves, it proves only where all of it was read. So a page that cannot be read
is asked for again, and only a listing without an end is left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from blocks.errors import UnreachableError
from blocks.providers.base import Again
from blocks.providers.http import Answer, Reply
from blocks.providers.retry import again_until

PAGE_PATIENCE_S = 5.0
MAX_PAGES = 1000
"""Of 100 requests each: more than a service makes of one model between two looks."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """`cursor` asks for the next one; None where this is the last."""

    rows: Rows
    cursor: str | None


@dataclass(frozen=True)
class Closed:
    """A considered no to the listing: it will be the same the next time."""

    status: int


@dataclass
class Listing:
    """`ask` takes a cursor, `key` is the name of a request's id in a row."""

    ask: Callable[[str | None], Awaitable[Page | Closed | Again]]
    key: str
    unread: str = ""
    """Why it could not be read to its end."""
    closed: Closed | None = None

    async def pages(self) -> AsyncIterator[Rows]:
        """The rows of each page that no page before it had.

        A request that comes in meanwhile may push another onto the next page, again.
        """
        seen: set[str] = set()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._page(cursor)
            if page is None:
                return
            fresh = {str(row.get(self.key)): row for row in page.rows}
            fresh = {key: row for key, row in fresh.items() if key not in seen}
            yield list(fresh.values())
            cursor = page.cursor
            if cursor is None:
                return
            if not fresh:
                self.unread = "the request listing repeats itself, and has no end"
                return
            seen |= fresh.keys()
        self.unread = f"the request listing goes on after {MAX_PAGES} pages"

    async def _page(self, cursor: str | None) -> Page | None:
        try:
            page: Page | Closed = await again_until(
                PAGE_PATIENCE_S, lambda: self.ask(cursor), "the request listing cannot be read"
            )
        except UnreachableError as error:
            self.unread = error.message.rstrip(".")
            return None
        if isinstance(page, Closed):
            self.closed = page
            self.unread = f"the request listing cannot be read: HTTP {page.status}"
            return None
        return page


def read_page(
    answer: Answer,
    rows_of: Callable[[Reply], Rows | None],
    cursor_of: Callable[[Reply, Rows], str | None],
) -> Page | Closed | Again:
    if not isinstance(answer, Reply):
        return Again(answer.reason)
    if not answer.ok:
        return Again(f"HTTP {answer.status}") if answer.is_passing else Closed(answer.status)
    rows = rows_of(answer)
    if rows is None:
        return Again(f"HTTP {answer.status} with another thing than a listing")
    return Page(rows, cursor_of(answer, rows))
