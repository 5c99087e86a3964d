"""One pooled HTTP client, and calls whose every ending is a value that can be classified.

`send` never raises for what the network or the other side does: it returns a `Reply`, or says
that the call was never delivered, or that its answer was lost. Nothing here retries.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from blocks import timing

MAX_REPLY_BYTES = 16 * 2**20
MAX_CONNECTIONS = 48
"""The pool is searched anew for each call: with 200 connections that took ten times the CPU."""

CONNECT_TIMEOUT_S = 10.0
POOL_TIMEOUT_S = 30.0
SUBMIT_TIMEOUT_S = 60.0
READ_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 120.0
SLACK_S = CONNECT_TIMEOUT_S + 5


LastLook = Callable[[], Awaitable[bool]]


class _NotSentError(Exception):
    """The last look said no."""


class _Wire:
    """Watches a request on its way: nothing was delivered before its first byte went out."""

    def __init__(self, last_look: LastLook | None) -> None:
        self.begun = False
        self._last_look = last_look

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """httpcore's extension `trace` (HTTPX documentation, Extensions)."""
        if event.endswith(".send_request_headers.started"):
            if self._last_look and not await self._last_look():
                raise _NotSentError("it was no longer to be sent")
            self.begun = True


@dataclass(frozen=True)
class Call:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: tuple[tuple[str, str], ...] = ()
    json: object = None
    file: Path | None = None
    part: tuple[int, int] | None = None
    """First byte and number of bytes of `file`, where not all of it is sent."""
    around_file: tuple[bytes, bytes] = (b"", b"")
    timeout_s: float = READ_TIMEOUT_S
    reader: Callable[[bytes], None] | None = field(default=None, repr=False, compare=False)
    """Takes a good answer's body as it comes, of any length; the reply has none then."""
    last_look: LastLook | None = field(default=None, repr=False, compare=False)
    """Asked when the connection stands, just before the first byte; False: it is not sent."""


@dataclass(frozen=True)
class Reply:
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_passing(self) -> bool:
        """Whether this no is of the moment: too slow, too often, or the server's own trouble."""
        return self.status in (408, 429) or self.status >= 500

    def json(self) -> Any:
        """The body as JSON; None where it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is anything else."""
        value = self.json()
        return value if isinstance(value, dict) else {}

    @property
    def excerpt(self) -> str:
        return plain(self.body[:400].decode("utf-8", "replace"))

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that `Retry-After` asks for (RFC 9110 10.2.3: a number or a date)."""
        asked, now = (self.headers.get(name, "") for name in ("retry-after", "date"))
        return read_retry_after_s(asked, read_http_date(now))


@dataclass(frozen=True)
class Undelivered:
    """No byte of the request was sent: DNS, connect, TLS, no free connection, or a last look."""

    reason: str


@dataclass(frozen=True)
class AnswerLost:
    """The request may have arrived; its answer did not."""

    reason: str


Answer = Reply | Undelivered | AnswerLost


def plain(text: object) -> str:
    """One line of at most 200 characters that every terminal and every database takes."""
    try:
        line = str(text)[:1000]
    except RecursionError:
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())[:200]


def text(value: object) -> str:
    """A string that can be written down; empty where it is anything else."""
    return value if isinstance(value, str) and value.isprintable() else ""


def read_id(value: object) -> str | None:
    """The id of a request that a service has accepted; None for any other thing."""
    given = text(value)
    return given if 0 < len(given) <= 200 else None


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time, UTC where it names no zone; None for any other thing."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time.replace(tzinfo=time.tzinfo or UTC) if time else None


def read_http_date(value: str) -> datetime | None:
    """A time as HTTP writes it (RFC 9110 5.6.7); None for any other thing."""
    try:
        time = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return time.replace(tzinfo=time.tzinfo or UTC)


def read_retry_after_s(value: str, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` asks for: a number or a date (RFC 9110 10.2.3).

    `now` is what the clock showed that the date is of; by default this machine's.
    """
    if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]*)?\s*", value):
        return float(value)
    date = read_http_date(value)
    return max(0.0, (date - (now or timing.now())).total_seconds()) if date else None


