"""Whatever the transport does to one request is a value; and a request's last look comes late."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from blocks.errors import ClipError
from blocks.providers.base import Again
from blocks.providers.download import download
from blocks.providers.http import AnswerLost, Call, Undelivered, open_client, origin, send
from tests.http.raw import RawServer, answer
from tests.tls import issue

pytestmark = pytest.mark.anyio

ALERT = bytes((21, 3, 3, 0, 2, 2, 80))
"""A TLS record: a fatal alert, internal_error."""


@contextmanager
def breaking_tls(shown: Path, says: bytes) -> Iterator[int]:
    """A port that speaks TLS until it has read a request, and then says this past it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with context.wrap_socket(plain, server_side=True) as line:
                line.recv(65536)
                with socket.socket(fileno=os.dup(line.fileno())) as below:
                    below.sendall(says)
                    below.recv(65536)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
async def trusting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[httpx.AsyncClient, Path]]:
    trusted, shown = issue(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with open_client() as client:
        yield client, shown


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(ALERT, id="a fatal alert"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", id="plain text"),
    ],
)
async def test_tls_that_breaks_after_the_request_is_a_lost_answer_and_a_download_tried_again(
    trusting: tuple[httpx.AsyncClient, Path], tmp_path: Path, says: bytes
) -> None:
    client, shown = trusting
    with breaking_tls(shown, says) as port:
        url = f"https://127.0.0.1:{port}/x"
        outcome = await send(client, Call("POST", url, json={"n": 1}))
        again = await download(client, url, tmp_path / "clip", {origin(url)[1:]})
    assert isinstance(outcome, AnswerLost)
    assert isinstance(again, Again)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/x",
        "http://xn--/x",
        "http://" + "a" * 70 + ".test/x",
        "http://a..b/x",
    ],
)
async def test_place_that_no_socket_takes_ends_one_request_and_raises_nothing(
    client: httpx.AsyncClient, tmp_path: Path, url: str
) -> None:
    assert isinstance(await send(client, Call("POST", url, json={})), Undelivered)
    try:
        found = await download(client, url, tmp_path / "clip", {("127.0.0.1", 99999)})
    except ClipError:
        return
    assert isinstance(found, Again)


async def test_request_that_is_called_off_when_the_connection_stands_sends_no_byte(
    client: httpx.AsyncClient,
) -> None:
    looks: list[int] = []

    async def called_off() -> bool:
        looks.append(len(server.lines))
        return False

    async def still_wanted() -> bool:
        return True

    async with RawServer([answer(200, b"{}")]) as server:
        call = Call("POST", f"{server.url}/x", json={}, last_look=called_off)
        assert isinstance(await send(client, call), Undelivered)
        assert looks == [1], "the connection stood when it looked"
        assert server.requests == []
        wanted = Call("POST", f"{server.url}/x", json={}, last_look=still_wanted)
        assert (await send(client, wanted)).status == 200  # type: ignore[union-attr]
        assert len(server.requests) == 1
