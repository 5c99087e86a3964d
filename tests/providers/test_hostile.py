"""What a reply could point at, and what could come from there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blocks.errors import ClipError
from blocks.providers.base import Ready
from blocks.providers.download import Fetched, check_media_url, download
from blocks.providers.http import origin
from tests.providers.desk import CASES, Desk, elsewhere
from tests.providers.test_contract import only

pytestmark = pytest.mark.anyio

names_media_later = only([case for case in CASES if case.sold and case.looked_at])


NOT_PUBLIC = (
    "http://127.0.0.2/clip.mp4",
    "http://10.0.0.1/clip.mp4",
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:192.168.0.1]/clip.mp4",
    "http://0.0.0.0/clip.mp4",
    "file:///etc/passwd",
    "ftp://example.com/clip.mp4",
    "data:video/mp4;base64,AAAA",
    "not a url",
)


async def test_media_url_that_is_not_public_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = elsewhere(desk, monkeypatch, "https://service.example")
    for url in NOT_PUBLIC:
        with pytest.raises(ClipError):
            await check_media_url(url, live.trusted_hosts)


@names_media_later
async def test_private_media_url_in_a_reply_is_not_called(desk: Desk, tmp_path: Path) -> None:
    ticket = await desk.buy()
    await desk.misbehave(at="result", do="private_url", times=1)
    ready = await desk.ended(ticket)
    assert isinstance(ready, Ready)
    path = tmp_path / "clip.mp4"
    with pytest.raises(ClipError, match="not a public address"):
        await download(desk.client, ready.media_url, path, desk.provider.trusted_hosts)
    again = await desk.ended(ticket)  # and what is paid can still be had
    assert isinstance(again, Ready)
    fetched = await download(desk.client, again.media_url, path, desk.provider.trusted_hosts)
    assert isinstance(fetched, Fetched)
    assert await desk.posts() == 1


@names_media_later
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        pytest.param({"do": "redirect_loop"}, "redirects more than", id="redirect-loop"),
        pytest.param(
            {"do": "status", "status": 200, "headers": {"Content-Encoding": "gzip"}},
            "compressed",
            id="decompression-bomb",
        ),
        pytest.param(
            {"do": "status", "status": 302, "headers": {"Location": "file:///etc/passwd"}},
            "scheme|not one",
            id="redirect-to-another-scheme",
        ),
        pytest.param(
            {"do": "status", "status": 302, "headers": {"Location": "http://10.0.0.1/x"}},
            "not a public address",
            id="redirect-to-a-private-address",
        ),
        pytest.param(
            {"do": "status", "status": 200, "headers": {"Content-Length": str(2**40)}},
            "more than",
            id="a-terabyte",
        ),
    ],
)
async def test_hostile_media_is_not_followed(
    desk: Desk, rule: dict[str, object], words: str, tmp_path: Path
) -> None:
    ready = await desk.ended(await desk.buy())
    assert isinstance(ready, Ready)
    await desk.misbehave(at="media", times=0, **rule)
    with pytest.raises(ClipError, match=words):
        await download(
            desk.client, ready.media_url, tmp_path / "clip.mp4", desk.provider.trusted_hosts
        )


@names_media_later
async def test_media_is_fetched_without_the_key(desk: Desk, tmp_path: Path) -> None:
    with media_host() as (url, seen):
        ticket = await desk.buy()
        await desk.misbehave(at="result", do="private_url", url=url, times=0)
        ready = await desk.ended(ticket)
        assert isinstance(ready, Ready)
        path = tmp_path / "clip.mp4"
        trusted = desk.provider.trusted_hosts | {origin(url)[1:]}
        fetched = await download(desk.client, ready.media_url, path, trusted)
        assert isinstance(fetched, Fetched)
    [headers] = seen
    assert "authorization" not in headers
    assert "secret-key" not in str(headers)


@contextmanager
def media_host() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(URL of a file, headers of every request for it)."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"clip")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4", seen
    finally:
        server.shutdown()
        server.server_close()