def leaves_open(status: int) -> bool:
    """Whether a POST that is answered so may have been carried out all the same.

    408 and 409 say nothing about it; 499 means that we hung up; a redirect may be the answer to one
    that was, or a proxy's that has passed it on.
    """
    return status in (408, 409, 499) or 300 <= status < 400 or status >= 500 or status < 200


def open_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for one event loop. Redirects are not followed: a POST must not be sent twice.

    `transport` is what carries the requests; by default the network.
    """
    return httpx.AsyncClient(
        transport=transport,
        http2=True,
        follow_redirects=False,
        trust_env=True,
        limits=httpx.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS,
            keepalive_expiry=20,
        ),
        # A compressed answer could be a bomb; media and short JSON gain nothing from it.
        headers={"Accept-Encoding": "identity", "User-Agent": "shotreel/0.1"},
    )


Trusted = tuple[str, int | None]
"""Host and port of a server that the user has named: `origin(url)[1:]`."""


def origin(url: str) -> tuple[str, str, int | None]:
    """(scheme, host, port) with the default port filled in."""
    try:
        parsed = httpx.URL(url)
        scheme, host, port = parsed.scheme, parsed.host, parsed.port
    except (httpx.InvalidURL, UnicodeError):
        return ("", "", None)
    return scheme, host, port or {"http": 80, "https": 443}.get(scheme)


def is_sendable(value: str) -> bool:
    """Whether a header can hold it."""
    return value.isascii() and value.isprintable()


async def send(client: httpx.AsyncClient, call: Call, secret: str = "") -> Answer:
    """Send once. `secret` is blanked out of whatever comes back, so that no message can hold it."""
    if not all(map(is_sendable, call.headers.values())):
        return Undelivered("a header, perhaps the key, holds a character that cannot be sent")
    timeout = httpx.Timeout(call.timeout_s, connect=CONNECT_TIMEOUT_S, pool=POOL_TIMEOUT_S)
    wire = _Wire(call.last_look)
    headers, content = dict(call.headers), None
    if call.file:
        first, size = call.part or (0, call.file.stat().st_size)
        before, after = call.around_file
        headers["Content-Length"] = str(len(before) + size + len(after))
        content = _chunks(call.file, first, size, before, after)
    try:
        async with (
            # A reader timeout alone would let an answer drip for ever.
            asyncio.timeout(POOL_TIMEOUT_S + call.timeout_s + SLACK_S),
            client.stream(
                call.method,
                call.url,
                params=call.params or None,
                headers=headers,
                json=call.json,
                content=content,
                timeout=timeout,
                extensions={"trace": wire.trace},
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_raw():
                if call.reader and response.is_success:
                    call.reader(chunk)
                    continue
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    return AnswerLost(f"the answer is larger than {MAX_REPLY_BYTES} bytes")
            return _reply(response, bytes(body), secret)
    except (httpx.InvalidURL, UnicodeError) as error:
        told = f"not a URL that can be called ({type(error).__name__})"
        return AnswerLost(told) if wire.begun else Undelivered(told)
    except Exception as error:  # noqa: BLE001 - also those that httpx passes on: ssl, h2, sockets
        told = _reason(error, call, secret)
        return AnswerLost(told) if wire.begun else Undelivered(told)


def _reply(response: httpx.Response, body: bytes, secret: str) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if secret:
        body = body.replace(secret.encode(), b"***")
        headers = {name: value.replace(secret, "***") for name, value in headers.items()}
    return Reply(response.status_code, headers, body)


def _reason(error: Exception, call: Call, secret: str) -> str:
    _, host, port = origin(call.url)
    text = f"{type(error).__name__} from {host}:{port}: {plain(error)}".rstrip(": ")
    return text.replace(secret, "***") if secret else text


async def _chunks(path: Path, first: int, size: int, before: bytes, after: bytes) -> Any:
    if before:
        yield before
    with path.open("rb") as file:
        file.seek(first)
        while size and (chunk := await asyncio.to_thread(file.read, min(size, 2**20))):
            size -= len(chunk)
            yield chunk
    if after:
        yield after
