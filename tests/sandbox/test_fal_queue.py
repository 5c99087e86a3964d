from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from blocks.sandbox.edge_code import clip_code, read_edge_code

from .conftest import MODEL, PROMPT, Client, Run, decoded, web

WHILE_S = 2.0
"""What a job takes whose states are looked at: several requests fit into it on a busy machine."""


def test_a_request_waits_runs_and_ends_in_the_clip_it_asked_for(run: Run) -> None:
    client = run(latency_s=WHILE_S, concurrency=1)
    client.submit()
    ticket = client.submit(seed=77, num_frames=120)
    assert uuid.UUID(ticket["request_id"])

    waiting = client.fal.get(ticket["status_url"])
    assert waiting.status_code == 202
    assert waiting.json()["status"] == "IN_QUEUE"
    assert waiting.json()["queue_position"] == 0
    running = waiting
    while running.json()["status"] == "IN_QUEUE":
        time.sleep(0.02)
        running = client.fal.get(ticket["status_url"], params={"logs": "true"})
    assert running.status_code == 202
    assert running.json()["status"] == "IN_PROGRESS"
    assert running.json()["logs"][0]["message"]
    assert client.finish(ticket).status_code == 200
    done = client.fal.get(ticket["status_url"])
    assert done.status_code == 200
    assert done.json()["metrics"]["inference_time"] == pytest.approx(WHILE_S)
    assert done.json()["logs"] is None
    assert "error" not in done.json()

    result = client.fal.get(ticket["response_url"])
    assert result.headers["x-fal-request-id"] == ticket["request_id"]
    assert result.headers["x-fal-billable-units"] == "5"
    assert result.json()["seed"] == 77
    clip = web.get(result.json()["video"]["url"])
    codes = [read_edge_code(luma) for luma in decoded(clip.content)]
    assert codes == [(clip_code(77), index) for index in range(120)]


