"""Two machines make one film: on Postgres and an S3-compatible store, and one of them dies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from blocks.sandbox import Sandbox
from tests.e2e.film import assert_film_is_its_clips
from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import PREFECT, World
from tests.scale.conftest import Bucket, Cluster, Database, Worker, clustered
from tests.zygote import ROOT, clean_environment

SEQUENCES, SHOTS = 3, 10
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
    shipped = automations(world.folder, 60)
    cluster.command(PREFECT, "automation", "create", "--from-file", shipped)
    limit_account(cluster, IN_FLIGHT)
    # Until the machine has died, clips are longer under way than Prefect needs to hear of the run.
    world.misbehave({"at": "job", "do": "late", "delay_s": 20, "times": 0})
    first = cluster.worker("first", limit=2)
    given = {"shots": shot_list(), "out": str(world.folder / "film"), "split": SHOTS}
    run_id = cluster.run("make-film", **given)
    until(lambda: cluster.state(run_id)["type"] == "RUNNING")
    second = cluster.worker("second", limit=2)
    until(lambda: cluster.is_heard(run_id))
    until(lambda: world.posts >= 2 * IN_FLIGHT and has_ordered(first, cluster, run_id))
    first.kill()
    world.misbehave()
    told = until(lambda: ended(cluster, run_id))
    said = first.log.read_text() + second.log.read_text()
    assert told["type"] == "COMPLETED", said
    manifest = json.loads((world.folder / "film" / "manifest.json").read_text())
    assert_film_is_its_clips(world.folder / "film", manifest)
    wanted = SEQUENCES * SHOTS
    assert [shot["state"] for shot in manifest["shots"]] == ["stored"] * wanted
    charges = world.told("charges")
    assert len(charges["charges"]) == wanted
    for name, total in manifest["totals"].items():
        assert Decimal(total) == Decimal(charges[name])
    assert count(cluster, "SELECT COUNT(*) FROM charges") == wanted
    sent = "SELECT COUNT(*) FROM attempts WHERE request_id IS NOT NULL"
    assert count(cluster, sent) == wanted
    clips = [key for key in bucket.names() if key.endswith(".mp4")]
    assert len(clips) == wanted
    history = [(state["type"], state["name"]) for state in cluster.history(run_id)]
    assert ("CRASHED", "Crashed") in history
    assert ("SCHEDULED", "AwaitingRetry") in history
    parts = sorted(run["name"] for run in cluster.runs() if run["id"] != run_id)
    assert parts == [f"s{n}" for n in range(SEQUENCES)], "no part is started twice"
    died = "SELECT COUNT(*) FROM events WHERE cause = 'taken over from a process that has died'"
    assert count(cluster, f"{died} AND state = 'submitted'") > 0


def has_ordered(worker: Worker, cluster: Cluster, run_id: str) -> bool:
    """Whether the worker has a part in hand of which clips are under way."""
    parts = (run for run in cluster.runs(any_=["RUNNING"]) if run["id"] != run_id)
    names = [run["name"] for run in parts if worker.works_on(str(run["id"]))]
    under_way = "SELECT COUNT(*) FROM attempts WHERE state = 'submitted' AND sequence ="
    return any(count(cluster, f"{under_way} '{name}'") > 1 for name in names)


def limit_account(cluster: Cluster, max_in_flight: int) -> None:
    """As a person does in the UI: a block that every worker reads."""
    script = (
        "from flows.studio.blocks import FalAccount\n"
        f"FalAccount(key='a-key', max_in_flight={max_in_flight}).save('default')"
    )
    env = {**clean_environment(), **cluster.server.env}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, env=env)


def ended(cluster: Cluster, run_id: str) -> dict[str, object] | None:
    state = cluster.state(run_id)
    return state if state["type"] in ("COMPLETED", "FAILED", "CANCELLED") else None


def count(cluster: Cluster, query: str) -> int:
    """In the ledger."""
    url = make_url(cluster.env["SHOTREEL_LEDGER_URL"]).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection:
        found = int(connection.execute(text(query)).scalar_one())
    engine.dispose()
    return found
