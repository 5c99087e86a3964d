"""fal's answers, and what each of them means for money."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blocks.providers.base import (
    Accepted,
    Again,
    Bill,
    Empty,
    Failed,
    Gone,
    Order,
    Paused,
    Polled,
    Ready,
    Refused,
    Ticket,
    Unknown,
    Waiting,
)
from blocks.providers.catalogue import MODELS
from blocks.providers.fal import billing, wire
from blocks.providers.fal.wire import Doubted, EndedWell, StatusDone
from blocks.providers.http import Answer, AnswerLost, Reply, Undelivered, origin, read_time
from blocks.providers.model import Inputs
from tests.wire.replies import LOST, REFUSED_CONNECTION, answers, objects_with, reply, writable

QUEUE = "https://queue.fal.run"
MODEL = MODELS["fal-ai/magi-distilled"]
REQUEST_ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
CLIP_URL = "https://v3.fal.media/files/rabbit/clip.mp4"
DONE = StatusDone("", "")
FAILED = StatusDone("Oh", "")

LOCKED = {
    "detail": "User is locked. Reason: Exhausted balance. Top up your balance at "
    "fal.ai/dashboard/billing"
}
POLICY = {
    "detail": [
        {
            "loc": ["body", "prompt"],
            "msg": "The content could not be processed.",
            "type": "content_policy_violation",
        }
    ]
}


def infra(error_type: str) -> dict[str, str]:
    return {"detail": "Runner trouble", "error_type": error_type}


# --- submit -----------------------------------------------------------------------------------


def test_submit_sends_the_inputs_bare_and_bounds_when_the_request_may_start() -> None:
    order = Order("a1", MODEL, {"prompt": "the sea", "seed": 7}, start_timeout_s=600)
    call = wire.submit_call(QUEUE, order, {"Authorization": "Key k"})
    assert (call.method, call.url) == ("POST", "https://queue.fal.run/fal-ai/magi-distilled")
    assert call.json == {"prompt": "the sea", "seed": 7}
    assert call.headers["X-Fal-Request-Timeout"] == "600"
    assert call.headers["x-app-fal-disable-fallback"] == "true"
    assert "X-Fal-Store-IO" not in call.headers  # stored payloads are how a request is found


def test_accepted_submit_gives_the_id_and_the_urls_that_fal_named() -> None:
    body = {
        "request_id": REQUEST_ID,
        "status_url": f"{QUEUE}/s",
        "response_url": f"{QUEUE}/r",
        "cancel_url": f"{QUEUE}/c",
        "queue_position": 0,
    }
    assert wire.classify_submit(reply(200, body)) == Accepted(
        Ticket(
            REQUEST_ID,
            {"status_url": f"{QUEUE}/s", "response_url": f"{QUEUE}/r", "cancel_url": f"{QUEUE}/c"},
        )
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(REFUSED_CONNECTION, Again, id="nothing was sent: try again"),
        pytest.param(LOST, Unknown, id="answer lost: it may have been taken"),
        pytest.param(reply(200, {"request_id": "r"}), Accepted, id="200 with an id"),
        pytest.param(reply(202, {"request_id": "r"}), Accepted, id="any 2xx with an id"),
        pytest.param(reply(200, b"<html>"), Unknown, id="200 unreadable: taken, id lost"),
        pytest.param(reply(200, {}), Unknown, id="200 without an id"),
        pytest.param(reply(200, {"request_id": ""}), Unknown, id="200 with an empty id"),
        pytest.param(reply(200, {"request_id": 7}), Unknown, id="200 with an id of another type"),
        pytest.param(reply(200, {"request_id": "x" * 201}), Unknown, id="200 with a novel as id"),
        pytest.param(
            reply(200, {"request_id": "\ud800"}), Unknown, id="200 with an id that no ledger takes"
        ),
        pytest.param(reply(200, [1]), Unknown, id="200 with a list"),
        pytest.param(reply(400, {"detail": "bad"}), Refused, id="400: bad request"),
        pytest.param(reply(401, {"detail": "no"}), Paused, id="401: the key is wrong"),
        pytest.param(reply(402, {"detail": "pay"}), Paused, id="402: the balance is empty"),
        pytest.param(reply(403, LOCKED), Paused, id="403 locked: the balance is empty"),
        pytest.param(reply(403, {"detail": "no"}), Paused, id="403: the key may not"),
        pytest.param(reply(404, {"detail": "no app"}), Refused, id="404: no such endpoint"),
        pytest.param(reply(413, b"big"), Refused, id="413: too large"),
        pytest.param(reply(422, POLICY), Refused, id="422: refused before any work"),
        pytest.param(reply(429, b""), Again, id="429: not accepted"),
        pytest.param(reply(301, b""), Unknown, id="301: a proxy may have passed it on"),
        pytest.param(reply(307, b""), Unknown, id="307: likewise"),
        pytest.param(reply(308, b""), Unknown, id="308: likewise"),
        pytest.param(reply(303, b""), Unknown, id="303: may answer a request that was taken"),
        pytest.param(reply(408, b""), Unknown, id="408: may have been taken"),
        pytest.param(reply(409, b""), Unknown, id="409: undocumented, so it may have been taken"),
        pytest.param(reply(499, infra("client_disconnected")), Unknown, id="499: we hung up"),
        pytest.param(reply(500, infra("internal_error")), Unknown, id="500 with words"),
        pytest.param(reply(502, b"nginx"), Unknown, id="502 from a gateway"),
        pytest.param(reply(503, b"", x_fal_request_id="r"), Unknown, id="503 after the queue"),
        pytest.param(reply(503, b"nginx"), Unknown, id="503 from a gateway"),
        pytest.param(reply(504, infra("request_timeout")), Unknown, id="504"),
    ],
)
def test_submit(answer: Answer, outcome: type) -> None:
    assert type(wire.classify_submit(answer)) is outcome


def test_empty_balance_and_wrong_key_ask_for_different_things() -> None:
    broke, wrong = wire.classify_submit(reply(403, LOCKED)), wire.classify_submit(reply(401, {}))
    assert isinstance(broke, Paused)
    assert "Exhausted balance" in broke.reason
    assert broke.remedy == wire.TOP_UP
    assert isinstance(wrong, Paused)
    assert wrong.remedy == wire.CHECK_KEY


def test_refusal_says_which_input_and_why() -> None:
    refused = wire.classify_submit(reply(422, POLICY, x_fal_billable_units="0"))
    assert refused == Refused(
        "HTTP 422: body.prompt: The content could not be processed. (content_policy_violation)"
    )


@pytest.mark.parametrize(
    ("answer", "proven"),
    [
        pytest.param(reply(422, POLICY, x_fal_billable_units="0"), True, id="422, 0 units"),
        pytest.param(reply(422, POLICY), False, id="422, no count: a model may have worked"),
        pytest.param(reply(422, POLICY, x_fal_billable_units="4"), False, id="422, 4 units"),
        pytest.param(reply(400, infra("bad_request")), False, id="400, no count"),
        pytest.param(reply(404, {"detail": "no app"}), False, id="404, no count: fal may charge"),
        pytest.param(reply(413, b"big"), False, id="413: a proxy may have passed it on"),
    ],
)
def test_refusal_counts_at_once_only_where_the_answer_shows_that_it_was_free(
    answer: Answer, proven: bool
) -> None:
    refused = wire.classify_submit(answer)
    assert isinstance(refused, Refused)
    assert refused.proven is proven


def test_retry_after_of_a_429_is_kept() -> None:
    again = wire.classify_submit(reply(429, {"detail": "slow down"}, retry_after="7"))
    assert again == Again("HTTP 429: slow down", 7.0)


# --- status -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(
            reply(202, {"status": "IN_QUEUE", "queue_position": 3}), Waiting(3), id="202 queued"
        ),
        pytest.param(
            reply(200, {"status": "IN_QUEUE", "queue_position": 0}), Waiting(0), id="200 queued"
        ),
        pytest.param(reply(202, {"status": "IN_QUEUE"}), Waiting(0), id="queued, place not named"),
        pytest.param(
            reply(202, {"status": "IN_PROGRESS", "logs": None}), Waiting(None), id="at work"
        ),
    ],
)
def test_status_of_a_request_that_is_not_done(answer: Answer, outcome: Waiting) -> None:
    assert wire.classify_status(answer) == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(LOST, Again, id="no answer: look again"),
        pytest.param(REFUSED_CONNECTION, Again, id="no connection: look again"),
        pytest.param(reply(408), Again, id="408"),
        pytest.param(reply(429), Again, id="429"),
        pytest.param(reply(500), Again, id="500"),
        pytest.param(reply(503, b"nginx"), Again, id="503"),
        pytest.param(reply(401), Again, id="401: the clip is still ours once the key is right"),
        pytest.param(reply(200, b"<html>"), Again, id="unreadable"),
        pytest.param(reply(200, {"status": "DREAMING"}), Again, id="a status of the future"),
        pytest.param(reply(200, {"status": ["COMPLETED"]}), Again, id="a status of another type"),
        pytest.param(reply(404, {"status": "NOT_FOUND"}), Gone, id="404: ask the listing"),
    ],
)
def test_status_that_settles_nothing(answer: Answer, outcome: type) -> None:
    assert type(wire.classify_status(answer)) is outcome


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        pytest.param({"status": "COMPLETED"}, False, id="completed"),
        pytest.param({"status": "COMPLETED", "error": None}, False, id="error null is no error"),
        pytest.param({"status": "COMPLETED", "error": "Oh"}, True, id="completed is not success"),
        pytest.param({"status": "COMPLETED", "error": {"a": 1}}, True, id="error of another shape"),
        pytest.param({"status": "COMPLETED", "error_type": "bad_request"}, True, id="only a type"),
        pytest.param({"status": "FAILED"}, False, id="FAILED, undocumented: the result decides"),
        pytest.param({"status": "CANCELLED"}, False, id="CANCELLED, undocumented: same"),
    ],
)
def test_completed_says_whether_it_failed(body: dict[str, Any], failed: bool) -> None:
    done = wire.classify_status(reply(200, body))
    assert isinstance(done, StatusDone)
    assert done.failed is failed


# --- result -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "units"),
    [
        pytest.param(reply(200, {"video": {"url": CLIP_URL}}), None, id="no count: estimated"),
        pytest.param(
            reply(200, {"video": {"url": CLIP_URL}}, x_fal_billable_units="4"), "4", id="whole"
        ),
        pytest.param(
            reply(200, {"video": {"url": CLIP_URL}}, x_fal_billable_units="3.00800000"),
            "3.008",
            id="with eight decimals",
        ),
        pytest.param(
            reply(200, {"video": {"url": CLIP_URL}}, x_fal_billable_units="0"), "0", id="zero"
        ),
        pytest.param(
            reply(200, {"video": {"url": CLIP_URL}}, x_fal_billable_units="-4"), None, id="negative"
        ),
        pytest.param(
            reply(200, {"video": {"url": CLIP_URL}}, x_fal_billable_units="NaN"), None, id="NaN"
        ),
        pytest.param(
            reply(200, {"video": {"url": CLIP_URL}}, x_fal_billable_units="1e30"), None, id="absurd"
        ),
    ],
)
def test_finished_clip_comes_with_fals_own_count(answer: Answer, units: str | None) -> None:
    assert wire.classify_result(answer, DONE) == Ready(
        CLIP_URL, None if units is None else Decimal(units)
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(LOST, Again, id="no answer"),
        pytest.param(reply(408), Again, id="408"),
        pytest.param(reply(429), Again, id="429"),
        pytest.param(reply(401, {"detail": "no"}), Again, id="401: a key that was changed"),
        pytest.param(reply(403, LOCKED), Again, id="403: locked, and the clip is still ours"),
        pytest.param(
            reply(504, b"<html>nginx</html>"), Doubted, id="504 of a gateway: clip is there"
        ),
        pytest.param(reply(504, {"detail": "Gateway Timeout"}), Doubted, id="504 with JSON"),
        pytest.param(reply(503, infra("runner_connection_error")), Doubted, id="503 with a type"),
        pytest.param(reply(502, {"message": "bad gateway"}), Doubted, id="502 JSON without detail"),
        pytest.param(reply(422, POLICY), Doubted, id="422 that the status does not name"),
        pytest.param(
            reply(422, POLICY, x_fal_billable_units="0"), Doubted, id="nor with a count of 0"
        ),
        pytest.param(
            reply(400, b"<html>WAF</html>"), Doubted, id="400 of a gateway: clip is there"
        ),
        pytest.param(reply(302, b""), Gone, id="redirect: not the model's word"),
        pytest.param(reply(200, b"not json"), Gone, id="200 unreadable"),
        pytest.param(reply(200, {"video": {"url": ""}}), Empty, id="200 without a URL"),
        pytest.param(reply(200, {"video": None}), Empty, id="200 with no video"),
        pytest.param(reply(200, {"video": "x"}), Empty, id="200 of another shape"),
        pytest.param(
            reply(400, {"detail": "Request is still in progress"}), Waiting, id="still in progress"
        ),
        pytest.param(
            reply(422, {"detail": "Request is still in progress"}), Waiting, id="whatever its code"
        ),
        pytest.param(reply(404, {"detail": "Request not found"}), Gone, id="404: ask the listing"),
        pytest.param(reply(404, b"nginx"), Gone, id="404 of a gateway: ask the listing"),
    ],
)
def test_result_that_is_no_verdict_fails_no_clip(answer: Answer, outcome: type) -> None:
    assert type(wire.classify_result(answer, DONE)) is outcome


@pytest.mark.parametrize(
    ("answer", "done", "charged", "units", "transient"),
    [
        pytest.param(
            reply(422, POLICY), FAILED, "unknown", None, False, id="422, no count: unknown"
        ),
        pytest.param(
            reply(422, POLICY, x_fal_billable_units="0"),
            FAILED,
            "no",
            "0",
            False,
            id="422, 0 units",
        ),
        pytest.param(
            reply(422, POLICY, x_fal_billable_units="4"),
            FAILED,
            "yes",
            "4",
            False,
            id="422 after GPU time was spent: charged",
        ),
        pytest.param(
            reply(400, infra("downstream_service_error")), FAILED, "unknown", None, False, id="400"
        ),
        pytest.param(
            reply(500, infra("internal_error")), FAILED, "no", None, True, id="500 stored"
        ),
        pytest.param(
            reply(504, infra("request_timeout")), FAILED, "no", None, True, id="504: never started"
        ),
        pytest.param(
            reply(503, infra("runner_disconnected")), FAILED, "no", None, True, id="503 stored"
        ),
        pytest.param(
            reply(502, b"", x_fal_error_type="runner_incomplete_response"),
            FAILED,
            "no",
            None,
            True,
            id="the type in the header alone",
        ),
        pytest.param(
            reply(504, b"nginx"),
            StatusDone("timed out", "startup_timeout"),
            "no",
            None,
            True,
            id="the type in the status alone",
        ),
        pytest.param(
            reply(500, {"detail": [{"type": "internal_server_error"}]}),
            StatusDone("Oh", "internal_server_error"),
            "no",
            None,
            False,
            id="500 of the model itself",
        ),
        pytest.param(
            reply(500, {"detail": "x"}, x_fal_error_type="oom", x_fal_retryable="true"),
            FAILED,
            "no",
            None,
            True,
            id="500 that fal calls retryable",
        ),
        pytest.param(
            reply(500, infra("internal_error"), x_fal_billable_units="4"),
            FAILED,
            "yes",
            "4",
            True,
            id="5xx with a count: fal says that it charged",
        ),
    ],
)
def test_failure_says_what_was_charged(
    answer: Answer, done: StatusDone, charged: str, units: str | None, transient: bool
) -> None:
    failed = wire.classify_result(answer, done)
    assert isinstance(failed, Failed)
    assert (failed.charged, failed.units, failed.transient) == (
        charged,
        None if units is None else Decimal(units),
        transient,
    )


# --- the listing ------------------------------------------------------------------------------


def listed(**item: Any) -> Reply:
    return reply(200, {"items": [{"request_id": REQUEST_ID, **item}]})


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(
            listed(status_code=200, ended_at="2026-11-21T10:00:00Z"),
            EndedWell(),
            id="ended, output not stored",
        ),
        pytest.param(
            listed(status_code=200, json_output={"video": {"url": CLIP_URL}}),
            Ready(CLIP_URL),
            id="ended, output stored",
        ),
        pytest.param(
            listed(ended_at="2026-11-21T10:00:00Z", json_output={"video": None}),
            Empty("it ended without a clip"),
            id="ended, and there is no clip in its output",
        ),
        pytest.param(listed(started_at="2026-11-21T10:00:00Z"), Waiting(), id="still at work"),
        pytest.param(
            listed(status_code=422),
            Failed("ended with HTTP 422", "unknown"),
            id="422: cost unknown",
        ),
        pytest.param(listed(status_code=500), Failed("ended with HTTP 500", "no"), id="500: free"),
        pytest.param(
            reply(200, {"items": [{"request_id": "another"}]}),
            Gone("the request listing does not know it"),
            id="another's request",
        ),
    ],
)
def test_listing_tells_how_an_expired_request_ended(
    answer: Answer, outcome: Polled | EndedWell
) -> None:
    assert wire.classify_history(answer, REQUEST_ID) == outcome


REFUSED_RESULT = Doubted(Failed("HTTP 422", "no"))
GATEWAY = Doubted(Failed("HTTP 504", "no", transient=True))
NOT_FOUND = Gone("HTTP 404")


@pytest.mark.parametrize(
    ("told", "listed", "done", "outcome"),
    [
        pytest.param(GATEWAY, Ready(CLIP_URL), DONE, Ready, id="the listing has the clip"),
        pytest.param(REFUSED_RESULT, Ready(CLIP_URL), DONE, Ready, id="also beside a 422"),
        pytest.param(GATEWAY, EndedWell(), DONE, Gone, id="ended well: ask the result again"),
        pytest.param(GATEWAY, Waiting(), DONE, Gone, id="a listing that lags"),
        pytest.param(GATEWAY, Gone("403"), DONE, Gone, id="a listing that is not shown"),
        pytest.param(GATEWAY, Again("500"), DONE, Gone, id="a listing that is down"),
        pytest.param(GATEWAY, Failed("500", "no"), DONE, Failed, id="result and listing: failed"),
        pytest.param(NOT_FOUND, Failed("422", "no"), FAILED, Failed, id="status and listing"),
        pytest.param(NOT_FOUND, Waiting(), None, Waiting, id="queue lags behind the listing"),
        pytest.param(NOT_FOUND, Again("500"), None, Again, id="no listing, no loss"),
        pytest.param(NOT_FOUND, Gone("none"), None, Gone, id="nobody knows it (yet)"),
    ],
)
def test_no_single_answer_makes_a_failure(
    told: Gone | Doubted, listed: Polled, done: StatusDone | None, outcome: type
) -> None:
    assert type(wire.weigh(told, listed, done)) is outcome


def test_what_the_listing_alone_calls_unpaid_is_left_to_the_bill() -> None:
    alone = wire.weigh(NOT_FOUND, Failed("ended with HTTP 500", "no"), None)
    assert isinstance(alone, Failed)
    assert alone.charged == "unknown"


@pytest.mark.parametrize(
    ("told", "listed", "charged"),
    [
        pytest.param(GATEWAY, Failed("ended with HTTP 500", "no"), "no", id="both say unpaid"),
        pytest.param(
            GATEWAY, Failed("ended with HTTP 422", "unknown"), "unknown", id="a gateway, a refusal"
        ),
        pytest.param(
            Doubted(Failed("HTTP 422", "yes", Decimal(4))),
            Failed("ended with HTTP 422", "unknown"),
            "yes",
            id="the result counts units",
        ),
        pytest.param(
            Doubted(Failed("HTTP 422", "no", Decimal(0))),
            Failed("ended with HTTP 422", "unknown"),
            "no",
            id="the result counts none",
        ),
        pytest.param(
            Doubted(Failed("HTTP 422", "unknown")), Failed("500", "no"), "unknown", id="they differ"
        ),
    ],
)
def test_failure_is_unpaid_only_where_nothing_says_otherwise(
    told: Doubted, listed: Failed, charged: str
) -> None:
    failed = wire.weigh(told, listed, DONE)
    assert isinstance(failed, Failed)
    assert failed.charged == charged


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"video": {"url": "/media/x.mp4"}}, id="a path"),
        pytest.param({"videos": [{"url": f"{QUEUE}/media/x.mp4"}]}, id="a list of videos"),
        pytest.param({"video": f"{QUEUE}/media/x.mp4"}, id="a text"),
        pytest.param({"output": {"video": {"url": "/media/x.mp4"}}}, id="nested"),
    ],
)
def test_clip_is_found_in_every_shape_that_models_give(body: Any) -> None:
    found = wire.classify_result(reply(200, body), DONE, f"{QUEUE}/fal-ai/m/requests/r")
    assert found == Ready(f"{QUEUE}/media/x.mp4")


@pytest.mark.parametrize(
    ("place", "body", "name"),
    [
        ("/images/0/url", {"images": [{"url": "/x"}, {"url": "/y"}], "seed": 7}, "x"),
        ("/preview_video/url", {"video": {"url": "/x"}, "preview_video": {"url": "/y"}}, "y"),
        ("/preview_video/url", {"video": {"url": "/x"}, "preview_video": None}, "x"),
        ("/frames/~1a/url", {"frames": {"/a": {"url": "/x"}}}, "x"),
        ("/images/7/url", {"images": [], "output": "/x"}, "x"),
    ],
)
def test_result_is_taken_from_where_the_card_says(place: str, body: Any, name: str) -> None:
    url = f"{QUEUE}/fal-ai/m/requests/r"
    assert wire.classify_result(reply(200, body), DONE, url, place) == Ready(f"{QUEUE}/{name}")
    item = {"request_id": "r", "json_output": body, "ended_at": "2026-11-28T00:00:00Z"}
    listing = reply(200, {"items": [item]})
    assert wire.classify_history(listing, "r", url, place) == Ready(f"{QUEUE}/{name}")
    answer = reply(200, body, x_fal_request_id="r")
    direct = wire.classify_direct(answer, url, place)
    assert isinstance(direct, Accepted) and direct.ticket.urls[wire.MEDIA] == f"{QUEUE}/{name}"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(LOST, id="no answer"),
        pytest.param(reply(429), id="429"),
        pytest.param(reply(500), id="500"),
        pytest.param(reply(200, b"<html>"), id="200 that is no listing"),
        pytest.param(reply(200, {"items": None}), id="200 without items"),
    ],
)
def test_paid_clip_is_not_called_lost_because_the_listing_is_down(answer: Answer) -> None:
    assert type(wire.classify_history(answer, REQUEST_ID)) is Again


INPUTS: Inputs = {
    "prompt": "the sea",
    "seed": 7,
    "num_inference_steps": 16,
    "enable_safety_checker": True,
}


@pytest.mark.parametrize(
    ("stored", "certain"),
    [
        pytest.param(INPUTS, [True], id="same inputs"),
        pytest.param({**INPUTS, "extra": 1}, [True], id="fal adds defaults of its own"),
        pytest.param(
            {**INPUTS, "num_inference_steps": "16"}, [True], id="fal stores enums as text"
        ),
        pytest.param({**INPUTS, "seed": 8}, [], id="another seed is another request"),
        pytest.param({**INPUTS, "prompt": " the\nsea "}, [True], id="other white space"),
        pytest.param({**INPUTS, "prompt": "A boat"}, [False], id="the seed agrees: a person looks"),
        pytest.param({"prompt": "the sea"}, [False], id="the seed is missing: perhaps"),
        pytest.param({"prompt": "A boat"}, [], id="another prompt, and no seed"),
        pytest.param({**INPUTS, "prompt": [[["the sea"]]]}, [False], id="another shape"),
        pytest.param(None, [False], id="payload not stored: perhaps"),
        pytest.param("x", [False], id="payload unreadable: perhaps"),
    ],
)
def test_request_is_found_by_its_pinned_seed_and_inputs(stored: Any, certain: list[bool]) -> None:
    item = {"request_id": "r", "sent_at": "2026-11-21T10:00:00Z", "json_input": stored}
    found, others = wire.matches([item], INPUTS)
    assert others == (frozenset() if certain else {"r"})
    assert [f.certain for f in found] == certain
    assert all(f.sent_at == datetime(2026, 11, 21, 10, tzinfo=UTC) for f in found)


def test_times_without_a_zone_are_utc() -> None:
    assert read_time("2026-11-21T10:00:00") == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert read_time("yesterday") is None


# --- where the key goes -----------------------------------------------------------------------


def url_of(given: str, queue: str = QUEUE, endpoint: str = "fal-ai/magi-distilled") -> str:
    ticket = Ticket(REQUEST_ID, {"status_url": given} if given else {})
    return wire.request_url(queue, endpoint, ticket, "status_url")


REBUILT = f"{QUEUE}/fal-ai/magi-distilled/requests/{REQUEST_ID}/status"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="none named"),
        pytest.param("https://evil.example/status", id="another host"),
        pytest.param("https://queue.fal.run.evil.example/status", id="a longer host"),
        pytest.param("https://queue.fal.run@evil.example/status", id="our host as a user name"),
        pytest.param("https://evil.example/https://queue.fal.run/", id="our URL as a path"),
        pytest.param("http://queue.fal.run/status", id="without TLS"),
        pytest.param("https://queue.fal.run:8443/status", id="another port"),
        pytest.param("//queue.fal.run/status", id="without a scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://[", id="not a URL"),
        pytest.param("https://queue.fal.run\ud800/status", id="half a surrogate pair"),
    ],
)
def test_key_never_goes_to_a_foreign_origin(given: str) -> None:
    assert url_of(given) == REBUILT


@given(st.text() | st.text().map(lambda tail: QUEUE + tail))
@example("https://queue.fal.run:443@evil.example/")
@example("https://queue.fal.run\\@evil.example/")
def test_key_stays_on_the_accounts_origin_whatever_the_reply_names(given: str) -> None:
    url = url_of(given)
    assert origin(url) == origin(QUEUE) == ("https", "queue.fal.run", 443)
    assert httpx.URL(url).host == "queue.fal.run"


def test_url_that_the_submit_named_is_followed() -> None:
    given = f"{QUEUE}/fal-ai/magi-distilled/requests/{REQUEST_ID}/status?logs=0"
    assert url_of(given) == given


def test_saved_url_of_a_service_that_moved_to_another_port_is_rebuilt() -> None:
    saved = f"http://127.0.0.1:4000/queue/fal-ai/magi-distilled/requests/{REQUEST_ID}/status"
    moved = "http://127.0.0.1:5000/queue"
    assert url_of(saved, queue=moved) == saved.replace("4000", "5000")


@pytest.mark.parametrize(
    ("endpoint", "app"),
    [
        ("fal-ai/magi-distilled", "fal-ai/magi-distilled"),
        ("fal-ai/magi-distilled/image-to-video", "fal-ai/magi-distilled"),
        ("fal-ai/flux/dev/redux", "fal-ai/flux"),
        ("workflows/owner/film/v2", "workflows/owner/film"),
        ("comfy/owner/graph/run", "comfy/owner/graph"),
    ],
)
def test_sub_path_of_the_endpoint_is_dropped(endpoint: str, app: str) -> None:
    assert wire.app_of(endpoint) == app
    assert url_of("", endpoint=endpoint) == f"{QUEUE}/{app}/requests/{REQUEST_ID}/status"


def test_request_id_cannot_leave_its_place_in_the_url() -> None:
    url = wire.request_url(QUEUE, "fal-ai/x", Ticket("../../evil?x=1#y"), "cancel_url")
    assert url == f"{QUEUE}/fal-ai/x/requests/..%2F..%2Fevil%3Fx%3D1%23y/cancel"


# --- the bill ---------------------------------------------------------------------------------


def events(*rows: dict[str, Any]) -> Reply:
    return reply(200, {"billing_events": list(rows), "next_cursor": None, "has_more": False})


def event(nano: Any, units: Any = 4, request_id: str = "r") -> dict[str, Any]:
    return {
        "request_id": request_id,
        "output_units": units,
        "unit_price": 0.08,
        "cost_total": 0.32,
        "cost_estimate_nano_usd": nano,
    }


@pytest.mark.parametrize(
    ("answer", "bill"),
    [
        pytest.param(events(event(320_000_000)), Bill(Decimal(4), Decimal("0.32")), id="one event"),
        pytest.param(
            events(event(90_240_000, 3.008)), Bill(Decimal("3.008"), Decimal("0.09024")), id="parts"
        ),
        pytest.param(
            events(event(320_000_000), event(-320_000_000, -4)),
            Bill(Decimal(0), Decimal(0)),
            id="charged and given back",
        ),
        pytest.param(
            events(event(320_000_000), event(80_000_000, 1)),
            Bill(Decimal(5), Decimal("0.4")),
            id="two events add up",
        ),
        pytest.param(
            events(event(320_000_000), event(10**12, 9, "another")),
            Bill(Decimal(4), Decimal("0.32")),
            id="another's event is not ours",
        ),
        pytest.param(events(event(0, None)), Bill(None, Decimal(0)), id="units null: money alone"),
        pytest.param(events(), None, id="no event yet: no bill, not a bill of 0"),
        pytest.param(events(event(1, 1, "another")), None, id="only another's"),
        pytest.param(events({"request_id": "r", "output_units": 4}), None, id="no amount"),
        pytest.param(events(event(float("nan"))), None, id="not a number"),
        pytest.param(events(event(1, float("inf"))), None, id="infinite"),
        pytest.param(events(event("1e40")), None, id="absurd"),
        pytest.param(
            reply(403, {"error": {"type": "authorization_error"}}), None, id="no admin key"
        ),
        pytest.param(reply(200, b"<html>"), None, id="unreadable"),
        pytest.param(LOST, None, id="no answer"),
    ],
)
def test_bill(answer: Answer, bill: Bill | None) -> None:
    assert billing.read_bill(answer, "r") == bill


# --- whatever comes ---------------------------------------------------------------------------

anything = answers(
    objects_with(
        (
            "request_id",
            "status",
            "status_url",
            "response_url",
            "queue_position",
            "detail",
            "loc",
            "msg",
            "type",
            "error",
            "error_type",
            "message",
            "video",
            "url",
            "items",
            "json_output",
            "json_input",
            "status_code",
            "billing_events",
            "output_units",
            "cost_estimate_nano_usd",
        ),
        ("r", "COMPLETED", "IN_QUEUE", "Request is still in progress", CLIP_URL, 500, 200, 422),
    )
)


@given(anything)
def test_submit_answer_is_always_an_outcome_and_never_buys_twice(answer: Answer) -> None:
    outcome = wire.classify_submit(answer)
    if isinstance(answer, AnswerLost):
        assert isinstance(outcome, Unknown)
    if isinstance(answer, Reply):
        assert isinstance(outcome, Again) == (answer.status == 429)
        if answer.status >= 500 or answer.status in (303, 408, 409):
            assert isinstance(outcome, Unknown)
        if answer.ok:
            assert isinstance(outcome, (Accepted, Unknown))
    if isinstance(outcome, Accepted):
        assert writable(outcome.ticket.request_id)
        assert all(url.isprintable() for url in outcome.ticket.urls.values())
    else:
        assert writable(outcome.reason)


@given(anything, anything)
def test_poll_answer_is_always_an_outcome(status_answer: Answer, answer: Answer) -> None:
    status = wire.classify_status(status_answer)
    assert isinstance(status, (Waiting, StatusDone, Gone, Again))
    done = status if isinstance(status, StatusDone) else DONE
    for outcome in (wire.classify_result(answer, done), wire.classify_history(answer, "r")):
        kinds = (Waiting, Ready, Failed, Empty, Gone, Again, Doubted, EndedWell)
        assert isinstance(outcome, kinds)
        if isinstance(outcome, (Failed, Gone, Again)):
            assert writable(outcome.reason)
        if isinstance(outcome, Ready):
            assert outcome.media_url.isprintable()
        if isinstance(answer, (AnswerLost, Undelivered)):
            assert isinstance(outcome, Again)
        if isinstance(outcome, Failed) and outcome.charged == "no":
            assert not outcome.units


@given(anything)
def test_bill_and_matches_of_any_answer_are_amounts_that_can_be_kept(answer: Answer) -> None:
    bill = billing.read_bill(answer, "r")
    if bill is not None:
        assert bill.units is not None and bill.units.is_finite()
        assert abs(bill.cost_usd) < 10**10
    if isinstance(answer, Reply):
        wire.matches(wire.items_of(answer) or [], INPUTS)


# --- direct call ------------------------------------------------------------------------------

CLIP = {"video": {"url": CLIP_URL}, "seed": 7}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(LOST, Unknown, id="no answer"),
        pytest.param(REFUSED_CONNECTION, Again, id="no connection"),
        pytest.param(reply(200, CLIP, x_fal_request_id="r1"), Accepted, id="a clip"),
        pytest.param(reply(200, CLIP), Unknown, id="a clip without a request id"),
        pytest.param(reply(200, {}, x_fal_request_id="r1"), Accepted, id="an id without a clip"),
        pytest.param(reply(200, b"<html>", x_fal_request_id="r1"), Accepted, id="unreadable"),
        pytest.param(
            reply(429, {"error_type": "concurrent_requests_limit"}, x_fal_needs_retry="1"),
            Again,
            id="429 above the account's limit",
        ),
        pytest.param(
            reply(504, infra("request_timeout"), x_fal_request_timeout_type="user"),
            Again,
            id="504 not started in time: it never starts",
        ),
        pytest.param(reply(504, b"nginx"), Unknown, id="504 of a gateway"),
        pytest.param(reply(500, infra("internal_error")), Unknown, id="500"),
        pytest.param(reply(503, infra("runner_disconnected")), Unknown, id="503"),
        pytest.param(reply(401), Paused, id="401"),
        pytest.param(reply(403, LOCKED), Paused, id="403 locked"),
        pytest.param(reply(404, {"detail": "no such app"}), Refused, id="404"),
        pytest.param(reply(422, POLICY, x_fal_billable_units="0"), Refused, id="422 for nothing"),
        pytest.param(reply(422, POLICY), Unknown, id="422 that may have been charged"),
        pytest.param(reply(422, POLICY, x_fal_billable_units="4"), Unknown, id="422 charged"),
        pytest.param(reply(400, infra("downstream_service_error")), Unknown, id="400 of a model"),
    ],
)
def test_direct_call(answer: Answer, outcome: type) -> None:
    assert type(wire.classify_direct(answer)) is outcome


def test_direct_call_brings_clip_and_units_along() -> None:
    answer = reply(200, CLIP, x_fal_request_id="r1", x_fal_billable_units="4.5")
    outcome = wire.classify_direct(answer)
    assert isinstance(outcome, Accepted)
    assert wire.delivered(outcome.ticket) == Ready(CLIP_URL, Decimal("4.5"))
    assert wire.delivered(Ticket("r1", {"status_url": "https://queue.fal.run/s"})) is None


def test_direct_call_is_held_open_until_the_clip_is_there() -> None:
    order = Order("a1", MODEL, {"prompt": "the sea"}, start_timeout_s=600)
    call = wire.direct_call("https://fal.run", order, {})
    assert call.url == "https://fal.run/fal-ai/magi-distilled"
    assert call.timeout_s > 600


@given(anything)
def test_any_answer_to_a_direct_call_is_an_outcome(answer: Answer) -> None:
    outcome = wire.classify_direct(answer)
    if isinstance(outcome, Accepted):
        assert writable(outcome.ticket.request_id)
        assert wire.delivered(outcome.ticket)
    else:
        assert writable(outcome.reason)


@pytest.mark.parametrize(
    ("row", "price"),
    [
        pytest.param({"unit_price": 0.08, "unit": "unit", "currency": "USD"}, "0.08", id="unit"),
        pytest.param({"unit_price": 0.2, "unit": "second", "currency": "USD"}, "0.2", id="second"),
        pytest.param({"unit_price": 0, "unit": "unit", "currency": "USD"}, None, id="0"),
        pytest.param({"unit_price": "x", "unit": "unit", "currency": "USD"}, None, id="no number"),
        pytest.param({"unit": "unit", "currency": "USD"}, None, id="no price"),
    ],
)
def test_price_is_read_or_unknown(row: dict[str, Any], price: str | None) -> None:
    answer = reply(
        200, {"prices": [7, {"endpoint_id": "other", **row}, {"endpoint_id": "m", **row}]}
    )
    found = billing.read_list_price(answer, "m")
    assert (found and found.unit_price) == (None if price is None else Decimal(price))
    assert billing.read_list_price(reply(200, {"prices": row}), "m") is None
