"""Prefect's server for programs and for its own pages: `python -m flows.studio.server`.

A browser sends what any page asks for to loopback too. CORS hides the answers and stops no request
(fetch.spec.whatwg.org/#http-cors-protocol: "no-cors"), it leaves WebSockets alone, and a name whose
owner lets it point to 127.0.0.1 makes a foreign page the server's own. What a page cannot forge are
the headers Host and Origin; so they decide, before Prefect sees a request.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, SupportsIndex
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOSTS = "SHOTREEL_SERVER_HOSTS"
"""Names beside loopback under which the server may be asked, separated by commas."""
ENDING_S = 10.0


@dataclass(frozen=True)
class Guard:
    """Refuses with 403 a foreign Host, and a page of another origin than `origins` and itself."""

    app: ASGIApp
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        why = self.why_not(Headers(scope=scope))
        if not why:
            await self.app(scope, receive, unframed(send))
        elif scope["type"] == "http":
            await JSONResponse({"detail": why}, status_code=403)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: a 403

    def why_not(self, headers: Headers) -> str:
        """What is foreign about a request; empty where nothing is."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.is_own(hosts[0]):
            return "This server is not asked under that name."
        for origin in headers.getlist("origin"):
            url = urlsplit(origin)
            same = url.scheme in ("http", "https") and url.netloc == hosts[0]
            if not same and origin not in self.origins:
                return "Pages of another origin have no business here."
        return ""

    def is_own(self, host: str) -> bool:
        with suppress(ValueError):
            name = urlsplit(f"//{host}").hostname or ""
            if name == "localhost" or name in self.hosts:
                return True
            return ip_address(name).is_loopback
        return False


def unframed(send: Send) -> Send:
    """No other page shows it in a frame, where a person would press what they do not see."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Frame-Options"] = "SAMEORIGIN"
            headers["Content-Security-Policy"] = "frame-ancestors 'self'"
        await send(message)

    return sent


class SearchPath(list[str]):
    """`sys.path` without the working folder, which is the user's.

    Prefect's migrations put it first for the rest of the process (alembic.ini: prepend_sys_path).
    """

    def __setitem__(self, where: SupportsIndex | slice, what: Any) -> None:
        if isinstance(where, slice):
            what = [folder for folder in what if Path(folder).is_absolute()]
        super().__setitem__(where, what)


def app() -> Guard:
    """Prefect's application behind the guard. It imports nothing from the working folder."""
    sys.path = SearchPath(sys.path)
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    allowed = get_current_settings().server.api.cors_allowed_origins.split(",")
    return Guard(
        create_app(final=True),
        frozenset(filter(None, os.environ.get(HOSTS, "").split(","))),
        frozenset(origin.strip() for origin in allowed) - {"*", "null", ""},
    )


def embedded() -> Guard:
    """The same for one run. It ends when stdin closes: with the run, however that ends."""
    threading.Thread(target=end_with_stdin, daemon=True).start()
    return app()


def end_with_stdin() -> None:
    while os.read(0, 1):  # below sys.stdin, whose lock would be held where the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDING_S)
    os._exit(1)


def main() -> None:
    """Host, port and the rest are Prefect's settings (PREFECT_SERVER_API_HOST, _PORT, ...)."""
    import uvicorn
    from prefect.settings import get_current_settings

    server = get_current_settings().server
    uvicorn.run(
        app(),
        host=server.api.host,
        port=server.api.port,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
    )


if __name__ == "__main__":
    main()
