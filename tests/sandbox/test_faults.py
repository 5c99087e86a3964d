from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from blocks.sandbox import FaultError, Sandbox, faults

from .conftest import MODEL, Client, Run, decoded, web


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        ({"do": "drop_before_accept"}, 0),
        ({"do": "drop_after_accept"}, 1),
        ({"do": "drop"}, 0),
    ],
)
def test_a_dropped_submit_was_accepted_or_not(
    client: Client, rule: dict[str, Any], accepted: int
) -> None:
    client.misbehave(at="submit", **rule)
    with pytest.raises(httpx.TransportError):
        client.post(seed=8)
    assert len(client.told("requests")["requests"]) == accepted
    assert client.post(seed=8).status_code == 200
    time.sleep(0.15)
    assert len(client.told("charges")["charges"]) == accepted + 1
    (post,) = client.told("posts")["posts"]
    assert (post["posts"], post["accepted"]) == (2, accepted + 1)


@pytest.mark.parametrize(
    ("rule", "status", "accepted"),
    [
        ({"do": "status", "status": 429, "headers": {"Retry-After": "2"}}, 429, 0),
        ({"do": "status", "status": 403, "body": {"detail": "User is locked."}}, 403, 0),
        ({"do": "status_after_accept"}, 502, 1),
        ({"do": "status_after_accept", "status": 504, "body": "<html>nginx</html>"}, 504, 1),
        ({"do": "garbage"}, 200, 1),
    ],
)
def test_a_spoiled_answer_to_a_submit(
    client: Client, rule: dict[str, Any], status: int, accepted: int
) -> None:
    client.misbehave(at="submit", **rule)
    reply = client.post()
    assert reply.status_code == status
    assert reply.headers.get("retry-after") == rule.get("headers", {}).get("Retry-After")
    if rule["do"] == "garbage":
        with pytest.raises(ValueError, match=r"."):
            reply.json()
    if "body" in rule:
        body = rule["body"]
        assert reply.text == body if isinstance(body, str) else reply.json() == body
    assert len(client.told("requests")["requests"]) == accepted


def test_a_late_answer_still_is_one(client: Client) -> None:
    client.misbehave(at="submit", do="answer_late", delay_s=0.3)
    started = time.monotonic()
    ticket = client.submit()
    assert time.monotonic() - started >= 0.3
    assert client.finish(ticket).status_code == 200


@pytest.mark.parametrize(
    ("rule", "status", "header", "units"),
    [
        ({"status": 422, "units": 0}, 422, "0", "0"),
        ({"status": 422}, 422, None, "0"),
        ({"status": 422, "units": 2.5, "charged": True}, 422, "2.50000000", "2.5"),
        ({"status": 422, "charged": True}, 422, None, "4"),
        ({"status": 500}, 500, None, "0"),
        ({"status": 504, "error_type": "generation_timeout"}, 504, None, "0"),
        ({"status": 503, "error_type": "runner_disconnected"}, 503, None, "0"),
    ],
)
def test_a_failed_job_is_completed_with_an_error(
    client: Client, rule: dict[str, Any], status: int, header: str | None, units: str
) -> None:
    client.misbehave(at="job", do="fail", error="It went wrong", **rule)
    ticket = client.submit()
    result = client.finish(ticket)
    assert result.status_code == status
    assert result.headers.get("x-fal-billable-units") == header
    state = client.fal.get(ticket["status_url"]).json()
    assert (state["status"], state["error"]) == ("COMPLETED", "It went wrong")
    assert state["error_type"] == result.headers["x-fal-error-type"]
    flat = isinstance(result.json()["detail"], str)
    assert flat == state["error_type"].startswith("runner_")
    assert client.told("charges")["units"] == units


def test_the_service_may_count_other_units(client: Client) -> None:
    client.misbehave(at="job", do="units", units="4.125")
    assert client.finish(client.submit()).headers["x-fal-billable-units"] == "4.12500000"
    assert client.told("charges")["cost_usd"] == "0.33"


def test_a_job_may_be_late_or_never_end(client: Client) -> None:
    client.misbehave(at="job", do="late", delay_s=0.4)
    client.misbehave(at="job", do="never")
    late, never, usual = client.submit(), client.submit(), client.submit()
    assert client.finish(usual).status_code == 200
    assert client.fal.get(late["status_url"]).json()["status"] == "IN_PROGRESS"
    assert client.finish(late).status_code == 200
    assert client.fal.get(never["status_url"]).json()["status"] == "IN_PROGRESS"
    assert len(client.told("charges")["charges"]) == 2


def test_polls_and_results_fail_once_and_then_answer(client: Client) -> None:
    ticket = client.submit()
    client.finish(ticket)
    client.misbehave(at="poll", do="status", status=503)
    client.misbehave(at="poll", do="not_found")
    client.misbehave(at="poll", do="drop")
    assert client.fal.get(ticket["status_url"]).status_code == 503
    assert client.fal.get(ticket["status_url"]).json() == {"status": "NOT_FOUND"}
    with pytest.raises(httpx.TransportError):
        client.fal.get(ticket["status_url"])
    assert client.fal.get(ticket["status_url"]).status_code == 200

    client.misbehave(at="result", do="gateway_504")
    client.misbehave(at="result", do="private_url", url="http://10.0.0.1/clip.mp4")
    gateway = client.fal.get(ticket["response_url"])
    assert gateway.status_code == 504
    assert "x-fal-request-id" not in gateway.headers
    assert client.fal.get(ticket["response_url"]).json()["video"]["url"].startswith("http://10.")
    assert client.fal.get(ticket["response_url"]).json()["video"]["url"].startswith("http://127.")


