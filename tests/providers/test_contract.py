"""What every account does, whatever wire is under it."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from blocks.media.probe import probe
from blocks.providers.base import Again, Failed, Gone, Paused, Ready, Refused, Ticket, Unknown
from blocks.providers.download import Fetched, download
from tests.providers.desk import CASES, Case, Desk, elsewhere, picture

pytestmark = pytest.mark.anyio


def only(cases: list[Case]) -> pytest.MarkDecorator:
    names = [case.name for case in cases]
    return pytest.mark.parametrize("case", cases, ids=names, indirect=True)


# A server of one's own has no price, turns nobody away and has tests of its own.
sold_by = only([case for case in CASES if case.sold])
looked_at = only([case for case in CASES if case.looked_at])


async def test_clip_that_is_bought_comes_home(desk: Desk, tmp_path: Path) -> None:
    order = desk.order()
    ready = await desk.ended(await desk.buy(order))
    assert isinstance(ready, Ready)
    path = tmp_path / "clip.mp4"
    fetched = await download(desk.client, ready.media_url, path, desk.provider.trusted_hosts)
    assert isinstance(fetched, Fetched)
    assert probe(path).num_frames == order.model.clip_frames(order.inputs)
    assert await desk.posts() == 1


async def test_lost_answer_is_found_and_not_paid_twice(desk: Desk) -> None:
    await desk.misbehave(at="submit", do="drop_after_accept")
    order = desk.order()
    assert isinstance(await desk.provider.submit(order), Unknown)
    [ticket] = await desk.found(order)
    assert isinstance(await desk.ended(ticket), Ready)
    assert await desk.posts() == 1


async def test_request_that_never_arrived_is_not_found(desk: Desk) -> None:
    await desk.misbehave(at="submit", do="drop_before_accept")
    order = desk.order()
    assert isinstance(await desk.provider.submit(order), Unknown)
    assert await desk.found(order) == []
    assert await desk.charged_usd() == 0


async def test_refused_connection_may_be_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = elsewhere(desk, monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert isinstance(await nobody.submit(desk.order()), Again)
        assert isinstance(await nobody.poll(desk.model, Ticket("r")), Again)
        assert not (await nobody.find(desk.order(), datetime.now(UTC))).complete


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param(500, Unknown, id="500"),
        pytest.param(502, Unknown, id="502"),
        pytest.param(504, Unknown, id="504"),
        pytest.param(413, Refused, id="413"),
    ],
)
async def test_answer_without_an_id_is_never_taken_for_a_clip(
    desk: Desk, status: int, outcome: type
) -> None:
    await desk.misbehave(at="submit", do="status", status=status, body="<html>nginx</html>")
    assert isinstance(await desk.provider.submit(desk.order()), outcome)
    assert await desk.posts() == 1


async def test_unreadable_acceptance_is_an_unknown_outcome(desk: Desk) -> None:
    await desk.misbehave(at="submit", do="garbage")
    order = desk.order()
    assert isinstance(await desk.provider.submit(order), Unknown)
    assert len(await desk.found(order)) == 1


@sold_by
async def test_busy_account_is_asked_again_when_it_says(desk: Desk) -> None:
    await desk.misbehave(at="submit", do="status", status=429, headers={"Retry-After": "7"})
    outcome = await desk.provider.submit(desk.order())
    assert isinstance(outcome, Again)
    assert outcome.after_s == 7


@sold_by
async def test_account_without_money_is_paused(desk: Desk) -> None:
    locked = {
        "detail": "User is locked. Reason: Exhausted balance.",
        "message": "insufficient credits",
    }
    await desk.misbehave(at="submit", do="status", status=403, body=locked)
    outcome = await desk.provider.submit(desk.order())
    assert isinstance(outcome, Paused)
    assert "Top up" in outcome.remedy


@sold_by
async def test_inputs_that_are_refused_cost_nothing(desk: Desk) -> None:
    outcome = await desk.provider.submit(desk.order(seed="not a number"))
    assert isinstance(outcome, Refused)
    assert "seed" in outcome.reason
    assert await desk.charged_usd() == 0


async def test_price_is_what_is_charged(desk: Desk) -> None:
    order = desk.order()
    quote = await desk.provider.price(order.model, order.inputs)
    await desk.ended(await desk.buy(order))
    assert quote.cost_usd == await desk.charged_usd()
    assert (quote.cost_usd > 0) == desk.case.sold


async def test_bill_is_what_is_charged(desk: Desk) -> None:
    ticket = await desk.buy()
    await desk.ended(ticket)
    bill = await desk.provider.billed(ticket)
    assert (bill.cost_usd if bill else Decimal(0)) == await desk.charged_usd()


@sold_by
async def test_failed_request_says_why_and_never_that_it_was_free_unasked(desk: Desk) -> None:
    await desk.misbehave(at="job", do="fail", status=422, error="no such thing", code="1200")
    order = desk.order()
    outcome = await desk.provider.submit(order)
    if isinstance(outcome, Unknown):  # a direct call: the model may have worked
        [ticket] = await desk.found(order)
    else:
        ticket = outcome.ticket  # type: ignore[union-attr]
    failed = await desk.ended(ticket)
    assert isinstance(failed, Failed)
    assert (failed.charged, failed.transient) == ("unknown", False)


@looked_at
async def test_answer_of_the_wrong_shape_is_looked_at_again(desk: Desk) -> None:
    ticket = await desk.buy()
    shapes = ("null", "[]", '"x"', '{"status": 7}', '{"data": []}', '{"video": 3}', "[" * 5000, "<")
    for body in shapes:
        await desk.misbehave(at="poll", do="status", status=200, body=body, times=1)
        assert isinstance(await desk.provider.poll(desk.model, ticket), Again), body
    assert isinstance(await desk.ended(ticket), Ready)
    assert await desk.posts() == 1


async def test_request_that_nobody_knows_is_not_waited_for(desk: Desk) -> None:
    outcome = await desk.ended(Ticket("764cabcf-b745-4b3e-ae38-1200304cf45b"))
    assert isinstance(outcome, (Gone, Failed))


async def test_cancelling_is_safe_at_any_time(desk: Desk) -> None:
    ticket = await desk.buy()
    await desk.provider.cancel(desk.model, ticket)
    await desk.ended(ticket)
    await desk.provider.cancel(desk.model, ticket)
    assert await desk.posts() == 1


async def test_uploaded_picture_can_be_named_in_a_request(desk: Desk, tmp_path: Path) -> None:
    path = picture(tmp_path / "Straße am Meer.png")
    place = await desk.provider.upload(path, "image/png")
    assert isinstance(place, str)
    if place.startswith("http"):
        kept = await desk.client.get(place)  # without a key: models fetch it so
        assert kept.content == path.read_bytes()


@sold_by
async def test_upload_that_is_not_taken_may_be_tried_again(desk: Desk, tmp_path: Path) -> None:
    await desk.misbehave(at="upload", do="status", status=503, times=0)
    outcome = await desk.provider.upload(picture(tmp_path / "sea.png"), "image/png")
    assert isinstance(outcome, Again)
