"""A server that says, byte for byte, what a test wants a service to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

Say = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]
"""What is done with a request. The connection is closed when it returns."""


@dataclass(frozen=True)
class Request:
    head: str
    body: bytes

    @property
    def target(self) -> str:
        return self.head.split(" ")[1]

    def header(self, name: str) -> str | None:
        for line in self.head.splitlines()[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@dataclass
class RawServer:
    """Answers the first request with the first of `script`, and so on; the last one repeats."""

    script: list[Say]
    requests: list[Request] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    """Bytes written in answer to each request."""

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request = Request(head, b"")
            length = int(request.header("content-length") or 0)
            request = Request(head, await reader.readexactly(length))
            number = len(self.requests)
            self.requests.append(request)
            counting = _Counting(writer)
            self.sent.append(0)
            try:
                await self.script[min(number, len(self.script) - 1)](request, counting)
            finally:
                self.sent[number] = counting.count
        writer.close()


class _Counting(asyncio.StreamWriter):
    """The connection's writer, counting the bytes that the other side has made room for."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.count = 0

    def __del__(self) -> None:
        """The connection belongs to the writer that is wrapped."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.count += len(data)
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    @property
    def transport(self) -> asyncio.WriteTransport:
        return self._writer.transport

    async def wait_closed(self) -> None:
        await self._writer.wait_closed()


def say(data: bytes) -> Say:
    async def act(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return act


def answer(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> Say:
    """A well-formed answer; `length` where Content-Length is to lie."""
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return say("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def forever(head: bytes, chunk: bytes) -> Say:
    """An answer that does not end until the other side has had enough."""

    async def act(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.transport.is_closing():
            writer.write(chunk)
            await writer.drain()

    return act


async def reset(_: Request, writer: asyncio.StreamWriter) -> None:
    """Not closed but torn down, as by a crash."""
    writer.transport.abort()


def silence(until: asyncio.Event) -> Say:
    async def act(_: Request, __: asyncio.StreamWriter) -> None:
        await until.wait()

    return act