def test_media_break_in_every_way_and_then_arrive(client: Client) -> None:
    url = client.finish(client.submit()).json()["video"]["url"]
    whole = web.get(url).content
    for do, status in (("not_found", 404), ("gone", 410), ("forbidden", 403)):
        client.misbehave(at="media", do=do)
        assert web.get(url).status_code == status
    client.misbehave(at="media", do="corrupt")
    wrong = web.get(url)
    assert len(wrong.content) == len(whole)
    assert wrong.content != whole
    client.misbehave(at="media", do="redirect_loop", times=0, match={"service": "fal"})
    with pytest.raises(httpx.TooManyRedirects):
        web.get(url, follow_redirects=True)
    web.delete(f"{client.sandbox.url}/sandbox/faults")
    client.misbehave(at="media", do="endless")
    with web.stream("GET", url) as reply:
        assert "content-length" not in reply.headers
        size = 0
        for block in reply.iter_raw():
            size += len(block)
            if size > 4_000_000:
                break
    assert web.get(url).content == whole
    assert len(client.told("media-downloads")["downloads"]) > 5


def test_a_short_download_can_be_resumed(client: Client) -> None:
    url = client.finish(client.submit()).json()["video"]["url"]
    whole = web.get(url).content
    client.misbehave(at="media", do="short", fraction=0.3, times=2)
    got = bytearray()
    while len(got) < len(whole):
        headers = {"Range": f"bytes={len(got)}-"} if got else {}
        try:
            with web.stream("GET", url, headers=headers) as reply:
                assert reply.status_code == (206 if got else 200)
                assert int(reply.headers["content-length"]) == len(whole) - len(got)
                for block in reply.iter_raw():
                    got += block
        except httpx.RemoteProtocolError:
            continue
    assert bytes(got) == whole
    assert len(decoded(bytes(got))) == 96


def test_listings_lag_and_show_doubles(client: Client) -> None:
    ticket = client.submit(seed=6)
    listing = "/models/requests/by-endpoint"
    client.misbehave(at="listing", do="lag", lag_s=0.3, times=0)
    assert client.platform(listing, endpoint_id=MODEL).json()["items"] == []
    time.sleep(0.35)
    (row,) = client.platform(listing, endpoint_id=MODEL).json()["items"]
    assert row["request_id"] == ticket["request_id"]
    web.delete(f"{client.sandbox.url}/sandbox/faults")
    client.misbehave(at="listing", do="duplicate")
    twins = client.platform(listing, endpoint_id=MODEL, expand="payloads").json()["items"]
    assert len({twin["request_id"] for twin in twins}) == 2
    assert [twin["json_input"]["seed"] for twin in twins] == [6, 6]


def test_billing_lags(client: Client) -> None:
    client.finish(client.submit())
    client.misbehave(at="billing", do="lag", lag_s=60)
    assert client.platform("/models/billing-events").json()["billing_events"] == []
    assert len(client.platform("/models/billing-events").json()["billing_events"]) == 1
    assert client.told("charges")["units"] == "4"


def test_a_rule_acts_on_what_it_matches_as_often_as_it_says(client: Client) -> None:
    client.misbehave(
        at="submit", do="status", status=500, match={"prompt": "storm"}, after=1, times=2
    )
    client.misbehave(at="submit", do="status", status=501, match={"service": "wavespeed"})
    storm = [client.post(prompt="A storm rises.").status_code for _ in range(5)]
    assert storm == [200, 500, 500, 200, 200]
    assert client.post(prompt="Calm.").status_code == 200
    (first, second) = client.told("faults")["faults"]
    assert (first["seen"], first["acted"]) == (5, 2)
    assert (second["seen"], second["acted"]) == (0, 0)


def test_chance_is_repeatable() -> None:
    (rule,) = faults.parse({"at": "poll", "do": "drop", "times": 0, "probability": 0.3, "seed": 5})
    draws = [faults.acts(rule, seen, 0) for seen in range(1, 1001)]
    assert draws == [faults.acts(rule, seen, 0) for seen in range(1, 1001)]
    assert 250 < sum(draws) < 350


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({"at": "lunch", "do": "drop"}, "lunch"),
        ({"at": "poll", "do": "explode"}, "explode"),
        ({"at": "poll", "do": "drop", "delay": 3}, "delay"),
        ({"at": "listing", "do": "drop", "match": {"prompt": "x"}}, "match"),
        ({"at": "job", "do": "units"}, "units"),
        ({"at": "poll", "do": "delay", "delay_s": "long"}, "long"),
        ("drop", "object"),
    ],
)
def test_a_rule_that_cannot_be_understood_is_named(
    client: Client, tmp_path: Path, rule: Any, word: str
) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"at": "poll", "do": "drop"}, rule]))
    with pytest.raises(FaultError, match=f"(?s)rule 2.*{word}"):
        Sandbox(tmp_path, faults=path)
    url = f"{client.sandbox.url}/sandbox/faults"
    reply = web.post(url, json=[rule])
    assert reply.status_code == 400
    assert word in reply.json()["error"]


def test_every_action_is_documented() -> None:
    assert faults.__doc__
    for point, actions in faults.ACTIONS.items():
        assert point in faults.__doc__
        for action, parameters in actions.items():
            for name in (action, *parameters):
                assert name in faults.__doc__


def test_rules_come_from_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('{"faults": [{"at": "submit", "do": "status", "status": 418}]}')
    assert run(faults=path).post().status_code == 418
