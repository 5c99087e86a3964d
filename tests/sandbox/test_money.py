from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from blocks.sandbox import models

from .conftest import MODEL, WAVESPEED_MODEL, Client, Run

SCHEMAS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "fal_platform_schemas.json").read_text("utf-8")
)
"""Reply schemas of fal's Platform API OpenAPI."""


def fal_units(**inputs: Any) -> Decimal:
    model = models.FAL[MODEL]
    values, problems = models.validate(model, {"prompt": "x", **inputs})
    assert not problems
    return models.units(model, values)


@pytest.mark.parametrize(
    ("inputs", "units"),
    [
        pytest.param({}, "4", id="base clip: $0.32"),
        pytest.param({"num_frames": 97}, "5", id="a begun second counts"),
        pytest.param({"num_frames": 120}, "5", id="one second more"),
        pytest.param({"num_frames": 192}, "8", id="longest: $0.64"),
        pytest.param({"num_inference_steps": 32}, "8", id="twice at 32 steps"),
        pytest.param({"num_inference_steps": 4}, "4", id="few steps save nothing"),
        pytest.param({"resolution": "480p"}, "2", id="half at 480p"),
        pytest.param({"resolution": "480p", "num_frames": 110}, "2.5", id="half units"),
    ],
)
def test_fal_units_follow_the_price_page(inputs: dict[str, Any], units: str) -> None:
    assert fal_units(**inputs) == Decimal(units)


@pytest.mark.parametrize(
    ("units", "text"), [("4", "4"), ("8.0", "8"), ("2.5", "2.50000000"), ("3.008", "3.00800000")]
)
def test_units_are_written_as_the_header_has_them(units: str, text: str) -> None:
    assert models.units_text(Decimal(units)) == text


def test_a_clip_is_charged_once_even_if_nobody_asks_for_it(client: Client) -> None:
    ticket = client.submit(seed=5, num_frames=192)
    assert client.told("charges")["charges"] == []
    time.sleep(0.15)
    for _ in range(2):
        bill = client.told("charges")
        (charge,) = bill["charges"]
        assert charge["request_id"] == ticket["request_id"]
        assert charge["inputs"]["seed"] == 5
        assert (charge["units"], charge["cost_usd"], charge["kind"]) == ("8", "0.64", "charge")
        assert (bill["currency"], bill["units"], bill["cost_usd"]) == ("USD", "8", "0.64")


def test_the_bill_adds_up_across_both_services(client: Client) -> None:
    for number in range(3):
        client.submit(seed=number, resolution="480p")
    client.predict()
    client.predict("v2", resolution="480p", num_frames=81)
    time.sleep(0.15)
    bill = client.told("charges")
    costs = [Decimal(charge["cost_usd"]) for charge in bill["charges"]]
    assert sorted(map(str, costs)) == ["0.12", "0.16", "0.16", "0.16", "0.24"]
    assert Decimal(bill["cost_usd"]) == sum(costs) == Decimal("0.84")
    balance = client.wavespeed.get("/api/v3/balance").json()["data"]["balance"]
    assert balance == pytest.approx(1000 - 0.36)


def test_wavespeed_deducts_at_submission_and_refunds_what_failed(run: Run) -> None:
    client = run()
    client.misbehave(at="job", do="fail", status=422, refund_after_s=0.3)
    data = client.predict()
    (deducted,) = client.told("charges")["charges"]
    assert (deducted["kind"], deducted["cost_usd"]) == ("deduct", "0.24")
    assert client.prediction(data)["code"] == 1200
    assert client.told("charges")["cost_usd"] == "0.24"
    time.sleep(0.35)
    bill = client.told("charges")
    assert [charge["kind"] for charge in bill["charges"]] == ["deduct", "refund"]
    assert (bill["units"], bill["cost_usd"]) == ("0", "0")
    search = {"prediction_uuids": [data["id"]], "sort": "created_at ASC"}
    found = client.wavespeed.post("/api/v3/billings/search", json=search).json()["data"]
    assert [row["billing_type"] for row in found["items"]] == ["deduct", "refund"]
    assert found["items"][0]["prediction"]["uuid"] == data["id"]


def test_wavespeed_quotes_what_it_deducts(client: Client) -> None:
    for api, inputs in (("v3", {}), ("v2", {"resolution": "480p", "num_frames": 96})):
        body = {"model_id": WAVESPEED_MODEL, "inputs": {"prompt": "x", **inputs}}
        quote = client.wavespeed.post("/api/v3/model/price", json=body).json()["data"]
        older = client.wavespeed.post("/api/v3/model/pricing", json=body).json()["data"]
        data = client.predict(api, **inputs)
        search = {"prediction_uuids": [data["id"]]}
        found = client.wavespeed.post("/api/v3/billings/search", json=search).json()["data"]
        assert found["items"][0]["price"] == quote["price"] == older["unit_price"]


def test_billing_events_are_for_admin_keys(client: Client) -> None:
    for path in ("/models/billing-events", "/account/billing"):
        url = client.urls["FAL_PLATFORM_URL"] + path
        assert client.fal.get(url, headers={"Authorization": "Key plain"}).status_code == 403
        assert client.fal.get(url, headers={"Authorization": "nothing"}).status_code == 401


