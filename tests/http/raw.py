"""A server that says, byte for byte, what a test wants a service to say."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field


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


class Line:
    """One connection, as the server holds it. It is closed after an answer unless `keep`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.keep = False
        self.num_bytes = 0

    async def hear(self) -> Request:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = int(Request(head, b"").header("content-length") or 0)
        return Request(head, await self._reader.readexactly(length))

    async def hear_some(self) -> bytes:
        return await self._reader.read(2**16)

    async def say(self, data: bytes) -> None:
        self.num_bytes += len(data)
        self._writer.write(data)
        await self._writer.drain()

    @property
    def open(self) -> bool:
        return not self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Torn down, as by a crash: the other side sees a reset."""
        now = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self._writer.transport.abort()


Say = Callable[[Request, Line], Awaitable[None]]
"""What is done with a request."""


@dataclass
class RawServer:
    """Answers the first request with the first of `script`, and so on; the last one repeats."""

    script: list[Say]
    greeting: bytes = b""
    """Said to whoever connects, before any request."""
    requests: list[Request] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for line in self.lines:
            line.close()

    @property
    def num_bytes(self) -> int:
        """Said in all."""
        return sum(line.num_bytes for line in self.lines)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        self.lines.append(line)
        ends = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with suppress(*ends, asyncio.CancelledError):
            if self.greeting:
                await line.say(self.greeting)
            while line.open:
                line.keep = False
                request = await line.hear()
                self.requests.append(request)
                turn = min(len(self.requests), len(self.script)) - 1
                await self.script[turn](request, line)
                if not line.keep:
                    break
        line.close()


def say(data: bytes) -> Say:
    async def act(_: Request, line: Line) -> None:
        await line.say(data)

    return act


def head(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers]).encode("latin-1") + b"\r\n\r\n"


def answer(
    status: int, body: bytes = b"", *headers: str, length: int | None = None, keep: bool = False
) -> Say:
    """A well-formed answer; `length` where Content-Length is to lie."""
    size = len(body) if length is None else length

    async def act(_: Request, line: Line) -> None:
        line.keep = keep
        closing = () if keep else ("Connection: close",)
        await line.say(head(status, f"Content-Length: {size}", *closing, *headers) + body)

    return act


def forever(beginning: bytes, chunk: bytes, pause_s: float = 0.0) -> Say:
    """An answer that does not end until the other side has had enough."""

    async def act(_: Request, line: Line) -> None:
        await line.say(beginning)
        while line.open:
            await line.say(chunk)
            await asyncio.sleep(pause_s)

    return act


async def hang_up(_: Request, line: Line) -> None:
    line.close()


async def reset(_: Request, line: Line) -> None:
    line.reset()


async def silence(_: Request, line: Line) -> None:
    """Says nothing until the other side is gone."""
    await line.hear()
