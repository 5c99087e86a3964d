"""The sandbox as a server on loopback: a thread in this process, or a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

import uvicorn
from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import faults as fault_rules
from . import logo
from .comfyui import ComfyUI
from .control import Control
from .fal import FalQueue
from .fal_platform import FalPlatform
from .media import Media
from .studio import LOOPBACK, Studio
from .wavespeed import WaveSpeed
from .web import AnswerError, DropError, answer

Render = Literal["animatic", "thumb"]
Faults = Path | Sequence[dict[str, Any]] | None
_log = logging.getLogger("shotreel.sandbox")
# Without any handler Python would print errors to the console.
_log.addHandler(logging.NullHandler())

_PREFIXES = {
    "FAL_RUN_URL": "/fal/run",
    "FAL_QUEUE_URL": "/fal/queue",
    "FAL_PLATFORM_URL": "/fal/platform",
    "FAL_REST_URL": "/fal/rest",
    "FAL_MEDIA_URL": "/fal/media",
    "WAVESPEED_URL": "/wavespeed",
    "COMFYUI_URL": "/comfyui",
}


def environment_of(url: str) -> dict[str, str]:
    """The URL variables that lead shotreel to the sandbox at `url`."""
    return {name: url + prefix for name, prefix in _PREFIXES.items()}


class Sandbox:
    """`with Sandbox(folder=...) as sandbox:` serves until the block ends.

    `latency_s` is from start to end of a job; `concurrency` the jobs that a service works on at
    once for the account, 0 for any number; `faults` a file or a list of rules (see `faults`).
    All that the services know is in `folder`. With a `certificate` (a PEM file that holds its key
    too) it speaks TLS, for clients that speak nothing else.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        latency_s: float = 1.5,
        concurrency: int = 0,
        render: Render = "animatic",
        faults: Faults = None,
        certificate: Path | None = None,
    ) -> None:
        self._certificate = certificate
        self._folder = Path(folder)
        self._port = port
        self._latency_s = latency_s
        self._concurrency = concurrency
        self._render = render
        self._rules = None if faults is None else fault_rules.parse(_loaded(faults))
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._studio: Studio | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The URL variables that lead shotreel here."""
        return environment_of(self.url)

    def start(self) -> Self:
        # Bound here, so that the port is known and clients may connect before the thread runs.
        # asyncio turns off Nagle's delay (40 ms an answer) only where the protocol is named.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self._port))
            listener.listen(1024)
            self._port = listener.getsockname()[1]
            self._studio = Studio(
                self._folder,
                latency_s=self._latency_s,
                concurrency=self._concurrency,
                render=self._render,
            )
            if self._rules is not None:
                self._studio.store.faults.replace(self._rules)
        except BaseException:
            listener.close()
            raise
        connections = _Connections()
        config = uvicorn.Config(
            _App(self._studio, connections),
            http=connections.protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=self._certificate,
            timeout_keep_alive=75,
        )
        self._server = _Server(config)
        serving = self._server.serve(sockets=[listener])
        self._thread = threading.Thread(
            target=asyncio.run, args=(serving,), name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._server is None or self._thread is None or self._studio is None:
            return
        self._server.end()
        self._thread.join(10)
        self._studio.close()
        self._server = self._thread = self._studio = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(
    folder: Path,
    *,
    port: int = 0,
    latency_s: float = 1.5,
    concurrency: int = 0,
    render: Render = "animatic",
    faults: Faults = None,
    announce: Callable[[Sandbox], None] | None = None,
) -> None:
    """Serves in the foreground until SIGINT or SIGTERM; `announce` is told when it is up."""
    wanted = {signal.SIGINT, signal.SIGTERM}
    # Blocked before any thread starts, so that all threads leave them to sigwait.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    try:
        with Sandbox(
            folder,
            port=port,
            latency_s=latency_s,
            concurrency=concurrency,
            render=render,
            faults=faults,
        ) as sandbox:
            if announce:
                announce(sandbox)
            signal.sigwait(wanted)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Server(uvicorn.Server):
    """Ends at once, as a service that goes away does: whoever is connected is cut off."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def end(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._loop:
            with suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._ending.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        counter = 0
        # The tick keeps the Date header right.
        while not await self.on_tick(counter):
            counter += 10
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()


class _Connections:
    """Knows the transport of every connection, which ASGI hides, so that one can be dropped."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        transports = self._transports

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                transports[transport.get_extra_info("peername")] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        self.protocol = Protocol

    async def drop(self, scope: Scope, receive: Receive) -> None:
        if transport := self._transports.get(tuple(scope["client"])):
            # close() sends what is written; abort() would take back what already went out.
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


class _App:
    """All routes, behind what holds for every request."""

    def __init__(self, studio: Studio, connections: _Connections) -> None:
        self._connections = connections
        media = Media(studio)
        self._router = Router(
            [
                *FalQueue(studio).routes(),
                *FalPlatform(studio).routes(),
                *media.routes(),
                *WaveSpeed(studio, media).routes(),
                *ComfyUI(studio, media).routes(),
                *Control(studio).routes(),
                logo.ROUTE,
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if not _is_local(scope):
                raise AnswerError(answer({"detail": "The sandbox serves loopback only"}, 403))
            await self._router(scope, receive, watched)
        except AnswerError as error:
            await error.response(scope, receive, send)
        except DropError:
            await self._connections.drop(scope, receive)
        except Exception:  # noqa: BLE001 - a bug shall answer 500, not leave a client waiting
            _log.exception("%s %s", scope.get("method"), scope.get("path"))
            if started:
                await self._connections.drop(scope, receive)
            else:
                await answer({"detail": "Internal error of the sandbox"}, 500)(scope, receive, send)


def _is_local(scope: Scope) -> bool:
    """No page in a browser reaches us: not of another origin, nor through a name that it made
    resolve to loopback."""
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    origin = headers.get(b"origin", b"").decode("latin-1")
    return name.strip("[]") in LOOPBACK and origin in ("", f"http://{host}", f"https://{host}")


def _loaded(faults: Path | Sequence[dict[str, Any]]) -> object:
    if not isinstance(faults, (str, os.PathLike)):
        return faults
    try:
        return json.loads(Path(faults).read_text("utf-8"))
    except ValueError as error:
        raise fault_rules.FaultError(f"{faults}: not JSON: {error}") from error
