"""What the accounts conclude from a listing that is late, broken or long: nothing that costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from blocks.providers.base import Again, Findings, Found, Gone, Order, Ready, Ticket
from blocks.providers.catalogue import MODELS
from blocks.providers.fal.account import Fal, FalAccount
from blocks.providers.model import Inputs
from blocks.providers.wavespeed.account import PAGE_SIZE, WaveSpeed, WaveSpeedAccount
from tests.http.raw import RawServer, Say, answer, hang_up, silence

pytestmark = pytest.mark.anyio

MAGI = MODELS["fal-ai/magi-distilled"]
MAGI_24B = MODELS["wavespeed-ai/magi-1-24b"]
INPUTS: Inputs = {"prompt": "the sea", "seed": 7}
CLIP_URL = "https://media.example/clip.mp4"
UNKNOWN = answer(404, b'{"status": "NOT_FOUND"}')
KEY = "id:secret"


def fal(server: RawServer, client: httpx.AsyncClient) -> Fal:
    block = FalAccount(key=SecretStr(KEY), queue_url=server.url, platform_url=f"{server.url}/v1")
    return block.provider(client, "fal", "default")


def wavespeed(server: RawServer, client: httpx.AsyncClient) -> WaveSpeed:
    block = WaveSpeedAccount(key=SecretStr(KEY), url=server.url)
    return block.provider(client, "wavespeed", "default")


def says(body: object) -> Say:
    return answer(200, json.dumps(body).encode())


def predictions(*ids: str, full: bool = False) -> Say:
    items = [{"id": i, "model": MAGI_24B.endpoint, "status": "completed"} for i in ids]
    items += [{"id": f"pad{n}", "model": "x"} for n in range(PAGE_SIZE - len(ids) if full else 0)]
    for item in items:
        item["outputs"] = [CLIP_URL]  # type: ignore[assignment]
    return says({"code": 200, "data": {"items": items}})


BROKEN = [
    pytest.param(answer(500), id="500"),
    pytest.param(answer(429), id="429"),
    pytest.param(hang_up, id="no answer"),
    pytest.param(answer(200, b"<html>login</html>"), id="another's page"),
    pytest.param(says({"items": None, "data": {"items": None}}), id="no list in it"),
]


@pytest.mark.parametrize("listing", BROKEN)
async def test_paid_clip_is_not_called_lost_while_the_listing_is_broken(
    client: httpx.AsyncClient, listing: Say
) -> None:
    async with RawServer([UNKNOWN, listing]) as server:
        assert isinstance(await fal(server, client).poll(MAGI, Ticket("r")), Again)
    async with RawServer([UNKNOWN, listing]) as server:
        assert isinstance(await wavespeed(server, client).poll(MAGI_24B, Ticket("r")), Again)


@pytest.mark.parametrize("listing", BROKEN)
async def test_broken_listing_does_not_prove_that_nothing_was_bought(
    client: httpx.AsyncClient, listing: Say
) -> None:
    now = datetime.now(UTC)
    async with RawServer([listing]) as server:
        assert not (await fal(server, client).find(Order("a", MAGI, INPUTS, 600), now)).complete
    async with RawServer([listing]) as server:
        order = Order("a", MAGI_24B, INPUTS, 600)
        assert not (await wavespeed(server, client).find(order, now)).complete


async def test_clip_on_a_later_page_of_the_listing_is_found(client: httpx.AsyncClient) -> None:
    pages = [UNKNOWN, predictions("a", full=True), predictions("b", "r")]
    async with RawServer(pages) as server:
        outcome = await wavespeed(server, client).poll(MAGI_24B, Ticket("r"))
    assert outcome == Ready(CLIP_URL)
    assert [json.loads(r.body)["page"] for r in server.requests[1:]] == [1, 2]


async def test_clip_is_lost_where_the_whole_listing_does_not_know_it(
    client: httpx.AsyncClient,
) -> None:
    async with RawServer([UNKNOWN, predictions("a", full=True), predictions("b")]) as server:
        assert isinstance(await wavespeed(server, client).poll(MAGI_24B, Ticket("r")), Gone)
    async with RawServer([UNKNOWN, says({"items": []})]) as server:
        assert isinstance(await fal(server, client).poll(MAGI, Ticket("r")), Gone)


async def test_listing_that_forgets_after_a_week_proves_nothing_older(
    client: httpx.AsyncClient,
) -> None:
    order = Order("a", MAGI_24B, INPUTS, 600)
    now = datetime.now(UTC)
    async with RawServer([predictions()]) as server:
        speaks = wavespeed(server, client)
        assert (await speaks.find(order, now - timedelta(days=6))).complete
        assert not (await speaks.find(order, now - timedelta(days=8))).complete


async def test_request_on_a_later_page_is_found_by_its_inputs(client: httpx.AsyncClient) -> None:
    def row(request_id: str, seed: int) -> dict[str, object]:
        return {"request_id": request_id, "json_input": {**INPUTS, "seed": seed}}

    pages = [
        says({"items": [row("other", 8)], "next_cursor": "c2"}),
        says({"items": [row("mine", 7)], "next_cursor": None}),
    ]
    async with RawServer(pages) as server:
        order = Order("a", MAGI, INPUTS, 600)
        findings = await fal(server, client).find(order, datetime.now(UTC))
    assert findings.complete
    assert findings.candidates == (Found(Ticket("mine")),)
    assert "cursor=c2" in server.requests[1].target
    assert "expand=payloads" in server.requests[0].target


async def test_half_a_listing_is_not_a_whole_one(client: httpx.AsyncClient) -> None:
    async with RawServer([says({"items": [], "next_cursor": "c2"}), hang_up]) as server:
        findings = await fal(server, client).find(Order("a", MAGI, INPUTS, 600), datetime.now(UTC))
    assert not findings.complete


def rows(*numbers: int, following: str | None) -> Say:
    items = [{"request_id": f"r{n}", "json_input": {**INPUTS, "seed": n}} for n in numbers]
    return says({"items": items, "next_cursor": following})


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_page_that_breaks_is_asked_again_and_what_was_read_before_it_is_kept(
    client: httpx.AsyncClient, broken: Say
) -> None:
    pages = [rows(8, following="c2"), broken, rows(7, following=None)]
    async with RawServer(pages) as server:
        findings = await fal(server, client).find(Order("a", MAGI, INPUTS, 600), datetime.now(UTC))
    assert findings == Findings((Found(Ticket("r7")),), others=frozenset({"r8"}))
    assert ["cursor=c2" in r.target for r in server.requests] == [False, True, True]
    pages = [predictions("a", full=True), broken, predictions("b")]
    async with RawServer(pages) as server:
        order = Order("a", MAGI_24B, INPUTS, 600)
        findings = await wavespeed(server, client).find(order, datetime.now(UTC))
    assert findings.complete
    assert [json.loads(r.body)["page"] for r in server.requests] == [1, 2, 2]


async def test_a_day_of_ten_thousand_requests_is_read_to_its_end(client: httpx.AsyncClient) -> None:
    pages = [rows(*range(n * 100, n * 100 + 100), following=f"c{n + 1}") for n in range(1, 100)]
    async with RawServer([*pages, rows(7, following=None)]) as server:
        findings = await fal(server, client).find(Order("a", MAGI, INPUTS, 600), datetime.now(UTC))
    assert findings.complete
    assert findings.candidates == (Found(Ticket("r7")),)
    assert len(findings.others) == 9900


async def test_a_listing_that_repeats_itself_has_no_end(client: httpx.AsyncClient) -> None:
    async with RawServer([rows(8, following="c2"), rows(8, following="c2")]) as server:
        findings = await fal(server, client).find(Order("a", MAGI, INPUTS, 600), datetime.now(UTC))
    assert "repeats itself" in findings.unread
    full = predictions("a", full=True)
    async with RawServer([full, full]) as server:
        order = Order("a", MAGI_24B, INPUTS, 600)
        findings = await wavespeed(server, client).find(order, datetime.now(UTC))
    assert "repeats itself" in findings.unread


async def test_a_listing_without_an_end_is_left(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.providers.listing.MAX_PAGES", 3)
    pages = [rows(n, following=f"c{n + 1}") for n in range(1, 4)]
    async with RawServer(pages) as server:
        findings = await fal(server, client).find(Order("a", MAGI, INPUTS, 600), datetime.now(UTC))
    assert findings.unread == "the request listing goes on after 3 pages"
    assert len(server.requests) == 3


async def test_key_is_not_sent_to_where_a_reply_points(client: httpx.AsyncClient) -> None:
    async with (
        RawServer([silence]) as foreign,
        RawServer([says({"status": "IN_PROGRESS"})]) as server,
    ):
        urls = dict.fromkeys(("status_url", "response_url", "cancel_url"), f"{foreign.url}/x")
        await fal(server, client).poll(MAGI, Ticket("r", urls))
        await fal(server, client).cancel(MAGI, Ticket("r", urls))
        assert foreign.requests == []
    targets = [r.target for r in server.requests]
    app = "/fal-ai/magi-distilled/requests/r"
    assert targets == [f"{app}/status", f"{app}/cancel"]
    assert server.requests[0].header("authorization") == f"Key {KEY}"
