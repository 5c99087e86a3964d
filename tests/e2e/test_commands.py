"""The other commands: recover, costs --focus, doctor, sandbox, and the words of --help."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.prefect_server import stop
from tests.e2e.world import WAVESPEED, World
from tests.web import web
from tests.zygote import ROOT, clean_environment

LIST = f"sequence,shot,prompt,model,seed\ns,=1+1,Sea,,1\ns,b,Rock,{WAVESPEED},2\nt,c,Sky,,3\n"
FOCUS_COLUMNS = {  # those that FOCUS 1.2 requires of every file
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
}


def test_a_focus_file_adds_up_to_the_bill(world: World) -> None:
    world.make(world.write(LIST))
    done = world.run("costs", "--focus", "focus.csv", "--json")
    assert done.code == 0
    with (world.folder / "focus.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) >= FOCUS_COLUMNS
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == Decimal("0.88")
    assert Decimal(done.json["cost_usd"]) == Decimal("0.88") == world.charged[1]
    assert sum(Decimal(row["PricingQuantity"]) for row in rows) == world.charged[0]
    charged = {c["request_id"]: c for c in world.told("charges")["charges"]}
    assert {row["ResourceId"] for row in rows} == set(charged)
    for row in rows:
        charge = charged[row["ResourceId"]]
        assert Decimal(row["EffectiveCost"]) == Decimal(charge["cost_usd"])
        assert row["SkuId"] == charge["endpoint"]
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"] or charge
        assert not any(cell.startswith(("=", "+", "@")) for cell in row.values())


def test_a_focus_file_that_cannot_be_written_is_said(world: World) -> None:
    done = world.run("costs", "--focus", "nowhere/focus.csv")
    assert done.code == 1
    assert "nowhere/focus.csv" in done.err


def test_top_ups_are_what_is_billed(world: World) -> None:
    noted = world.run("costs", "--top-up", "fal", "25", "--reason", "invoice 7", "--json")
    assert noted.code == 0, noted.err
    assert world.run("costs", "--top-up", "fal", "-5", "--reason", "typed wrong").code == 0
    assert world.run("costs", "--top-up", "paypal", "5").code == 2
    done = world.run("costs", "--focus", "focus.csv", "--focus-version", "1.4")
    assert done.code == 0, done.err
    with (world.folder / "focus.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["ChargeCategory"], row["BilledCost"]) for row in rows] == [
        ("Purchase", "25.0"),
        ("Purchase", "-5.0"),
    ]
    assert rows[0]["ServiceProviderName"] == "fal"
    assert world.run("costs", "--focus", "focus.parquet").code == 0
    assert (world.folder / "focus.parquet").read_bytes()[:4] == b"PAR1"


def test_plan_says_what_each_model_would_ask_and_how_long_it_takes(world: World) -> None:
    done = world.run("plan", world.write(LIST), "--json")
    assert done.code == 0, done.err
    told = done.json
    assert {offer["model"]: offer["cost_usd"] for offer in told["compare"]}[WAVESPEED] == "0.72"
    assert [share["key"] for share in told["sequences"]] == ["s", "t"]
    assert len(told["changes"]["new"]) == 3
    assert {account["service"] for account in told["time"]["accounts"]} == {
        "sandbox/fal",
        "sandbox/wavespeed",
    }
    words = world.run("plan", world.write(LIST))
    assert "until the last clip is there" in words.out
    assert "the whole list on" in words.out


def test_costs_of_an_empty_ledger_are_nothing(world: World) -> None:
    told = world.run("costs", "--json").json
    assert {**told, "live": None} == {
        "currency": "USD",
        "live": None,
        "units": "0",
        "cost_usd": "0",
        "rows": [],
    }
    assert world.run("costs", "--by", "mood").code == 2


def checks(told: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in told["checks"]}


def test_doctor_tells_what_works_and_what_to_do(world: World) -> None:
    done = world.run("doctor")
    assert done.code == 0
    for word in ("ledger", "clip store", "ffmpeg", "Prefect", "FAL_KEY", "fal.ai/dashboard/keys"):
        assert word in done.out
    told = world.run("doctor", "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert told.code == 1
    assert checks(told.json)["Prefect"] == "broken"
    world.home.mkdir(exist_ok=True)
    (world.home / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    told = world.run("doctor", "--json")
    assert (told.code, checks(told.json)["ledger"]) == (1, "broken")


def test_doctor_asks_the_services_only_when_live(world: World) -> None:
    keys = {"FAL_KEY": "a-key", "WAVESPEED_API_KEY": "another-key"}
    world.env |= {**world.sandbox.environment, **keys}
    quiet = world.run("doctor", "--json")
    assert checks(quiet.json)["fal"] == "ok"
    assert "not tried" in quiet.out
    asked = world.run("doctor", "--live", "--json")
    assert (checks(asked.json)["fal"], checks(asked.json)["WaveSpeedAI"]) == ("ok", "ok")
    assert "balance" in asked.out
    world.misbehave({"at": "pricing", "do": "status", "status": 401, "times": 0})
    refused = world.run("doctor", "--live", "--json")
    assert (refused.code, checks(refused.json)["fal"]) == (1, "broken")
    assert not any(key in d.out + d.err for d in (quiet, asked, refused) for key in keys.values())


@pytest.fixture
def served(world: World) -> Iterator[str]:
    """URL of a sandbox that `shotreel sandbox` serves with the faults of a file."""
    rules = [{"at": "submit", "do": "status", "status": 422, "times": 0}]
    (world.folder / "faults.json").write_text(json.dumps(rules))
    process = world.start("sandbox", "--port", "0", "--faults", "faults.json", "--latency", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    yield line.removeprefix("export SHOTREEL_SANDBOX_URL=").strip()
    stop(process)
    assert process.returncode == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_the_sandbox_says_where_it_is_and_obeys_its_faults(world: World, served: str) -> None:
    assert web.get(f"{served}/sandbox/faults").json()["faults"][0]["status"] == 422
    world.make(world.write("prompt\nSea\n"), code=3, SHOTREEL_SANDBOX_URL=served)
    assert web.get(f"{served}/sandbox/posts").json()["total"] == 1


@pytest.mark.parametrize(
    ("faults", "word"),
    [("not JSON", "not JSON"), ('[{"at": "moon", "do": "status"}]', "moon"), (None, "faults.json")],
)
def test_a_sandbox_with_wrong_faults_does_not_start(
    world: World, faults: str | None, word: str
) -> None:
    if faults is not None:
        (world.folder / "faults.json").write_text(faults)
    done = world.run("sandbox", "--port", "0", "--faults", "faults.json")
    assert (done.code, word in done.err) == (2, True), done.err


def test_a_sandbox_on_a_port_in_use_says_so(world: World) -> None:
    port = world.sandbox.url.rpartition(":")[2]
    done = world.run("sandbox", "--port", port)
    assert done.code == 1
    assert port in done.err
    assert world.run("sandbox", "--port", "70000").code == 2


@pytest.mark.parametrize(
    "command",
    ["", "make", "plan", "recover", "reconcile", "costs", "prices", "sandbox", "doctor", "up"],
)
def test_help_explains_every_option(world: World, command: str) -> None:
    done = world.run(*filter(None, [command]), "--help")
    assert done.code == 0
    assert "Usage: shotreel" in done.out
    assert done.err == ""
    options = [line for line in done.out.splitlines() if line.startswith("  -")]
    assert options
    if command:
        assert all(len(line.split()) > 2 or "\n" + line in done.out for line in options)


def test_the_command_line_runs_as_a_module(world: World) -> None:
    env = {**clean_environment(), **world.env, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flows.cli", "plan", "prompt\nSea\n", "--json"]
    done = subprocess.run(command, cwd=world.folder, env=env, capture_output=True, check=True)
    assert json.loads(done.stdout)["to_buy"] == 1


ROWS = 100_000


def test_a_list_of_100_000_shots_is_planned_to_the_cent(world: World) -> None:
    lines = ["sequence,shot,prompt,num_frames,seed"]
    lines += [f"s{n // 1000},{n},Shot {n},{96 + n % 97},{n}" for n in range(ROWS)]
    shots = world.write("\n".join(lines))
    told = world.run("plan", shots, "--json").json
    units = sum(4 + -(-(n % 97) // 24) for n in range(ROWS))
    assert told["to_buy"] == len(told["shots"]) == ROWS
    assert told["totals"] == {"units": str(units), "cost_usd": f"{units * 8 / 100:.2f}"}


def test_plan_says_how_the_list_was_read(world: World) -> None:
    words = "A fisherman’s boat — dawn"
    (world.folder / "list.csv").write_bytes(
        f"sep=;\r\nScene;Description;Camera\r\nDawn?;{words};low\r\n".encode("cp1252")
    )
    done = world.run("plan", "list.csv")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "list.csv: CSV in Windows-1252, separated by semicolons." in said
    assert 'Read as: "Scene" is sequence, "Description" is prompt.' in said
    assert 'Not sent to any model: "Camera".' in said
    assert 'The files of "Dawn?" are called "Dawn_"' in said
    assert world.run("plan", "list.csv", "--json").json["list"] == {
        "source": "list.csv",
        "format": "csv",
        "encoding": "Windows-1252",
        "separator": ";",
        "sheet": None,
        "columns": {"Scene": "sequence", "Description": "prompt"},
        "left_aside": ["Camera"],
        "files": {"Dawn?": "Dawn_"},
    }
