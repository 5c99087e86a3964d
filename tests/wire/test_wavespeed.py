"""WaveSpeed's answers, and what each of them means for money."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from blocks.providers.base import (
    Accepted,
    Again,
    Bill,
    Empty,
    Failed,
    Found,
    Gone,
    ListPrice,
    Order,
    Paused,
    Ready,
    Refused,
    Ticket,
    Unknown,
    Waiting,
)
from blocks.providers.catalogue import MODELS
from blocks.providers.http import Answer, AnswerLost, Reply, Undelivered
from blocks.providers.wavespeed import wire
from tests.wire.replies import LOST, REFUSED_CONNECTION, answers, objects_with, reply, writable

MODEL = MODELS["wavespeed-ai/magi-1-24b"]
ID = "e6832d4abffb4d79bfbca19783fca133"
GET = f"https://api.wavespeed.ai/api/v3/predictions/{ID}/result"
CLIP_URL = "https://d2g64w682n9w0w.cloudfront.net/clip.mp4"


def envelope(code: int = 200, message: str = "success", **data: Any) -> Reply:
    return reply(200, {"code": code, "message": message, "data": data})


def test_submit_goes_to_the_models_path_of_api_v3() -> None:
    order = Order("a1", MODEL, {"prompt": "the sea", "seed": 7}, start_timeout_s=600)
    call = wire.submit_call("https://api.wavespeed.ai", order, {"Authorization": "Bearer k"})
    assert call.method == "POST"
    assert call.url == "https://api.wavespeed.ai/api/v3/wavespeed-ai/magi-1-24b"
    assert call.json == {"prompt": "the sea", "seed": 7}


def test_accepted_submit_gives_the_prediction_id() -> None:
    answer = envelope(id=ID, urls={"get": GET}, status="created", outputs=[])
    assert wire.classify_submit(answer) == Accepted(Ticket(ID, {"get": GET}))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(REFUSED_CONNECTION, Again, id="nothing was sent: try again"),
        pytest.param(LOST, Unknown, id="answer lost: it may have been taken"),
        pytest.param(envelope(id=ID), Accepted, id="an id"),
        pytest.param(envelope(id=ID, status="failed"), Accepted, id="an id that failed at once"),
        pytest.param(envelope(5004, "timed out", id=ID), Accepted, id="a late word, but an id"),
        pytest.param(
            envelope(429, "busy", id=ID), Accepted, id="an id is there, whatever the code"
        ),
        pytest.param(envelope(500, "oops", id=ID), Accepted, id="an error beside an id"),
        pytest.param(reply(200, b"<html>"), Unknown, id="200 unreadable: taken, id lost"),
        pytest.param(reply(200, {"code": 200, "data": None}), Unknown, id="200 without data"),
        pytest.param(envelope(id=""), Unknown, id="200 with an empty id"),
        pytest.param(envelope(id=[ID]), Unknown, id="200 with an id of another type"),
        pytest.param(envelope(id="a\x00b"), Unknown, id="200 with an id that no ledger takes"),
        pytest.param(envelope(400, "bad prompt"), Refused, id="400 inside 200"),
        pytest.param(envelope(429, "busy"), Again, id="429 inside 200"),
        pytest.param(envelope(500, "oops"), Unknown, id="500 inside 200"),
        pytest.param(envelope(401, "bad key"), Paused, id="401 inside 200"),
        pytest.param(reply(400, {"message": "prompt is required"}), Refused, id="400"),
        pytest.param(reply(404, {"message": "model not found"}), Refused, id="404"),
        pytest.param(reply(413, b""), Refused, id="413"),
        pytest.param(reply(422, {"message": "size"}), Refused, id="422"),
        pytest.param(reply(401, {"message": "invalid key"}), Paused, id="401: the key is wrong"),
        pytest.param(reply(403, {"message": "no"}), Paused, id="403: the key may not"),
        pytest.param(reply(402, {}), Paused, id="402: the balance is empty"),
        pytest.param(
            reply(400, {"message": "Insufficient credits. Please top up."}),
            Paused,
            id="no credit, under a code that no page names",
        ),
        pytest.param(reply(429, {"message": "slow down"}), Again, id="429: not accepted"),
        pytest.param(reply(307, b""), Unknown, id="307: a proxy may have passed it on"),
        pytest.param(reply(303, b""), Unknown, id="303: may answer a request that was taken"),
        pytest.param(reply(408), Unknown, id="408: may have been taken"),
        pytest.param(reply(409), Unknown, id="409: undocumented, so it may have been taken"),
        pytest.param(reply(500, {"message": "internal"}), Unknown, id="500"),
        pytest.param(
            reply(503, {"message": "no balance instance"}), Unknown, id="503, whatever its words"
        ),
        pytest.param(
            reply(409, {"message": "insufficient"}), Unknown, id="409, whatever its words"
        ),
        pytest.param(reply(502, b"nginx"), Unknown, id="502 from a gateway"),
        pytest.param(reply(504, b"nginx"), Unknown, id="504 from a gateway"),
    ],
)
def test_submit(answer: Answer, outcome: type) -> None:
    assert type(wire.classify_submit(answer)) is outcome


def test_retry_after_of_a_429_is_kept() -> None:
    answer = reply(429, {"message": "slow down"}, retry_after="30")
    assert wire.classify_submit(answer) == Again("HTTP 429: slow down", 30.0)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(LOST, Again, id="no answer: look again"),
        pytest.param(REFUSED_CONNECTION, Again, id="no connection: look again"),
        pytest.param(reply(401), Again, id="401: the clip is still ours once the key is right"),
        pytest.param(reply(408), Again, id="408"),
        pytest.param(reply(429), Again, id="429"),
        pytest.param(reply(500), Again, id="500"),
        pytest.param(reply(504, b"nginx"), Again, id="504"),
        pytest.param(reply(200, b"<html>"), Again, id="unreadable"),
        pytest.param(envelope(), Again, id="no status at all"),
        pytest.param(reply(200, {"data": {"status": "dreaming"}}), Again, id="a future status"),
        pytest.param(reply(200, {"data": {"status": ["failed"]}}), Again, id="of another type"),
        pytest.param(reply(200, {"data": {"status": "created"}}), Waiting, id="created"),
        pytest.param(reply(200, {"data": {"status": "processing"}}), Waiting, id="processing"),
        pytest.param(
            reply(200, {"data": {"status": "processing", "code": 5004}}),
            Waiting,
            id="a wait that ran out while the task goes on",
        ),
        pytest.param(
            reply(200, {"data": {"status": "completed", "outputs": []}}), Empty, id="no output yet"
        ),
        pytest.param(
            reply(200, {"data": {"status": "completed", "outputs": "x"}}), Empty, id="odd outputs"
        ),
        pytest.param(reply(404, {"message": "not found"}), Gone, id="404: ask the listing"),
    ],
)
def test_result_that_is_no_verdict_fails_no_clip(answer: Answer, outcome: type) -> None:
    assert type(wire.classify_result(answer)) is outcome


def test_completed_without_an_output_says_why() -> None:
    data = {"status": "completed", "outputs": [], "has_nsfw_contents": [True]}
    empty = wire.classify_result(reply(200, {"data": data}))
    assert isinstance(empty, Empty)
    assert "NSFW" in empty.reason


@pytest.mark.parametrize("output", [CLIP_URL, {"url": CLIP_URL}, {"video": {"url": CLIP_URL}}])
@pytest.mark.parametrize("as_list", [True, False])
def test_output_may_be_a_url_or_an_object_that_holds_one_alone_or_in_a_list(
    output: Any, as_list: bool
) -> None:
    data = {"status": "completed", "outputs": [output] if as_list else output}
    assert wire.classify_result(reply(200, {"data": data})) == Ready(CLIP_URL)


@pytest.mark.parametrize(
    ("data", "certain"),
    [
        pytest.param({"input": {"prompt": "the sea", "seed": 7}}, True, id="the same inputs"),
        pytest.param({"inputs": {"prompt": "the  sea", "seed": 7}}, True, id="by another name"),
        pytest.param({"input": {"prompt": "a boat", "seed": 7}}, False, id="the seed agrees"),
        pytest.param({"input": {"prompt": "the sea", "seed": 8}}, None, id="a stranger's seed"),
    ],
)
def test_a_candidate_is_ours_only_by_what_it_was_asked(data: Any, certain: bool | None) -> None:
    candidate = Found(Ticket(ID), certain=False)
    stored = wire.inputs_of(envelope(id=ID, **data))
    assert stored is not None
    found = wire.compared(stored, candidate, {"prompt": "the sea", "seed": 7})
    assert (found and found.certain) is certain


@pytest.mark.parametrize("answer", [LOST, reply(404), envelope(id=ID), envelope(input="x")])
def test_prediction_need_not_say_what_it_was_asked(answer: Answer) -> None:
    assert wire.inputs_of(answer) is None


def test_finished_clip_is_the_first_output_that_is_a_url() -> None:
    data = {"status": "completed", "outputs": [None, "", CLIP_URL, "https://other.example/b.mp4"]}
    assert wire.classify_result(reply(200, {"data": data})) == Ready(CLIP_URL)


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        pytest.param("failed", 1200, False, id="1200 moderation"),
        pytest.param("failed", 1400, False, id="1400 missing input"),
        pytest.param("failed", 1401, False, id="1401 invalid input"),
        pytest.param("failed", 1402, False, id="1402 media access"),
        pytest.param("failed", 1403, False, id="1403 execution failed"),
        pytest.param("failed", 1405, False, id="1405 task failed"),
        pytest.param("failed", None, False, id="no code"),
        pytest.param("failed", [5000], False, id="a code of another type"),
        pytest.param("failed", 5000, True, id="5000 internal: may pass"),
        pytest.param("failed", 5003, True, id="5003 unavailable: may pass"),
        pytest.param("failed", 5004, True, id="5004 timeout: may pass"),
        pytest.param("timeout", 0, True, id="timeout"),
        pytest.param("cancelled", 0, False, id="cancelled"),
        pytest.param("deleted", 0, False, id="deleted"),
    ],
)
def test_failed_prediction_is_charged_until_the_billing_says_otherwise(
    status: str, code: Any, transient: bool
) -> None:
    data = {"id": ID, "status": status, "code": code, "error": "it broke", "outputs": []}
    failed = wire.classify_result(reply(200, {"code": 200, "data": data}))
    assert isinstance(failed, Failed)
    assert (failed.charged, failed.units, failed.transient) == ("unknown", None, transient)
    assert "it broke" in failed.reason


def test_listed_predictions_of_the_model_are_candidates_with_their_times() -> None:
    items: list[dict[str, Any]] = [
        {"id": "a", "model": MODEL.endpoint, "created_at": "2026-11-21T10:00:00.500Z"},
        {"id": "b", "model": "wavespeed-ai/other", "created_at": "2026-11-21T10:00:00Z"},
        {"id": "c", "created_at": "2026-11-21T10:00:01"},
        {"id": 7, "model": MODEL.endpoint},
        {"model": MODEL.endpoint},
    ]
    found = wire.candidates(items, MODEL.endpoint)
    assert not any(f.certain for f in found)
    assert [(f.ticket.request_id, f.sent_at) for f in found] == [
        ("a", datetime(2026, 11, 21, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("c", datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("answer", "price"),
    [
        pytest.param(envelope(price=0.4, discounted_price=0.3), "0.3", id="the discount counts"),
        pytest.param(envelope(price=0.4), "0.4", id="without a discount"),
        pytest.param(envelope(unit_price="0.40", currency="USD"), "0.40", id="the older route"),
        pytest.param(envelope(discounted_price=0, price=0.4), "0.4", id="0 is no price"),
        pytest.param(envelope(price=0), None, id="only 0: unknown, not free"),
        pytest.param(envelope(price=-1), None, id="negative"),
        pytest.param(envelope(price=float("nan")), None, id="not a number"),
        pytest.param(envelope(price=True), None, id="not an amount"),
        pytest.param(envelope(), None, id="none named"),
        pytest.param(reply(404), None, id="no such route"),
        pytest.param(LOST, None, id="no answer"),
    ],
)
def test_price_is_the_accounts_or_unknown(answer: Answer, price: str | None) -> None:
    wanted = None if price is None else ListPrice("run", Decimal(price), "USD")
    assert wire.read_price(answer) == wanted


def billed(*rows: tuple[str, Any]) -> Reply:
    items: list[dict[str, Any]] = [
        {"uuid": str(n), "billing_type": kind, "price": price, "prediction": {"uuid": ID}}
        for n, (kind, price) in enumerate(rows)
    ]
    return envelope(page=1, total=len(items), items=items)


@pytest.mark.parametrize(
    ("answer", "bill"),
    [
        pytest.param(billed(("deduct", 0.3)), Bill(None, Decimal("0.3")), id="deducted"),
        pytest.param(
            billed(("deduct", 0.3), ("refund", 0.3)), Bill(None, Decimal(0)), id="given back"
        ),
        pytest.param(
            billed(("deduct", 0.3), ("refund", -0.3)),
            Bill(None, Decimal(0)),
            id="given back, written as a negative amount",
        ),
        pytest.param(
            billed(("deduct", 0.3), ("Refunded", 0.1)),
            Bill(None, Decimal("0.2")),
            id="a part given back",
        ),
        pytest.param(billed(), None, id="no row yet: no bill, not a bill of 0"),
        pytest.param(billed(("deduct", None)), None, id="no amount"),
        pytest.param(billed(("deduct", float("nan"))), None, id="not a number"),
        pytest.param(billed(("deduct", 1e300)), None, id="absurd"),
        pytest.param(
            envelope(items=[{"price": 1, "prediction": {"uuid": "another"}}, {"price": 1}, 7]),
            None,
            id="rows of others",
        ),
        pytest.param(reply(500), None, id="500"),
        pytest.param(LOST, None, id="no answer"),
    ],
)
def test_bill(answer: Answer, bill: Bill | None) -> None:
    assert wire.read_bill(answer, ID) == bill


def test_reply_that_is_no_listing_proves_nothing() -> None:
    assert wire.items_of(reply(200, b"<html>")) is None
    assert wire.items_of(envelope(items=None)) is None
    assert wire.items_of(envelope(items=[])) == []


anything = answers(
    objects_with(
        (
            "code",
            "message",
            "error",
            "data",
            "id",
            "urls",
            "get",
            "status",
            "outputs",
            "items",
            "model",
            "created_at",
            "price",
            "billing_type",
            "prediction",
            "uuid",
            "currency",
        ),
        (
            ID,
            "failed",
            "completed",
            "created",
            "timeout",
            429,
            500,
            5000,
            "refund",
            "insufficient balance",
            CLIP_URL,
        ),
    )
)


@given(anything)
def test_submit_answer_is_always_an_outcome_and_never_buys_twice(answer: Answer) -> None:
    outcome = wire.classify_submit(answer)
    if isinstance(answer, AnswerLost):
        assert isinstance(outcome, Unknown)
    if isinstance(answer, Reply):
        if answer.status >= 500 or answer.status in (303, 408, 409, 499):
            assert isinstance(outcome, Unknown)
        if isinstance(outcome, Again):
            assert 429 in (answer.status, answer.object().get("code"))
        if answer.ok and wire.read_ticket(wire.data_of(answer)):
            assert isinstance(outcome, Accepted)
    if isinstance(outcome, Accepted):
        assert writable(outcome.ticket.request_id)
        assert all(url.isprintable() for url in outcome.ticket.urls.values())
    else:
        assert writable(outcome.reason)


@given(anything)
def test_poll_answer_is_always_an_outcome(answer: Answer) -> None:
    outcome = wire.classify_result(answer)
    assert isinstance(outcome, (Waiting, Ready, Failed, Gone, Again))
    if isinstance(outcome, (Failed, Gone, Again)):
        assert writable(outcome.reason)
    if isinstance(outcome, Ready):
        assert outcome.media_url.isprintable()
    if isinstance(outcome, Failed):
        assert outcome.charged == "unknown"
    if isinstance(answer, (AnswerLost, Undelivered)):
        assert isinstance(outcome, Again)


@given(anything)
def test_amounts_of_any_answer_can_be_kept(answer: Answer) -> None:
    bill, price = wire.read_bill(answer, ID), wire.read_price(answer)
    assert bill is None or (bill.cost_usd.is_finite() and 0 <= bill.cost_usd < 10**10)
    assert price is None or 0 < price.unit_price < 10**9
    if isinstance(answer, Reply):
        wire.candidates(wire.items_of(answer) or [], MODEL.endpoint)
