"""Request ids that the ledger could not take: an append-only file of last resort beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blocks import settings, timing
from blocks.errors import SetupError
from blocks.ledger.ledger import Ledger
from blocks.providers.base import Ticket


@dataclass(frozen=True)
class NotedRequest:
    attempt_id: str
    ticket: Ticket
    fingerprint: str = ""


def path() -> Path:
    return settings.home() / "emergency.jsonl"


def note(attempt_id: str, ticket: Ticket, fingerprint: str = "") -> Path:
    """Append an accepted request, on disk when it returns. Raises OSError.

    By its `fingerprint` a ledger that has lost the attempt finds it again.
    The line begins with a line break: one before it that a crash cut short does not swallow it.
    """
    line = {
        "at": timing.now().isoformat(),
        "attempt_id": attempt_id,
        "request_id": ticket.request_id,
        "urls": dict(ticket.urls),
        "fingerprint": fingerprint,
    }
    settings.own_home()
    with path().open("a", encoding="utf-8") as file:
        settings.keep_private(path(), 0o600)
        file.write("\n" + json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path()


def noted_requests() -> Iterator[NotedRequest]:
    """What the file holds; a line that a crash cut short is passed over. Raises SetupError."""
    try:
        text = path().read_text("utf-8", "replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise SetupError(
            f"{path()} cannot be read: {error.strerror}.",
            remedy="It names requests that were paid. Correct its permissions, then run again.",
        ) from None
    for line in text.splitlines():
        try:
            row = json.loads(line)
            ticket = Ticket(row["request_id"], row["urls"])
            yield NotedRequest(row["attempt_id"], ticket, row.get("fingerprint", ""))
        except (ValueError, KeyError, TypeError):
            continue


def adopt_noted_requests(ledger: Ledger) -> None:
    """Take what the file holds into the ledger, where the ledger still does not know it."""
    for noted in noted_requests():
        attempt = ledger.find(noted.attempt_id)
        if attempt and attempt.state == "released":
            ledger.book_late(attempt, noted.ticket)
        if attempt and attempt.state in ("posting", "unknown"):
            # By now it may have been found and adopted in another way.
            with suppress(ValueError):
                ledger.mark_submitted(attempt, noted.ticket, "noted in the emergency file")
