"""`--live`, with the accounts' URLs on a test server: keys, budgets, and what is never shared."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.film import assert_film_is_its_clips
from tests.e2e.prefect_server import PrefectServer
from tests.e2e.world import WAVESPEED, Done, World
from tests.zygote import ROOT, clean_environment

LIST = "shot,prompt,seed\na,Sea,1\nb,Rock,2\n"
KEYS = {
    "FAL_KEY": "5ec7e7aa-key-id:fal-5ec7e7-of-a-user",
    "WAVESPEED_API_KEY": "ws-5ec7e7-of-a-user",
}
SECRETS = tuple(text.encode() for text in (*KEYS.values(), "fal-5ec7e7-of-a-user"))


@pytest.fixture
def live(new_world: NewWorld) -> World:
    """A world whose services are reached as the real ones are: by URL and key."""
    world = new_world()
    del world.env["SHOTREEL_SANDBOX_URL"]
    world.env |= {**world.sandbox.environment, **KEYS}
    return world


def files_with_secrets(*places: Path) -> list[str]:
    return [
        str(path)
        for place in places
        for path in place.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in SECRETS)
    ]


def assert_no_key_is_told(world: World, prefect_server: PrefectServer, *ended: Done) -> None:
    assert not any(s.decode() in done.out + done.err for done in ended for s in SECRETS)
    assert files_with_secrets(world.home, world.folder / "out", prefect_server.home) == []


def test_live_buys_within_its_budget_and_tells_no_key(
    live: World, prefect_server: PrefectServer
) -> None:
    shots = live.write(LIST + "c,Sky,3\n")
    planned = live.run("plan", shots, "--live", "--json")
    assert planned.json["totals"]["cost_usd"] == "0.96"
    poor = live.run("make", shots, "--live", "--budget", "0.95")
    assert poor.code == 4
    assert live.posts == 0
    made = live.run("make", shots, "--live", "--budget", "0.96")
    assert made.code == 0, made.err
    assert "no money was spent" not in made.out
    assert live.charged == live.billed == (Decimal(12), Decimal("0.96"))
    assert live.rows("SELECT DISTINCT service FROM attempts") == [("fal",)]
    told = live.run("costs", "--json").json
    assert (told["live"], told["cost_usd"]) == (True, "0.96")
    again = live.run("make", shots, "--live", "--budget", "0")
    assert again.code == 0
    assert live.posts == 3
    assert_no_key_is_told(live, prefect_server, planned, poor, made, again)


def test_both_services_are_bought_from_live(live: World, prefect_server: PrefectServer) -> None:
    shots = live.write(f"shot,prompt,model,seed\na,Sea,,1\nb,Rock,{WAVESPEED},2\n")
    manifest = live.make(shots, "--live", "--budget", "1")
    assert live.charged == live.billed == (Decimal(5), Decimal("0.56"))
    assert_film_is_its_clips(live.folder / "out/list", manifest)
    assert_no_key_is_told(live, prefect_server)


def test_clips_of_the_sandbox_are_never_taken_for_bought_ones(live: World) -> None:
    shots = live.write(LIST)
    sandboxed = live.make(shots, SHOTREEL_SANDBOX_URL=live.sandbox.url)
    assert live.posts == 2
    assert live.run("plan", shots, "--live", "--json").json["to_buy"] == 2
    bought = live.make(shots, "--live", "--budget", "1")
    assert live.posts == 4
    prints = [{s["fingerprint"] for s in manifest["shots"]} for manifest in (sandboxed, bought)]
    assert prints[0].isdisjoint(prints[1])
    for which in ("--live", "--sandbox"):
        assert live.run("costs", which, "--json").json["cost_usd"] == "0.64"
    live.make(shots, SHOTREEL_SANDBOX_URL=live.sandbox.url)
    assert live.posts == 4


@pytest.mark.parametrize(
    "rule",
    [
        {"at": "submit", "do": "status", "status": 401},
        {"at": "submit", "do": "status", "status": 422},
        {"at": "job", "do": "fail"},
    ],
    ids=["key refused", "request refused", "failed"],
)
def test_a_service_that_repeats_the_key_cannot_make_us_tell_it(
    live: World, prefect_server: PrefectServer, rule: dict[str, object]
) -> None:
    said = f"no, {KEYS['FAL_KEY']} may not"
    words = {"error": said} if rule["at"] == "job" else {"body": {"detail": said}}
    live.misbehave({**rule, **words, "times": 0})
    done = live.run("make", live.write(LIST), "--live", "--budget", "1")
    assert done.code == 3
    assert "may not" in done.err or rule["status"] == 401
    assert_no_key_is_told(live, prefect_server, done)


SAVE = """
from decimal import Decimal
from flows.studio.blocks import FalAccount
FalAccount(key="{key}", max_in_flight=1, monthly_budget_usd=Decimal("0.64")).save("default")
"""


@pytest.fixture
def saved_account(live: World) -> Iterator[World]:
    """A fal account saved in Prefect, and no key in the environment."""
    env = {**clean_environment(), **live.env, "PYTHONPATH": str(ROOT)}
    prefect = Path(sys.executable).with_name("prefect")
    code = SAVE.format(key=KEYS["FAL_KEY"])
    subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True)
    del live.env["FAL_KEY"]
    yield live
    slug = "shotreel-fal-account/default"
    subprocess.run([prefect, "--no-prompt", "block", "delete", slug], env=env, check=True)


def test_an_account_saved_in_prefect_is_used_with_its_limits(
    saved_account: World, prefect_server: PrefectServer
) -> None:
    world = saved_account
    shots = world.write(LIST)
    assert world.run("plan", shots, "--live").code == 0
    world.make(shots, "--live", "--budget", "9")
    begun = [r["accepted_at"] for r in world.told("requests")["requests"]]
    ended = [t for (t,) in world.rows("SELECT ended_at FROM attempts ORDER BY posted_at")]
    assert len(begun) == 2
    assert begun[1][:22] >= ended[0][:22], "one at a time"
    over = world.run("make", world.write(LIST + "c,Sky,3\n"), "--live", "--budget", "9")
    assert over.code == 4
    assert "month" in over.err
    assert world.posts == 2
    assert_no_key_is_told(world, prefect_server, over)


def test_media_at_a_private_address_is_not_fetched_while_live(live: World) -> None:
    live.misbehave({"at": "result", "do": "private_url", "times": 0})
    done = live.run("make", live.write("prompt\nSea\n"), "--live", "--budget", "1")
    assert done.code in (1, 3)
    assert "Paid: yes" in done.err
    assert live.charged == live.billed
    live.misbehave()
    assert live.run("recover").code == 0
    assert live.posts == 1


def test_a_key_that_cannot_be_sent_is_said(live: World) -> None:
    done = live.run("make", live.write(LIST), "--live", "--budget", "1", FAL_KEY="schlüssel\u200b")
    assert done.code == 2
    assert "FAL_KEY" in done.err
    assert live.posts == 0
