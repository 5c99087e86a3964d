"""Bring a media file home: bounded, resumable, without the account's key, from public hosts."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import httpx

from blocks.errors import ClipError
from blocks.providers.base import Again
from blocks.providers.http import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, read_retry_after_s

MAX_MEDIA_BYTES = 2 * 2**30
MAX_REDIRECTS = 5
# A body that drips for ever ends the try here; the next one resumes where it stopped.
LONGEST_TRY_S = 900.0
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class Vanished:
    """The service answered, and no longer gives this URL."""

    reason: str


@dataclass(frozen=True)
class Fetched:
    num_bytes: int


async def check_media_url(url: str, trusted_hosts: Collection[str]) -> None:
    """Refuse what a hostile reply could point at; raises ClipError.

    Only http and https, and no loopback, private or link-local address, unless the account's own
    URL is on that host (a proxy, a test server, a ComfyUI at home).
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise ClipError("the provider named a media URL that is not one") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ClipError(f"the provider named a media URL of scheme {parsed.scheme!r}")
    if parsed.host in trusted_hosts:
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parsed.host, parsed.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError):
        return  # the request itself will say that the name does not resolve
    for *_, address in found:
        if not ipaddress.ip_address(str(address[0]).split("%")[0]).is_global:
            raise ClipError(
                f"the provider named a media URL on {parsed.host}, which is not a public address"
            )


async def download(
    client: httpx.AsyncClient, url: str, path: Path, trusted_hosts: Collection[str]
) -> Fetched | Vanished | Again:
    """One try to complete `path`; what it already holds is kept and resumed from.

    Raises ClipError for a URL or a body that must not be followed. The whole file is there when
    `Fetched` comes back: its length equals what the service announced.
    """
    for _ in range(MAX_REDIRECTS + 1):
        await check_media_url(url, trusted_hosts)
        have = path.stat().st_size if path.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, pool=None)
        try:
            async with (
                asyncio.timeout(LONGEST_TRY_S),
                client.stream("GET", url, headers=headers, timeout=timeout) as response,
            ):
                if response.has_redirect_location:
                    url = str(response.url.join(response.headers["location"]))
                    continue
                return await _receive(response, path, have)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise ClipError("the provider redirects its media to a URL that is not one") from None
        except (httpx.HTTPError, TimeoutError) as error:
            return Again(f"{type(error).__name__} while downloading")
    raise ClipError(f"the media URL redirects more than {MAX_REDIRECTS} times")


async def _receive(response: httpx.Response, path: Path, have: int) -> Fetched | Vanished | Again:
    status = response.status_code
    if status in (403, 404, 410):
        return Vanished(f"HTTP {status} for the media file")
    if status == 416:
        path.unlink(missing_ok=True)  # what is here is not a beginning of what is there
        return Again("HTTP 416, starting over")
    if status not in (200, 206):
        after_s = read_retry_after_s(response.headers.get("retry-after", ""))
        return Again(f"HTTP {status} for the media file", after_s)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ClipError("the media file comes compressed, which nobody asked for")
    start, total = _extent(response)
    if start not in (0, have) or (start and status != 206):
        path.unlink(missing_ok=True)
        return Again("the service resumed at another place, starting over")
    if total is not None and total > MAX_MEDIA_BYTES:
        raise ClipError(f"the media file is {total} bytes, more than {MAX_MEDIA_BYTES}")
    size = start
    with path.open("ab" if start else "wb") as file:
        # As it comes: what a fixed chunk size would hold back is lost when the connection is.
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > (MAX_MEDIA_BYTES if total is None else total):
                raise ClipError("the media file is longer than was announced, or endless")
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if total is not None and size < total:
        return Again(f"the media file stopped at {size} of {total} bytes")
    return Fetched(size)


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """(first byte, total bytes) that the answer announces."""
    if response.status_code == 206:
        match = CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
        if match:
            total = match.group(2)
            return int(match.group(1)), None if total == "*" else int(total)
        return -1, None
    length = response.headers.get("content-length", "")
    return 0, int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
