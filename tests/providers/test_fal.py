"""What only fal has: two transports, uploads of every size, prices that no page names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from blocks.errors import PriceError
from blocks.providers.base import Accepted, Again, Ready, Unknown
from blocks.providers.catalogue import MODELS
from tests.providers.desk import CASES, Desk, elsewhere, picture
from tests.providers.test_contract import only

pytestmark = pytest.mark.anyio

queue = only(list(CASES[:1]))
direct = only(list(CASES[1:2]))


@direct
async def test_direct_call_brings_its_clip_and_its_units_along(desk: Desk) -> None:
    outcome = await desk.provider.submit(desk.order())
    assert isinstance(outcome, Accepted)
    ready = await desk.provider.poll(desk.model, outcome.ticket)
    assert isinstance(ready, Ready)
    assert ready.units == 4


@direct
async def test_direct_call_above_the_limit_is_turned_away_and_asked_again(desk: Desk) -> None:
    kind = {"error_type": "concurrent_requests_limit", "detail": "Concurrent requests limit"}
    await desk.misbehave(
        at="submit", do="status", status=429, body=kind, headers={"X-Fal-Needs-Retry": "1"}
    )
    assert isinstance(await desk.provider.submit(desk.order()), Again)
    assert isinstance(await desk.ended(await desk.buy()), Ready)


@queue
async def test_lost_answers_looked_for_at_once_are_found_by_two_readings(desk: Desk) -> None:
    await desk.misbehave(at="submit", do="drop_after_accept", times=0)
    await desk.misbehave(at="listing", do="delay", delay_s=0.3, times=0)
    orders = [desk.order() for _ in range(40)]
    for order in orders:
        assert isinstance(await desk.provider.submit(order), Unknown)
    found = await asyncio.gather(*(desk.found(order) for order in orders))
    requests = [ticket.request_id for [ticket] in found]
    assert len(set(requests)) == len(orders)
    _, listing = (await desk.told("faults"))["faults"]
    assert listing["acted"] == 2


@queue
async def test_request_that_the_queue_forgot_and_the_listing_calls_ended_has_its_result_asked_for(
    desk: Desk,
) -> None:
    ticket = await desk.buy()
    assert isinstance(await desk.ended(ticket), Ready)
    await desk.misbehave(at="poll", do="not_found", times=0)
    await desk.misbehave(at="listing", do="no_output", times=0)
    assert isinstance(await desk.provider.poll(desk.model, ticket), Ready)


@queue
@pytest.mark.parametrize(
    "name",
    ["fal-ai/magi", "fal-ai/magi-distilled/image-to-video", "fal-ai/magi-distilled/extend-video"],
)
async def test_price_that_no_page_names_is_the_accounts_or_nothing(
    desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODELS[name]
    quote = await desk.provider.price(model, {"prompt": "x", **model.defaults})
    assert quote.source == "account"
    assert quote.units == 4
    for url in ("http://127.0.0.1:9", desk.sandbox.url + "/nothing/here"):
        nobody = elsewhere(desk, monkeypatch, url)
        with pytest.raises(PriceError, match="does not say what"):
            await nobody.price(model, {"prompt": "x", **model.defaults})


@queue
async def test_files_are_named_as_fal_names_them(desk: Desk, tmp_path: Path) -> None:
    model = MODELS["fal-ai/magi-distilled/image-to-video"]
    place = await desk.provider.upload(picture(tmp_path / "sea.png"), "image/png")
    assert isinstance(place, str)
    order = desk.order(image=place)
    outcome = await desk.provider.submit(type(order)(order.attempt_id, model, order.inputs, 600))
    assert isinstance(outcome, Accepted)
    [request] = (await desk.told("requests"))["requests"]
    assert request["inputs"]["image_url"] == place
    assert "image" not in request["inputs"]


@queue
async def test_file_above_100_mb_goes_up_in_parts(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.write(b"first")
        file.seek(101 * 2**20)
        file.write(b"last")
    place = await desk.provider.upload(path, "video/mp4")
    assert isinstance(place, str)
    async with desk.client.stream("GET", place) as kept:
        assert int(kept.headers["content-length"]) == path.stat().st_size
        assert (await anext(kept.aiter_raw()))[:5] == b"first"
    tail = await desk.client.get(place, headers={"Range": "bytes=-4"})
    assert tail.content == b"last"


@queue
async def test_file_that_the_cdn_does_not_take_goes_to_the_older_storage(
    desk: Desk, tmp_path: Path
) -> None:
    # The token is given, the CDN fails, the older storage answers.
    await desk.misbehave(at="upload", do="status", status=500, after=1, times=1)
    path = picture(tmp_path / "sea.png")
    place = await desk.provider.upload(path, "image/png")
    assert isinstance(place, str)
    assert (await desk.client.get(place)).content == path.read_bytes()