def test_a_seed_left_open_is_drawn_and_told(client: Client) -> None:
    seeds = {client.finish(client.submit()).json()["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_urls_have_owner_and_alias_only_and_every_form_leads_to_the_request(
    client: Client,
) -> None:
    endpoint = f"{MODEL}/image-to-video"
    ticket = client.submit(endpoint, image_url="https://example.com/sea.png")
    own = f"{client.urls['FAL_QUEUE_URL']}/{MODEL}/requests/{ticket['request_id']}"
    assert ticket["response_url"] == own
    assert ticket["status_url"] == f"{own}/status"
    assert ticket["cancel_url"] == f"{own}/cancel"
    expected = client.finish(ticket).json()
    full = f"{client.urls['FAL_QUEUE_URL']}/{endpoint}/requests/{ticket['request_id']}"
    for url in (f"{own}/response", full, f"{full}/response"):
        assert client.fal.get(url).json() == expected
    assert client.fal.get(f"{full}/status").json()["status"] == "COMPLETED"


def test_a_result_that_is_not_ready_says_so(client: Client) -> None:
    reply = client.fal.get(client.submit()["response_url"])
    assert reply.status_code == 400
    assert reply.json() == {"detail": "Request is still in progress"}


def test_unknown_requests_are_not_found(client: Client) -> None:
    ticket = client.submit()
    queue = client.urls["FAL_QUEUE_URL"]
    for url in (
        f"{queue}/{MODEL}/requests/{uuid.uuid4()}/status",
        f"{queue}/fal-ai/magi/requests/{ticket['request_id']}/status",
    ):
        reply = client.fal.get(url)
        assert (reply.status_code, reply.json()) == (404, {"status": "NOT_FOUND"})
    assert client.post("fal-ai/no-such-model").status_code == 404


@pytest.mark.parametrize("key", [None, "", "Key", "Bearer x", "key x"])
def test_nothing_is_accepted_without_a_key(client: Client, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": key}
    url = f"{client.urls['FAL_QUEUE_URL']}/{MODEL}"
    reply = web.post(url, json={"prompt": PROMPT}, headers=headers)
    assert reply.status_code == 401
    assert client.told("requests") == {"requests": []}


@pytest.mark.parametrize(
    ("inputs", "field", "kind"),
    [
        ({"prompt": None}, "prompt", "missing"),
        ({"prompt": 7}, "prompt", "string_type"),
        ({"num_frames": 95}, "num_frames", "greater_than_equal"),
        ({"num_frames": 193}, "num_frames", "less_than_equal"),
        ({"num_frames": "many"}, "num_frames", "int_parsing"),
        ({"resolution": "1080p"}, "resolution", "enum"),
        ({"num_inference_steps": 64}, "num_inference_steps", "enum"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio", "enum"),
        ({"enable_safety_checker": "maybe"}, "enable_safety_checker", "bool_parsing"),
    ],
)
def test_wrong_inputs_are_refused_and_cost_nothing(
    client: Client, inputs: dict[str, Any], field: str, kind: str
) -> None:
    reply = client.post(**inputs)
    assert reply.status_code == 422
    assert reply.headers["x-fal-billable-units"] == "0"
    (problem,) = reply.json()["detail"]
    assert problem["loc"] == ["body", field]
    assert problem["type"] == kind
    assert client.told("requests") == {"requests": []}
    assert client.told("posts")["total"] == 1


def test_steps_may_be_text_as_the_official_types_have_them(client: Client) -> None:
    result = client.finish(client.submit(num_inference_steps="32"))
    assert result.headers["x-fal-billable-units"] == "8"


def test_jobs_start_in_the_order_in_which_they_came(run: Run) -> None:
    client = run(latency_s=0.3, concurrency=2)
    tickets = [client.submit() for _ in range(5)]
    states = [client.fal.get(ticket["status_url"]).json() for ticket in tickets]
    assert [state["status"] for state in states] == ["IN_PROGRESS"] * 2 + ["IN_QUEUE"] * 3
    assert [state.get("queue_position") for state in states] == [None, None, 0, 1, 2]


def test_a_job_cancelled_in_the_queue_never_starts_and_costs_nothing(run: Run) -> None:
    client = run(latency_s=WHILE_S, concurrency=1)
    running, waiting = client.submit(), client.submit()
    assert client.fal.put(running["cancel_url"]).status_code == 202
    reply = client.fal.put(waiting["cancel_url"])
    assert (reply.status_code, reply.json()) == (200, {"status": "OK"})
    state = client.fal.get(waiting["status_url"]).json()
    assert (state["status"], state["error_type"]) == ("COMPLETED", "client_cancelled")
    assert client.fal.get(waiting["response_url"]).status_code == 499
    assert client.finish(running).status_code == 200
    again = client.fal.put(running["cancel_url"])
    assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})
    (charge,) = client.told("charges")["charges"]
    assert charge["request_id"] == running["request_id"]


def test_a_start_timeout_ends_the_request_unstarted_and_unpaid(run: Run) -> None:
    client = run(latency_s=0.6, concurrency=1)
    first = client.submit()
    url = f"{client.urls['FAL_QUEUE_URL']}/{MODEL}"
    headers = {"X-Fal-Request-Timeout": "0.2"}
    late = client.fal.post(url, json={"prompt": PROMPT}, headers=headers).json()
    result = client.finish(late, within_s=0.5)
    assert result.status_code == 504
    assert result.json()["error_type"] == "request_timeout"
    assert result.headers["x-fal-request-timeout-type"] == "user"
    assert client.finish(first).status_code == 200
    (item,) = client.platform("/models/requests/by-endpoint", endpoint_id=MODEL).json()["items"]
    assert item["request_id"] == first["request_id"]
    assert client.told("charges")["units"] == "4"


def test_a_queue_that_is_too_long_refuses(run: Run) -> None:
    client = run(latency_s=5, concurrency=1)
    for _ in range(3):
        client.submit()
    url = f"{client.urls['FAL_QUEUE_URL']}/{MODEL}"
    inputs, longest = {"prompt": PROMPT}, "fal_max_queue_length"
    assert client.fal.post(url, json=inputs, params={longest: 2}).status_code == 200
    assert client.fal.post(url, json=inputs, params={longest: 2}).status_code == 429
    assert len(client.told("requests")["requests"]) == 4


def test_the_status_stream_ends_with_the_job(run: Run) -> None:
    client = run(latency_s=0.3)
    ticket = client.submit()
    with client.fal.stream("GET", f"{ticket['status_url']}/stream?logs=1") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in reply.iter_lines() if line.startswith("data: ")]
    states = [json.loads(line.removeprefix("data: "))["status"] for line in lines]
    assert states == ["IN_PROGRESS", "COMPLETED"]


def test_a_direct_call_is_held_until_the_clip_is_done_and_never_queued(run: Run) -> None:
    client = run(latency_s=0.3, concurrency=1)
    url = f"{client.urls['FAL_RUN_URL']}/{MODEL}"
    started = time.monotonic()
    reply = client.fal.post(url, json={"prompt": PROMPT})
    assert time.monotonic() - started >= 0.3
    assert reply.headers["x-fal-billable-units"] == "4"
    assert decoded(web.get(reply.json()["video"]["url"]).content)
    client.submit()
    refused = client.fal.post(url, json={"prompt": PROMPT})
    assert refused.status_code == 429
    assert refused.headers["x-fal-error-type"] == "concurrent_requests_limit"
    assert refused.headers["x-fal-needs-retry"] == "1"


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    reply = client.post(prompt="x" * (5 * 1024 * 1024))
    assert reply.status_code == 413
    assert client.told("requests") == {"requests": []}


def test_only_loopback_names_are_answered(client: Client) -> None:
    url = f"{client.sandbox.url}/sandbox/charges"
    assert web.get(url, headers={"Host": "films.example"}).status_code == 403
    for origin in ("https://films.example", "http://127.0.0.1:9", "null"):
        assert web.get(url, headers={"Origin": origin}).status_code == 403
