"""`shotreel prices` and `shotreel reconcile`, and what Prefect is told of a finding."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import World
from tests.web import web
from tests.zygote import ROOT, clean_environment

EVENT = "shotreel.reconcile.finding"
LIST = "shot,prompt,seed\na,Sea,1\nb,Rock,2\n"
NO_LAG = {"SHOTREEL_FEED_LAG_S": "0"}


def stranger(world: World) -> str:
    """A clip that another program buys from the account; gives its id once it is charged."""
    answer = web.post(
        f"{world.sandbox.url}/fal/queue/fal-ai/magi-distilled",
        headers={"Authorization": "Key admin:sandbox-key"},
        json={"prompt": "not from here"},
    )
    request_id = str(answer.json()["request_id"])
    until(lambda: request_id in world.charges_by(lambda c: str(c["request_id"])))
    return request_id


def events(server: PrefectServer, request_id: str) -> list[dict[str, Any]]:
    found = server.ask("events/filter", filter={"event": {"name": [EVENT]}})["events"]
    return [e for e in found if e["payload"]["request_id"] == request_id]


def test_reconcile_says_what_adds_up_and_what_does_not(
    world: World, prefect_server: PrefectServer
) -> None:
    world.make(world.write(LIST))
    clean = world.run("reconcile", "--json", **NO_LAG)
    assert clean.code == 0, clean.err
    [fal] = [a for a in clean.json["accounts"] if a["service"] == "sandbox/fal"]
    assert (fal["requests"], fal["confirmed"], fal["billed_usd"]) == (2, 2, "0.64")
    request_id = stranger(world)
    odd = world.run("reconcile", "--json", "--since", "3", **NO_LAG)
    assert odd.code == 5
    [finding] = odd.json["findings"]
    assert (finding["request_id"], finding["cost_usd"]) == (request_id, "0.32")
    assert request_id in odd.err
    assert "shotreel recover" in odd.err
    [event] = until(lambda: events(prefect_server, request_id))
    assert event["resource"]["prefect.resource.id"].endswith(request_id)
    assert event["payload"]["cost_usd"] == "0.32"
    words = world.run("reconcile", **NO_LAG)
    assert words.code == 5
    assert "1 findings" in words.out
    assert len(events(prefect_server, request_id)) == 1, "told once a day"
    assert world.run("reconcile", "--since", "90").code == 2


RUN = """
import asyncio
from flows.reconcile import reconcile
print(asyncio.run(reconcile(return_state=True)).message)
"""


@pytest.fixture
def automation(prefect_server: PrefectServer) -> Iterator[str]:
    """The automation of the README on bills, which here does nothing."""
    made = prefect_server.ask(
        "automations/",
        name="odd charges",
        trigger={
            "type": "event",
            "posture": "Reactive",
            "expect": [EVENT],
            "for_each": ["prefect.resource.id"],
            "match": {"prefect.resource.id": "shotreel.request/*"},
            "threshold": 1,
            "within": 0,
        },
        actions=[{"type": "do-nothing"}],
    )
    yield str(made["id"])
    prefect_server.client.delete(f"/automations/{made['id']}").raise_for_status()


def test_flow_shows_its_findings_and_an_automation_is_triggered(
    world: World, prefect_server: PrefectServer, automation: str
) -> None:
    world.make(world.write(LIST))
    request_id = stranger(world)
    env = {**clean_environment(), **world.env, **NO_LAG, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=world.folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("1 findings, 0 corrections"), done.stderr
    found = prefect_server.ask("artifacts/filter", artifacts={"key": {"any_": ["findings"]}})
    tables = [json.loads(artifact["data"]) for artifact in found]
    [row] = next(t for t in tables if t[0].get("request") == request_id)
    assert (row["finding"], row["USD"]) == ("unknown charge", "0.32")
    assert until(lambda: events(prefect_server, request_id))

    def triggered() -> list[Any]:
        fired = {"event": {"name": ["prefect.automation.triggered"]}}
        wanted = f"prefect.automation.{automation}"
        found = prefect_server.ask("events/filter", filter=fired)["events"]
        return [e for e in found if e["resource"]["prefect.resource.id"] == wanted]

    assert until(triggered, 30)


def test_prices_are_asked_kept_and_held_against_the_book(world: World) -> None:
    first = world.run("prices", "--json")
    assert first.code == 0, first.err
    by_model = {row["model"]: row for row in first.json["prices"]}
    assert by_model["fal-ai/magi-distilled"]["verdict"] == "same"
    assert by_model["fal-ai/magi"]["verdict"] == "new"
    world.misbehave({"at": "pricing", "do": "price", "unit_price_usd": 0.09, "times": 0})
    refused = world.run("plan", world.write(LIST))
    assert refused.code == 1
    assert "shotreel prices" in refused.err
    told = world.run("prices")
    assert told.code == 0
    assert "changed" in told.out
    assert world.run("plan", world.write(LIST), "--json").json["totals"]["cost_usd"] == "0.72"


def test_live_prices_need_no_key_to_be_shown(world: World) -> None:
    told = world.run("prices", "--live", "--json")
    assert told.code == 0
    assert {row["verdict"] for row in told.json["prices"]} == {"no key"}
