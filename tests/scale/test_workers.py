"""Two machines make one film: on Postgres and an S3-compatible store, and one of them dies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from blocks.sandbox import Sandbox
from tests.e2e.film import assert_film_is_its_clips
from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import World
from tests.scale.conftest import Bucket, Cluster, Database, clustered
from tests.zygote import ROOT, clean_environment

pytestmark = pytest.mark.studio

SEQUENCES, SHOTS = 4, 12
IN_FLIGHT = 6


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Sandbox(tmp_path / "sandbox", latency_s=3, render="thumb") as sandbox:
        yield World(tmp_path, sandbox)


@pytest.fixture
def cluster(
    shared_prefect: PrefectServer, new_database: Database, bucket: Bucket, world: World
) -> Iterator[Cluster]:
    env = {
        **bucket.env,
        "SHOTREEL_CLIPS_URL": bucket.url,
        "SHOTREEL_LEDGER_URL": new_database(),
        "SHOTREEL_SANDBOX_URL": world.sandbox.url,
        "SHOTREEL_START_TIMEOUT_S": "2",
        "SHOTREEL_QUIET_S": "5",
    }
    with clustered(shared_prefect, world.folder, env) as cluster:
        yield cluster


def automations(folder: Path, within_s: int) -> str:
    """The shipped file, less patient: the shortest heartbeat that Prefect allows is 30 s."""
    shipped = (ROOT / "deployments" / "automations.yaml").read_text()
    assert "within: 90" in shipped
    hasty = folder / "automations.yaml"
    hasty.write_text(shipped.replace("within: 90", f"within: {within_s}"))
    return str(hasty)


def shot_list() -> str:
    rows = [
        f"s{s},{n:02},Shot {s} {n},{s * 100 + n + 1}"
        for s in range(SEQUENCES)
        for n in range(SHOTS)
    ]
    return "\n".join(["sequence,shot,prompt,seed", *rows])


def test_a_machine_that_dies_is_replaced_and_nothing_is_paid_twice(
    cluster: Cluster, world: World, bucket: Bucket
) -> None:
    cluster.prefect("automation", "create", "--from-file", automations(world.folder, 40))
    limit_account(cluster, IN_FLIGHT)
    first = cluster.worker("first", limit=2)
    given = {"shots": shot_list(), "out": str(world.folder / "film"), "split": SHOTS}
    run_id = cluster.run("make-film", **given)
    until(lambda: cluster.state(run_id)["type"] == "RUNNING", 60)
    second = cluster.worker("second", limit=3)
    until(lambda: world.posts >= 2 * IN_FLIGHT and len(cluster.runs(any_=["RUNNING"])) >= 3, 90)
    first.kill()
    told = until(lambda: ended(cluster, run_id), 180)
    said = first.log.read_text() + second.log.read_text()
    assert told["type"] == "COMPLETED", said
    manifest = json.loads((world.folder / "film" / "manifest.json").read_text())
    assert_film_is_its_clips(world.folder / "film", manifest)
    wanted = SEQUENCES * SHOTS
    assert [shot["state"] for shot in manifest["shots"]] == ["stored"] * wanted
    charges = world.told("charges")
    assert len(charges["charges"]) == wanted
    assert manifest["totals"] == {"units": charges["units"], "cost_usd": charges["cost_usd"]}
    assert billed(cluster.env["SHOTREEL_LEDGER_URL"]) == (wanted, wanted)
    clips = [key for key in bucket.names() if key.endswith(".mp4")]
    assert len(clips) == wanted
    history = [(state["type"], state["name"]) for state in cluster.history(run_id)]
    assert ("CRASHED", "Crashed") in history
    assert ("SCHEDULED", "AwaitingRetry") in history
    parts = {str(run["name"]): run["run_count"] for run in cluster.runs() if run["id"] != run_id}
    assert set(parts) == {f"s{n}" for n in range(SEQUENCES)}, "no part is started twice"
    assert max(parts.values()) > 1, "the machine that died had none"


def limit_account(cluster: Cluster, max_in_flight: int) -> None:
    """As a person does in the UI: a block that every worker reads."""
    script = (
        "from blocks.fal.account import FalAccount\n"
        f"FalAccount(key='a-key', max_in_flight={max_in_flight}).save('default')"
    )
    env = {**clean_environment(), **cluster.server.env}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, env=env)


def ended(cluster: Cluster, run_id: str) -> dict[str, object] | None:
    state = cluster.state(run_id)
    return state if state["type"] in ("COMPLETED", "FAILED", "CANCELLED") else None


def billed(ledger_url: str) -> tuple[int, int]:
    """(charges, attempts that were sent) in the ledger."""
    engine = create_engine(make_url(ledger_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        count = "SELECT COUNT(*) FROM"
        charges = connection.execute(text(f"{count} charges")).scalar_one()
        sent = connection.execute(text(f"{count} attempts WHERE request_id IS NOT NULL"))
        found = (int(charges), int(sent.scalar_one()))
    engine.dispose()
    return found
