from __future__ import annotations

import time
from typing import Any

import pytest

from .conftest import PROMPT, WAVESPEED_MODEL, Client, Run, decoded, web


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_a_task_runs_and_ends_in_a_clip(run: Run, api: str) -> None:
    client = run(latency_s=0.2, concurrency=1)
    first, second = client.predict(api), client.predict(api)
    assert (first["status"], second["status"]) == ("processing", "created")
    assert first["model"] == WAVESPEED_MODEL
    assert f"/api/{api}/predictions/{first['id']}/result" in first["urls"]["get"]
    data = client.prediction(second)
    assert (data["status"], data["error"], data["has_nsfw_contents"]) == ("completed", "", [False])
    assert data["timings"]["inference"] == 200
    (url,) = data["outputs"]
    assert len(decoded(web.get(url).content)) == 96
    short = client.wavespeed.get(f"/api/v3/predictions/{first['id']}").json()["data"]
    assert short["id"] == first["id"]


def test_v2_takes_every_parameter_of_its_page(run: Run) -> None:
    client = run(render="animatic")
    data = client.predict(
        "v2",
        num_frames=100,
        frames_per_second=30,
        seed=9999999999,
        resolution="480p",
        enable_safety_checker=False,
        aspect_ratio="9:16",
    )
    frames = decoded(web.get(client.prediction(data)["outputs"][0], timeout=20).content)
    assert len(frames) == 100
    assert frames[0].shape == (848, 480)


@pytest.mark.parametrize(
    ("api", "inputs", "code"),
    [
        ("v3", {"prompt": None}, 1400),
        ("v3", {"seed": 2147483648}, 1401),
        ("v2", {"num_frames": 193}, 1401),
        ("v2", {"frames_per_second": 4}, 1401),
    ],
)
def test_wrong_inputs_are_refused_and_cost_nothing(
    client: Client, api: str, inputs: dict[str, Any], code: int
) -> None:
    url = f"/api/{api}/{WAVESPEED_MODEL}"
    reply = client.wavespeed.post(url, json={"prompt": PROMPT, **inputs})
    assert reply.status_code == 400
    assert reply.json()["error_code"] == code
    assert client.told("charges")["charges"] == []


def test_nothing_is_accepted_without_a_key(client: Client) -> None:
    url = f"{client.urls['WAVESPEED_URL']}/api/v3/{WAVESPEED_MODEL}"
    reply = web.post(url, json={"prompt": PROMPT})
    assert (reply.status_code, reply.json()["code"]) == (401, 401)


def test_a_failed_task_is_http_200_with_its_own_code(client: Client) -> None:
    client.misbehave(at="job", do="fail", code=1403, error="Task execution failed")
    client.misbehave(at="job", do="fail", state="timeout", status=504)
    failed, late = client.predict(), client.predict()
    data = client.prediction(failed)
    assert (data["status"], data["code"], data["outputs"]) == ("failed", 1403, [])
    assert data["error"] == "Task execution failed"
    data = client.prediction(late)
    assert (data["status"], data["code"]) == ("timeout", 5004)


def test_the_list_has_the_newest_first_and_no_inputs(client: Client) -> None:
    ids = [client.predict()["id"] for _ in range(3)]
    page = client.wavespeed.post("/api/v3/predictions", json={"page": 1, "page_size": 2}).json()
    items = page["data"]["items"]
    assert [item["id"] for item in items] == [ids[2], ids[1]]
    assert not {"input", "inputs"} & set(items[0])
    time.sleep(0.15)
    body = {"status": "completed", "created_after": items[1]["created_at"]}
    newer = client.wavespeed.post("/api/v3/predictions", json=body).json()["data"]["items"]
    assert {item["id"] for item in newer} >= {ids[2], ids[1]} - {None}
    client.wavespeed.post("/api/v3/predictions/delete", json={"ids": [ids[2]]})
    assert client.wavespeed.get(f"/api/v3/predictions/{ids[2]}/result").status_code == 404
    left = client.wavespeed.post("/api/v3/predictions", json={}).json()["data"]["items"]
    assert [item["id"] for item in left] == [ids[1], ids[0]]


def test_sync_mode_is_held_and_a_wait_that_is_too_long_is_5004(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.sandbox.wavespeed.SYNC_WAIT_S", 0.2)
    client = run()
    assert client.predict(enable_sync_mode=True)["status"] == "completed"
    client.misbehave(at="job", do="late", delay_s=0.3)
    data = client.predict(enable_sync_mode=True)
    assert data["code"] == 5004
    assert client.prediction(data)["status"] == "completed"


def test_the_catalogue_tells_the_inputs_of_the_current_version(client: Client) -> None:
    models = {m["model_id"]: m for m in client.wavespeed.get("/api/v3/models").json()["data"]}
    [schema] = models[WAVESPEED_MODEL]["api_schema"]["api_schemas"]
    assert schema["api_path"] == f"/api/v3/{WAVESPEED_MODEL}"
    assert set(schema["request_schema"]["properties"]) == {"prompt", "image", "seed"}
