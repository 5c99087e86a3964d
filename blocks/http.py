"""One pooled HTTP client, and calls whose every ending is a value that can be classified.

`send` never raises for what the network or the other side does: it returns a `Reply`, or says
that the call was never delivered, or that its answer was lost. Nothing here retries.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

MAX_REPLY_BYTES = 16 * 2**20
CONNECT_TIMEOUT_S = 10.0
SUBMIT_TIMEOUT_S = 60.0
READ_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Call:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: tuple[tuple[str, str], ...] = ()
    json: object = None
    file: Path | None = None
    timeout_s: float = READ_TIMEOUT_S


@dataclass(frozen=True)
class Reply:
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

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
        text = self.body[:400].decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in text).strip()[:200]

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that `Retry-After` asks for (RFC 9110 10.2.3: a number or a date)."""
        value = self.headers.get("retry-after", "")
        try:
            return max(0.0, float(value))
        except ValueError:
            pass
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Undelivered:
    """No byte of the request reached the service: DNS, connect or TLS failed."""

    reason: str


@dataclass(frozen=True)
class AnswerLost:
    """The request may have arrived; its answer did not."""

    reason: str


Answer = Reply | Undelivered | AnswerLost


def open_client(max_connections: int = 256) -> httpx.AsyncClient:
    """A client for one event loop. Redirects are not followed: a POST must not be sent twice."""
    return httpx.AsyncClient(
        http2=True,
        follow_redirects=False,
        trust_env=True,
        limits=httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=20,
        ),
        # A compressed answer could be a bomb; media and short JSON gain nothing from it.
        headers={"Accept-Encoding": "identity", "User-Agent": "shotreel/0.1"},
    )


def origin(url: str) -> tuple[str, str, int | None]:
    """(scheme, host, port) with the default port filled in."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return ("", "", None)
    return (
        parsed.scheme,
        parsed.host,
        parsed.port or {"http": 80, "https": 443}.get(parsed.scheme),
    )


async def send(client: httpx.AsyncClient, call: Call, secret: str = "") -> Answer:
    """Send once. `secret` is blanked out of whatever comes back, so that no message can hold it."""
    timeout = httpx.Timeout(call.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None)
    try:
        async with (
            # A reader timeout alone would let an answer drip for ever.
            asyncio.timeout(call.timeout_s + CONNECT_TIMEOUT_S + 5),
            client.stream(
                call.method,
                call.url,
                params=call.params or None,
                headers=dict(call.headers),
                json=call.json,
                content=_chunks(call.file) if call.file else None,
                timeout=timeout,
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    return AnswerLost(f"the answer is larger than {MAX_REPLY_BYTES} bytes")
            return _reply(response, bytes(body), secret)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
        return Undelivered(_reason(error, call, secret))
    except (httpx.InvalidURL, UnicodeError) as error:
        return Undelivered(f"not a URL that can be called ({type(error).__name__})")
    except (httpx.HTTPError, TimeoutError) as error:
        return AnswerLost(_reason(error, call, secret))


def _reply(response: httpx.Response, body: bytes, secret: str) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if secret:
        body = body.replace(secret.encode(), b"***")
        headers = {name: value.replace(secret, "***") for name, value in headers.items()}
    return Reply(response.status_code, headers, body)


def _reason(error: Exception, call: Call, secret: str) -> str:
    host = httpx.URL(call.url).netloc.decode("ascii", "replace")
    text = f"{type(error).__name__} from {host}: {error}".rstrip(": ")
    return text.replace(secret, "***") if secret else text


async def _chunks(path: Path, size: int = 2**20) -> Any:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, size):
            yield chunk
