"""TLS on loopback in front of the sandbox, for a client that speaks nothing else."""

from __future__ import annotations

import asyncio
import re
import ssl
from pathlib import Path

HOST = re.compile(rb"host: [^\r]*", re.IGNORECASE)


class TlsFront:
    """Serves https://localhost:PORT and passes bytes to and from an http port.

    The paths of fal's queue come without the sandbox's prefix, so that it is put back. The service
    is told its own name, so that the URLs in its answers lead to it directly.
    """

    def __init__(self, certificate: Path, port: int) -> None:
        self._certificate = certificate
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        return f"https://localhost:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            service = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        back = asyncio.create_task(_copy(service[0], writer))
        try:
            await self._requests(reader, service[1])
        finally:
            service[1].close()
            await back

    async def _requests(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, OSError):
                return
            method, _, rest = head.partition(b" ")
            if not rest.startswith(b"/fal/"):
                head = method + b" /fal/queue" + rest
            host = f"Host: 127.0.0.1:{self._port}".encode()
            out.write(HOST.sub(host, head, count=1))
            length = next(
                (
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            try:
                if length:
                    out.write(await reader.readexactly(length))
                await out.drain()
            except (asyncio.IncompleteReadError, OSError):
                return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(2**16):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
