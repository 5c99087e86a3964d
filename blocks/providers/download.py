"""Bring a media file home: bounded, resumable, without the account's key, from public hosts."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx

from blocks import timing
from blocks.errors import ClipError, ShotreelError, UnreachableError
from blocks.providers.address import is_public
from blocks.providers.base import Again
from blocks.providers.http import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    Trusted,
    origin,
    read_http_date,
    read_retry_after_s,
)

MAX_MEDIA_BYTES = 2 * 2**30
MAX_REDIRECTS = 5
LONGEST_TRY_S = 900.0

STARTS_WITHIN_S = 180.0
SLOWEST_BYTES_PER_S = 20_000
LONGEST_S = 3600.0
"""A body that drips for ever ends here, over all tries; the next run resumes where it stopped."""
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class Vanished:
    """The service answered, and no longer gives this URL."""

    reason: str


@dataclass(frozen=True)
class Fetched:
    num_bytes: int


class Patience:
    """How long one file may take, over all tries: longer the more of it has come."""

    def __init__(self) -> None:
        self._begun = timing.monotonic()
        self._num_bytes = 0

    def came(self, num_bytes: int) -> None:
        """Raises UnreachableError where they come too slowly."""
        self._num_bytes += num_bytes
        took_s = timing.monotonic() - self._begun
        if took_s > min(LONGEST_S, STARTS_WITHIN_S + self._num_bytes / SLOWEST_BYTES_PER_S):
            raise UnreachableError(
                f"the media file comes too slowly: {self._num_bytes} bytes in {took_s:.0f} s",
                paid="yes",
                remedy="What came is kept, and the same command goes on from there.",
            )


async def check_media_url(url: str, trusted: Collection[Trusted]) -> tuple[str, ...]:
    """The addresses that the URL may be fetched from; empty: by its name.

    Refuses what a hostile reply could point at; raises ClipError. Only http and https, and only
    public addresses, unless the account's own URL is at that host and port (a proxy, a test
    server, a ComfyUI at home). What is checked is what is connected to: a name could resolve to
    something else a moment later. Behind a proxy it is the proxy that resolves.
    """
    try:
        parsed = httpx.URL(url)
        host, port = parsed.host, parsed.port
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise ClipError("the provider named a media URL that is not one") from None
    if parsed.scheme not in ("http", "https") or not host:
        raise ClipError(f"the provider named a media URL of scheme {parsed.scheme!r}")
    if port is not None and not 0 < port < 2**16:
        raise ClipError(f"the provider named a media URL of port {port}")
    if origin(url)[1:] in trusted:
        return ()
    spelled = _spelled_address(host)
    if spelled is None:
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            infos = []
    found = [spelled] if spelled else [str(info[4][0]) for info in infos]
    if not all(is_public(address, named=spelled is None) for address in found):
        raise ClipError(f"the provider named a media URL on {host}, which is not a public address")
    if is_proxied(parsed.scheme, host):
        return ()
    if not found:
        raise UnresolvedError(host)
    return tuple(dict.fromkeys(found))


class UnresolvedError(Exception):
    """A name that does not resolve, for the moment at least."""


def _spelled_address(host: str) -> str | None:
    """The address that the URL itself spells out; None for a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]").replace("%25", "%")))
    except ValueError:
        return None


def is_proxied(scheme: str, host: str) -> bool:
    """Whether the client, which trusts the environment, leaves this host to a proxy."""
    proxies = getproxies()
    return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(host)


async def download(
    client: httpx.AsyncClient,
    url: str,
    path: Path,
    trusted: Collection[Trusted],
    patience: Patience | None = None,
    auth: Mapping[str, str] | None = None,
) -> Fetched | Vanished | Again:
    """One try to complete `path`; what it already holds is kept and resumed from.

    `auth` are headers for the URL's own origin; a redirect does not take them to another.

    Raises ClipError for a URL or a body that must not be followed, UnreachableError where the
    bytes come so slowly that `patience` ends, OSError where they cannot be written. The whole file
    is there when `Fetched` comes back: its length equals what the service announced.
    """
    patience, own = patience or Patience(), origin(url)
    for _ in range(MAX_REDIRECTS + 1):
        patience.came(0)
        try:
            addresses = await check_media_url(url, trusted)
        except UnresolvedError as error:
            return Again(f"{error} does not resolve")
        have = path.stat().st_size if path.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        headers |= auth if auth and origin(url) == own else {}
        try:
            async with (
                asyncio.timeout(LONGEST_TRY_S),
                _answer(client, url, addresses, headers) as response,
            ):
                if response.has_redirect_location:
                    url = str(httpx.URL(url).join(response.headers["location"]))
                    continue
                return await _receive(response, path, have, patience)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise ClipError("the provider redirects its media to a URL that is not one") from None
        except _DiskError as error:
            raise error.cause from None
        except ShotreelError:
            raise
        except Exception as error:  # noqa: BLE001 - also those that httpx passes on: ssl, h2, sockets
            return Again(f"{type(error).__name__} while downloading")
    raise ClipError(f"the media URL redirects more than {MAX_REDIRECTS} times")


@asynccontextmanager
async def _answer(
    client: httpx.AsyncClient, url: str, addresses: Sequence[str], headers: Mapping[str, str]
) -> AsyncIterator[httpx.Response]:
    """The answer of the first of the addresses that takes a connection.

    TLS and the service still see the name (HTTPX documentation, Extensions, `sni_hostname`).
    """
    named = httpx.URL(url)
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, pool=None)
    async with AsyncExitStack() as stack:
        for left, address in reversed(list(enumerate(reversed(addresses)))):
            at = named.copy_with(host=address)
            request = client.stream(
                "GET",
                at,
                headers={**headers, "Host": named.netloc.decode("ascii")},
                timeout=timeout,
                extensions={"sni_hostname": named.host},
            )
            try:
                response = await stack.enter_async_context(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if not left:
                    raise
                continue
            break
        else:
            response = await stack.enter_async_context(
                client.stream("GET", named, headers=headers, timeout=timeout)
            )
        yield response


class _DiskError(Exception):
    """The file cannot be written: no trouble of the network's."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def _receive(
    response: httpx.Response, path: Path, have: int, patience: Patience
) -> Fetched | Vanished | Again:
    status = response.status_code
    if status in (403, 404, 410):
        return Vanished(f"HTTP {status} for the media file")
    if status == 416:
        path.unlink(missing_ok=True)  # what is here is not a beginning of what is there
        return Again("HTTP 416, starting over")
    if status not in (200, 206):
        asked, now = (response.headers.get(name, "") for name in ("retry-after", "date"))
        after_s = read_retry_after_s(asked, read_http_date(now))
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
    with _writing(path, "ab" if start else "wb") as write:
        # As it comes: what a fixed chunk size would hold back is lost when the connection is.
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > (MAX_MEDIA_BYTES if total is None else total):
                raise ClipError("the media file is longer than was announced, or endless")
            await write(chunk)
            patience.came(len(chunk))
    if total is not None and size < total:
        return Again(f"the media file stopped at {size} of {total} bytes")
    return Fetched(size)


@contextmanager
def _writing(path: Path, mode: str) -> Iterator[Callable[[bytes], Awaitable[None]]]:
    """Writes to the file, on disk at the end. Raises _DiskError."""

    @contextmanager
    def to_disk() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _DiskError(error) from None

    with to_disk():
        file = path.open(mode)

    async def write(chunk: bytes) -> None:
        with to_disk():
            await asyncio.to_thread(file.write, chunk)

    try:
        yield write
        with to_disk():
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            file.close()


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
