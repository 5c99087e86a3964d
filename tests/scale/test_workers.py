"""Two machines make one film: on Postgres and an S3-compatible store, and one of them dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from blocks.sandbox import Sandbox
from tests.e2e.film import assert_film_is_its_clips
from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import REPOSITORY, World
from tests.scale.conftest import Bucket, Cluster, Database, clustered

SEQUENCES, SHOTS = 4, 12


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
    shipped = (REPOSITORY / "deployments" / "automations.yaml").read_text()
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
    first = cluster.worker("first", limit=2)
    given = {"shots": shot_list(), "out": str(world.folder / "film"), "split": SHOTS}
    run_id = cluster.run("make-film", **given)
    until(lambda: cluster.state(run_id)["type"] == "RUNNING", 60)
    second = cluster.worker("second", limit=3)
    until(lambda: world.posts >= SHOTS, 90)
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
    clips = [key for key in bucket.keys() if key.endswith(".mp4")]
    assert len(clips) == wanted
    assert all(run["run_count"] == 1 for run in cluster.runs() if run["name"] == "s3"), said


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