def test_billing_events_agree_with_the_charges(client: Client) -> None:
    tickets = [client.submit(num_frames=96 + 24 * number) for number in range(3)]
    time.sleep(0.15)
    ids = ",".join(ticket["request_id"] for ticket in tickets[:2])
    reply = client.platform("/models/billing-events", request_id=ids).json()
    events = {event["request_id"]: event for event in reply["billing_events"]}
    assert set(events) == {ticket["request_id"] for ticket in tickets[:2]}
    assert events[tickets[1]["request_id"]]["output_units"] == 5
    assert events[tickets[1]["request_id"]]["cost_estimate_nano_usd"] == 400_000_000
    account = client.platform("/account/billing", expand="credits").json()
    assert account["credits"]["current_balance"] == pytest.approx(1000 - 0.32 - 0.40 - 0.48)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/models/pricing", {"endpoint_id": f"{MODEL},fal-ai/magi"}),
        ("/models/requests/by-endpoint", {"endpoint_id": MODEL, "expand": "payloads"}),
        ("/models/requests/search", {}),
        ("/models/billing-events", {}),
        ("/account/billing", {"expand": "credits"}),
    ],
)
def test_platform_replies_keep_to_the_published_schema(
    client: Client, path: str, parameters: dict[str, str]
) -> None:
    client.misbehave(at="job", do="fail", status=422)
    client.submit()
    client.submit()
    time.sleep(0.12)
    client.submit()
    reply = client.platform(path, **parameters)
    assert reply.status_code == 200
    jsonschema.validate(reply.json(), SCHEMAS[path])


def test_platform_errors_keep_to_the_published_schema(client: Client) -> None:
    for path, parameters, status in (
        ("/models/pricing", {"endpoint_id": "fal-ai/none"}, 404),
        ("/models/pricing", {}, 400),
        ("/models/requests/by-endpoint", {"endpoint_id": MODEL, "limit": "101"}, 400),
        ("/models/requests/by-endpoint", {"endpoint_id": MODEL, "start": "soon"}, 400),
    ):
        reply = client.platform(path, **parameters)
        assert reply.status_code == status
        jsonschema.validate(reply.json(), SCHEMAS["error"])


def test_an_estimate_is_units_times_price(client: Client) -> None:
    url = client.urls["FAL_PLATFORM_URL"] + "/models/pricing/estimate"
    body = {"estimate_type": "unit_price", "endpoints": {MODEL: {"unit_quantity": 10}}}
    reply = client.fal.post(url, json=body).json()
    jsonschema.validate(reply, SCHEMAS["/models/pricing/estimate"])
    assert reply["total_cost"] == 0.8


def test_requests_are_found_again_by_their_inputs(run: Run) -> None:
    client = run(latency_s=0.3, concurrency=2)
    tickets = [client.submit(seed=number) for number in range(3)]
    listing = "/models/requests/by-endpoint"
    rows = client.platform(listing, endpoint_id=MODEL, expand="payloads").json()["items"]
    # The third waits in the queue: it is not listed before it starts.
    assert [row["json_input"]["seed"] for row in rows] == [1, 0]
    assert rows[0]["request_id"] == tickets[1]["request_id"]
    assert rows[0]["ended_at"] is None
    time.sleep(0.7)
    page = client.platform(listing, endpoint_id=MODEL, limit=2, status="success").json()
    assert page["has_more"]
    rest = client.platform(listing, endpoint_id=MODEL, limit=2, cursor=page["next_cursor"]).json()
    ids = [row["request_id"] for row in [*page["items"], *rest["items"]]]
    assert ids == [ticket["request_id"] for ticket in reversed(tickets)]
    only = client.platform(listing, endpoint_id=MODEL, request_id=ids[1]).json()["items"]
    assert [row["request_id"] for row in only] == [ids[1]]
    future = client.platform(listing, endpoint_id=MODEL, start="2100-01-01T00:00:00Z").json()
    assert future["items"] == []


def test_price_and_refund_rules_are_in_the_charges_and_in_the_billing(client: Client) -> None:
    """fal's schema knows no negative amounts: there a refund is a discount of the whole cost."""
    client.misbehave(at="job", do="price", unit_price_usd=0.1, match={"prompt": "dear"})
    client.misbehave(at="job", do="refund", refund_after_s=0.1, match={"prompt": "given back"})
    dear, back = client.submit(prompt="dear"), client.submit(prompt="given back")
    time.sleep(0.4)
    charges = [
        (c["request_id"], c["kind"], c["cost_usd"]) for c in client.told("charges")["charges"]
    ]
    assert sorted(charges) == sorted(
        [
            (dear["request_id"], "charge", "0.4"),
            (back["request_id"], "charge", "0.32"),
            (back["request_id"], "refund", "-0.32"),
        ]
    )
    reply = client.platform("/models/billing-events").json()
    events = {event["request_id"]: event for event in reply["billing_events"]}
    assert events[dear["request_id"]]["unit_price"] == 0.1
    assert events[back["request_id"]]["cost_estimate_nano_usd"] == 0
    assert events[back["request_id"]]["percent_discount"] == 100


def test_pricing_rule_names_another_price_unit_and_currency(client: Client) -> None:
    rule = {"unit_price_usd": 0.5, "unit": "video", "currency": "EUR"}
    client.misbehave(at="pricing", do="price", match={"model": MODEL}, **rule)
    [price] = client.platform("/models/pricing", endpoint_id=MODEL).json()["prices"]
    assert (price["unit_price"], price["unit"], price["currency"]) == (0.5, "video", "EUR")
    [usual] = client.platform("/models/pricing", endpoint_id=MODEL).json()["prices"]
    assert (usual["unit_price"], usual["unit"], usual["currency"]) == (0.08, "unit", "USD")
