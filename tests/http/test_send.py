"""What the network does to a call, and what is known of it afterwards."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import blocks.providers.http
from blocks.providers.http import MAX_REPLY_BYTES, AnswerLost, Call, Reply, Undelivered, plain, send
from tests.http.raw import (
    Line,
    RawServer,
    Request,
    Say,
    answer,
    forever,
    hang_up,
    head,
    reset,
    say,
    silence,
)

pytestmark = pytest.mark.anyio

SECRET = "id:5ecret-0f-the-acc0unt"


def post(url: str, **fields: Any) -> Call:
    return Call("POST", url, headers={"Authorization": f"Key {SECRET}"}, json={"n": 1}, **fields)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- nothing was delivered --------------------------------------------------------------------


async def test_refused_connection_delivered_nothing(client: httpx.AsyncClient) -> None:
    outcome = await send(client, post(f"http://127.0.0.1:{free_port()}/x"))
    assert isinstance(outcome, Undelivered)
    assert outcome.reason.startswith("ConnectError from 127.0.0.1:")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://no-such-name.invalid/x", id="a name that does not resolve"),
        pytest.param("ftp://127.0.0.1/x", id="a scheme that cannot be called"),
        pytest.param("http://[/x", id="not a URL"),
        pytest.param("http://\ud800/x", id="half a surrogate pair"),
    ],
)
async def test_url_that_leads_nowhere_delivered_nothing(
    client: httpx.AsyncClient, url: str
) -> None:
    assert isinstance(await send(client, post(url), SECRET), Undelivered)


async def test_failed_tls_handshake_delivered_nothing(client: httpx.AsyncClient) -> None:
    async with RawServer([answer(200)], greeting=b"220 mail.example ESMTP\r\n") as server:
        outcome = await send(client, post(f"https://127.0.0.1:{server.port}/x"), SECRET)
    assert isinstance(outcome, Undelivered)
    assert server.requests == []


@pytest.mark.parametrize("key", ["sec\nret", "sec\x00ret", "sécret", "sec\ud800ret"])
async def test_key_that_no_header_can_hold_is_neither_sent_nor_shown(
    client: httpx.AsyncClient, key: str
) -> None:
    async with RawServer([answer(200)]) as server:
        call = Call("POST", server.url, headers={"Authorization": f"Key {key}"}, json={})
        outcome = await send(client, call, key)
    assert isinstance(outcome, Undelivered)
    assert "ret" not in outcome.reason.replace("character", "")
    assert server.requests == []


# --- it may have been delivered ---------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hang_up, id="closed after the request"),
        pytest.param(reset, id="reset after the request"),
        pytest.param(silence, id="no answer in time"),
        pytest.param(say(b"HTTP/1.1 200 O"), id="half a status line"),
        pytest.param(say(head(200, "Content-Length: 9")[:-2]), id="headers without an end"),
        pytest.param(answer(200, b'{"request', length=80), id="half a body"),
        pytest.param(
            say(head(200, "Transfer-Encoding: chunked") + b"5\r\n{'a':"), id="half a chunk"
        ),
        pytest.param(
            say(head(200, "Transfer-Encoding: chunked") + b"zz\r\n"), id="a chunk of no size"
        ),
        pytest.param(say(b"220 mail.example ESMTP\r\n\r\n"), id="another protocol"),
        pytest.param(say(head(200, "Content-Length: many")), id="a length that is no number"),
        pytest.param(forever(b"HTTP/1.1 200 OK\r\n", b"X-Pad: 0123456789\r\n"), id="endless head"),
        pytest.param(forever(head(200), b" " * 2**20), id="endless body, its length not announced"),
        pytest.param(
            answer(200, b" " * (MAX_REPLY_BYTES + 1)), id="a body that no JSON answer has"
        ),
    ],
)
async def test_lost_answer_is_told_as_lost_and_not_sent_again(
    client: httpx.AsyncClient, behaviour: Say
) -> None:
    async with RawServer([behaviour]) as server:
        outcome = await send(client, post(f"{server.url}/x", timeout_s=0.5), SECRET)
        assert isinstance(outcome, AnswerLost)
        assert len(server.requests) == 1
        assert json.loads(server.requests[0].body) == {"n": 1}
    # What the kernel's buffers hold comes on top of what is read.
    assert server.num_bytes < 2 * MAX_REPLY_BYTES


async def test_answer_that_drips_for_ever_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks.providers.http, "SLACK_S", 0.2)
    monkeypatch.setattr(blocks.providers.http, "POOL_TIMEOUT_S", 0.1)
    async with RawServer([forever(head(200, "Content-Length: 900000"), b" ", 0.02)]) as server:
        outcome = await send(client, post(server.url, timeout_s=0.3), SECRET)
    assert isinstance(outcome, AnswerLost)
    assert 1 < server.num_bytes < 900_000


async def test_post_on_a_kept_connection_that_the_service_closes_is_not_sent_again(
    client: httpx.AsyncClient,
) -> None:
    connections: list[Line] = []

    async def first(_: Request, line: Line) -> None:
        connections.append(line)
        await answer(200, b"{}", keep=True)(_, line)

    async def second(_: Request, line: Line) -> None:
        assert line is connections[0]
        line.close()

    async with RawServer([first, second, answer(200, b"{}")]) as server:
        assert isinstance(await send(client, post(server.url), SECRET), Reply)
        assert isinstance(await send(client, post(server.url), SECRET), AnswerLost)
        assert len(server.requests) == 2


# --- it was answered --------------------------------------------------------------------------


async def test_answer_comes_whole_with_lower_case_headers(client: httpx.AsyncClient) -> None:
    body = b'{"request_id": "r"}'
    async with RawServer([answer(202, body, "X-Fal-Billable-Units: 4")]) as server:
        outcome = await send(client, post(f"{server.url}/x?a=1", params=(("b", "2 3"),)), SECRET)
    assert isinstance(outcome, Reply)
    assert (outcome.status, outcome.ok, outcome.json()) == (202, True, {"request_id": "r"})
    assert outcome.headers["x-fal-billable-units"] == "4"
    assert server.requests[0].header("authorization") == f"Key {SECRET}"
    assert server.requests[0].header("accept-encoding") == "identity"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>504</html>", id="a gateway's page"),
        pytest.param(b'{"a": ', id="cut short"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param(b"[" * 100_000, id="nested too deep"),
        pytest.param(b"1" * 5_000, id="a number too long"),
    ],
)
async def test_body_that_is_not_json_is_none(client: httpx.AsyncClient, body: bytes) -> None:
    async with RawServer([answer(200, body)]) as server:
        outcome = await send(client, post(server.url))
    assert isinstance(outcome, Reply)
    assert outcome.json() is None
    assert outcome.object() == {}
    assert outcome.excerpt.isprintable()
    assert len(outcome.excerpt) <= 200


async def test_json_that_is_not_an_object_has_no_fields(client: httpx.AsyncClient) -> None:
    async with RawServer([answer(200, b"[1]")]) as server:
        outcome = await send(client, post(server.url))
    assert isinstance(outcome, Reply)
    assert outcome.json() == [1]
    assert outcome.object() == {}


async def test_secret_is_in_nothing_that_comes_back(client: httpx.AsyncClient) -> None:
    async def echo(request: Request, line: Line) -> None:
        key = str(request.header("authorization"))
        body = json.dumps({"detail": f"unknown key {key}", "seen": [key, SECRET]}).encode()
        await answer(401, body, f"X-Key: {key}", f"WWW-Authenticate: {SECRET}")(request, line)

    async with RawServer([echo]) as server:
        outcome = await send(client, post(server.url), SECRET)
    assert isinstance(outcome, Reply)
    assert SECRET not in repr(outcome)
    assert outcome.object()["detail"] == "unknown key Key ***"
    assert SECRET not in repr(post("http://x"))


async def test_secret_is_in_no_reason(client: httpx.AsyncClient) -> None:
    async with RawServer([say(f"HTTP/1.1 {SECRET}\r\n\r\n".encode())]) as server:
        lost = await send(client, post(server.url), SECRET)
    assert isinstance(lost, AnswerLost)
    assert SECRET not in repr(lost)
    nowhere = await send(client, post(f"ftp://x/{SECRET}"), SECRET)
    assert isinstance(nowhere, Undelivered)
    assert SECRET not in repr(nowhere)


async def test_redirect_is_an_answer_and_is_not_followed(client: httpx.AsyncClient) -> None:
    async with (
        RawServer([answer(200, b"{}")]) as elsewhere,
        RawServer([answer(307, b"", f"Location: {elsewhere.url}/x")]) as server,
    ):
        outcome = await send(client, post(server.url), SECRET)
        assert isinstance(outcome, Reply)
        assert outcome.status == 307
        assert (len(server.requests), elsewhere.requests) == (1, [])


@pytest.mark.parametrize(
    ("part", "around"),
    [
        pytest.param(None, (b"", b""), id="whole"),
        pytest.param((1_000_000, 280_000), (b"", b""), id="the last part"),
        pytest.param((256, 5), (b"", b""), id="a part in the middle"),
        pytest.param(None, (b"--head", b"tail--"), id="as a field of a form"),
    ],
)
async def test_file_is_sent_as_it_is_with_its_length(
    client: httpx.AsyncClient,
    tmp_path: Path,
    part: tuple[int, int] | None,
    around: tuple[bytes, bytes],
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(bytes(range(256)) * 5_000)
    first, size = part or (0, picture.stat().st_size)
    sent = around[0] + picture.read_bytes()[first : first + size] + around[1]
    received = bytearray()
    lengths: list[str | None] = []

    async def take(request: Request, line: Line) -> None:
        # A signed URL of an object store takes no chunked body.
        lengths.append(request.header("content-length"))
        received.extend(request.body)
        while len(received) < len(sent):
            received.extend(await line.hear_some())
        await answer(200, b'{"access_url": "https://x/y"}')(request, line)

    async with RawServer([take]) as server:
        call = Call("POST", server.url, file=picture, part=part, around_file=around)
        outcome = await send(client, call)
    assert isinstance(outcome, Reply)
    assert outcome.ok
    assert lengths == [str(len(sent))]
    assert bytes(received) == sent


# --- small readers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "after_s"),
    [
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("²", None),
        ("9" * 400, None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 99 Jan 2001 00:00:00 GMT", None),
    ],
)
async def test_retry_after_is_seconds_a_date_or_nothing(value: str, after_s: float | None) -> None:
    assert Reply(429, {"retry-after": value}, b"").retry_after_s == after_s


async def test_retry_after_counts_down_to_its_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = Reply(429, {"retry-after": date}, b"").retry_after_s
    assert seconds is not None
    assert 3500 < seconds <= 3600


async def test_text_for_people_is_one_short_printable_line() -> None:
    assert plain("a\x1b[31m\n\n b\x00\ud800") == "a [31m b"
    assert len(plain("x" * 10_000)) == 200
