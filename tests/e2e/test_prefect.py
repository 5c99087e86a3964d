"""What Prefect knows of a run: every task run, the states, the artifacts, the deployment."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.generate import sub_runs
from flows.generate.generation import open_generation
from flows.generate.parts import Part
from flows.generate.sub_runs import SubRuns
from flows.report.log import logged
from flows.report.progress import Progress
from flows.run.prefect_record import end_left_tasks
from flows.shots import FilmId, list_name
from flows.stitch import Clip
from flows.studio import api
from flows.tasks import assets
from flows.tasks.generate_clip import generate_clip
from tests.e2e.conftest import NewWorld
from tests.e2e.film import assert_film_is_its_clips
from tests.e2e.prefect_server import PrefectServer, stop, until
from tests.e2e.world import PREFECT, World, refused
from tests.web import web
from tests.zygote import ROOT, clean_environment

LIST = "sequence,shot,prompt,seed\ns,a,Sea,1\ns,b,Rock,2\nt,c,Sky,3\n"
ENDING = ["stitch-film", "account-costs", "hand-over"]
TASKS = {"s/a", "s/b", "t/c", "stitch-s", "stitch-t", *ENDING}


def flow_run(server: PrefectServer, name: str) -> dict[str, Any]:
    """The run of this name, once it has ended."""
    ended = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
    wanted = {"name": {"any_": [name]}, "state": ended}
    (run,) = until(lambda: server.ask("flow_runs/filter", flow_runs=wanted))
    found: dict[str, Any] = run
    return found


def of_run(run: dict[str, Any]) -> dict[str, Any]:
    return {"id": {"any_": [run["id"]]}}


def task_runs(server: PrefectServer, run: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ask("task_runs/filter", flow_runs=of_run(run))
    return found


def test_a_run_is_recorded_with_its_tasks_and_artifacts(
    world: World, prefect_server: PrefectServer
) -> None:
    world.make(world.write(LIST, "recorded.csv"))
    run = flow_run(prefect_server, "recorded")
    assert run["state"]["type"] == "COMPLETED"
    assert run["parameters"]["shots"] == "recorded.csv"
    tasks = until(
        lambda: [
            tasks
            for tasks in [task_runs(prefect_server, run)]
            if len(tasks) >= len(TASKS) and all(t["state_type"] == "COMPLETED" for t in tasks)
        ]
    )[0]
    assert sorted(task["name"] for task in tasks) == sorted(TASKS)

    artifacts = {
        artifact["key"]: artifact
        for artifact in prefect_server.ask("artifacts/filter", flow_runs=of_run(run))
    }
    assert {"plan", "clips", "bill", "film", "contact-sheet"} <= set(artifacts)
    assert artifacts["clips"]["data"] == 100
    plan = json.loads(artifacts["plan"]["data"])
    assert [*plan[0]][:2] == ["shot", "USD"], "a table is cut off at the right"
    assert [(row["shot"], row["USD"]) for row in plan][-1] == ("total", "0.96")
    bill = json.loads(artifacts["bill"]["data"])
    requests = {r["request_id"] for r in world.told("requests")["requests"]}
    assert {row.get("request") for row in bill[:-1]} == requests
    assert (bill[-1]["units"], bill[-1]["USD"]) == ("12", "0.96")
    assert "$0.96" in artifacts["film"]["data"]
    assert f"cd {world.folder} && shotreel review recorded.csv" in artifacts["film"]["data"]


@pytest.fixture(scope="module")
def edited(new_world: NewWorld, prefect_server: PrefectServer) -> tuple[World, dict[str, Any]]:
    """A film made again with one more shot in one of its sequences, and the run that did so."""
    world = new_world()
    world.write('name = "Twice: a film"', "first.toml")
    world.write('name = "Twice: a film"', "again.toml")
    world.make(world.write(LIST, "first.csv"), "--out", "twice")
    world.make(world.write(f"{LIST}t,d,Dusk,4\n", "again.csv"), "--out", "twice")
    return world, flow_run(prefect_server, "again")


def test_a_clip_that_is_here_is_a_task_run_which_prefect_has_found_in_its_cache(
    edited: tuple[World, dict[str, Any]], prefect_server: PrefectServer
) -> None:
    world, run = edited
    states = until(
        lambda: [
            by_name
            for by_name in [{t["name"]: t["state_name"] for t in task_runs(prefect_server, run)}]
            if by_name.keys() == TASKS - {"stitch-s"} | {"t/d"}
            and "Running" not in by_name.values()
        ]
    )[0]
    assert {name for name, state in states.items() if state == "Cached"} == {"s/a", "s/b", "t/c"}
    assert world.posts == 4


def test_film_and_sequences_are_assets_and_only_what_is_made_anew_is_materialized(
    edited: tuple[World, dict[str, Any]], prefect_server: PrefectServer
) -> None:
    """With what each was made of. What is there already is no task run either."""
    film = f"shotreel://Twice-a-film.{sha256(b'Twice: a film').hexdigest()[:8]}"
    sequence = f"{film}/sequences/t"

    def events(kind: str) -> dict[str, dict[str, Any]]:
        wanted = {"event": {"name": [f"prefect.asset.{kind}"]}, "related": {"id": [by]}}
        found = prefect_server.ask("events/filter", filter=wanted)["events"]
        return {event["resource"]["prefect.resource.id"]: event for event in found}

    by = f"prefect.flow-run.{edited[1]['id']}"
    made = until(lambda: len(found := events("materialization.succeeded")) > 1 and found)
    assert made.keys() == {film, sequence}
    assert made[film]["resource"]["prefect.resource.name"] == "Twice: a film"
    assert made[film]["payload"]["clips"] == 4
    of = {
        key: {
            related["prefect.resource.id"]
            for related in event["related"]
            if related["prefect.resource.role"] == "asset"
        }
        for key, event in made.items()
    }
    assert of == {
        film: {f"{film}/sequences/s", sequence},
        sequence: {f"{film}/clips/t/{shot}" for shot in "cd"},
    }
    assert events("referenced").keys() == of[film] | of[sequence]


def test_an_asset_is_known_by_no_folder_and_is_made_of_so_much_as_an_event_can_hold() -> None:
    film = FilmId("/home/ann/a b.csv", "a b", "/home/ann/a b.csv")
    items = [Clip(Path("x.mp4"), "", f"Dawn? #1/{n:03}") for n in range(120)]
    clips = assets.clips_in(film, items)
    assert len(clips) == assets.MAX_NAMED < 100
    digest, dawn = (sha256(name.encode()).hexdigest()[:8] for name in (film.key, "Dawn? #1"))
    assert clips[7].key == f"shotreel://a-b.{digest}/clips/Dawn-1.{dawn}/007"
    assert [each.key for each in assets.sequences_in(film, items)] == [
        f"shotreel://a-b.{digest}/sequences/Dawn-1.{dawn}"
    ]
    assert len({assets.sequence_asset(film, name).key for name in ("a b", "a-b", "a#b")}) == 3


def test_a_run_with_failed_shots_has_failed_and_says_why(
    world: World, prefect_server: PrefectServer
) -> None:
    world.misbehave(refused("Rock"))
    world.make(world.write(LIST, "one-fails.csv"), code=3)
    run = flow_run(prefect_server, "one-fails")
    assert run["state"]["type"] == "FAILED"
    assert run["state"]["message"] == "2 of 3 clips are here; they cost $0.64."
    states = until(
        lambda: [
            by_name
            for by_name in [{t["name"]: t["state_type"] for t in task_runs(prefect_server, run)}]
            if by_name.get("s/b") == "FAILED" and by_name.get("stitch-film") == "COMPLETED"
        ]
    )[0]
    assert states["s/a"] == states["t/c"] == "COMPLETED"


def test_a_run_that_has_failed_is_not_tried_again_whatever_prefects_default_for_retries(
    world: World, prefect_server: PrefectServer
) -> None:
    charged = {"at": "job", "do": "fail", "status": 422, "charged": True, "units": 4, "times": 0}
    world.misbehave({**charged, "match": {"prompt": "Rock"}})
    shots = world.write(LIST, "no-retries.csv")
    assert world.run("make", shots, PREFECT_FLOWS_DEFAULT_RETRIES="2").code == 3
    run = flow_run(prefect_server, "no-retries")
    assert (run["state"]["type"], run["run_count"]) == ("FAILED", 1)
    assert world.posts == 3
    assert world.charged == world.billed


def test_prefect_remembers_a_clip_by_its_fingerprint_and_by_nothing_else() -> None:
    context: Any = None  # by design it is not looked at
    given = {"name": "s/a", "job": SimpleNamespace(fingerprint="f1")}
    assert generate_clip.cache_policy.compute_key(context, given, {"shots": "a.csv"}) == "f1"


def test_a_refused_plan_fails_the_run_with_its_reason(
    world: World, prefect_server: PrefectServer
) -> None:
    shots = world.write(LIST, "too-dear.csv")
    assert world.run("make", shots, "--budget", "0.1").code == 4
    run = flow_run(prefect_server, "too-dear")
    assert run["state"]["type"] == "FAILED"
    assert "the budget is $0.10" in run["state"]["message"]


FLOW = (
    "import asyncio; from flows.make_film import make_film;"
    "asyncio.run(make_film({text!r}, return_state=True))"
)


def test_a_pasted_list_with_errors_fails_in_words_and_shows_them_as_a_table(
    world: World, prefect_server: PrefectServer
) -> None:
    text = "prompt,seed,model\nSea,x,\n,4,fal-ai/magic\n"
    done = subprocess.run(
        [sys.executable, "-c", FLOW.format(text=text)],
        cwd=world.folder,
        env={**clean_environment(), **world.env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    logged = done.stdout + done.stderr
    assert "Traceback" not in logged
    assert logged.count("fal-ai/magic") == 1, logged
    run = flow_run(prefect_server, list_name(text))
    assert run["state"]["type"] == "FAILED"
    assert "row 2, seed" in run["state"]["message"]
    assert "3 problems; nothing was bought" in run["state"]["message"]
    [table] = prefect_server.ask("artifacts/filter", flow_runs=of_run(run))
    assert table["key"] == "problems"
    assert [(row["row"], row["column"]) for row in json.loads(table["data"])] == [
        (2, "seed"),
        (3, "model"),
        (3, "prompt"),
    ]
    assert world.posts == 0


def test_every_task_run_is_recorded_after_a_run_on_the_embedded_server(
    world: World, prefect_database: Path, tmp_path: Path
) -> None:
    shutil.copy(prefect_database, tmp_path)
    world.env |= {"PREFECT_HOME": str(tmp_path)}
    del world.env["PREFECT_API_URL"]
    rows = [f"s,{n:02},Shot {n},{n}" for n in range(40)]
    world.make(world.write("\n".join(["sequence,shot,prompt,seed", *rows])))
    with sqlite3.connect(tmp_path / "prefect.db") as database:
        recorded = database.execute("SELECT name, state_type FROM task_run").fetchall()
        flows = database.execute("SELECT name, state_type FROM flow_run").fetchall()
    wanted = [f"s/{n:02}" for n in range(40)] + ["stitch-s", *ENDING]
    assert sorted(recorded) == sorted((name, "COMPLETED") for name in wanted)
    assert flows == [("list", "COMPLETED")]


# --- deployment -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployed(prefect_server: PrefectServer) -> dict[str, str]:
    """The environment in which the deployments of the repository were made."""
    env = {**clean_environment(), **prefect_server.env, "SHOTREEL_PROJECT": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "flows.studio.prepare"],
        check=False,
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return env


def test_the_deployment_asks_for_parameters_in_words(
    deployed: dict[str, str], prefect_server: PrefectServer
) -> None:
    deployments = {d["name"]: d for d in prefect_server.ask("deployments/filter")}
    names = {"make-film", "make-films", "buy-clips", "plan", "recover", "reconcile"}
    assert set(deployments) == names
    for deployment in (d for name, d in deployments.items() if name != "buy-clips"):
        asked = deployment["parameter_openapi_schema"]["properties"]
        for name, parameter in asked.items():
            assert parameter.get("title", "") != name
            assert parameter["description"], asked
            assert "<" not in parameter["description"], "the UI takes it for markup"
            assert "anyOf" not in parameter, "a choice between types is no question for a person"
    schema = deployments["make-film"]["parameter_openapi_schema"]
    assert {"shots", "out", "live", "budget_usd"} <= set(schema["properties"])
    assert schema["required"] == ["shots"]


def test_who_asks_while_another_writes_is_heard(
    deployed: dict[str, str], prefect_server: PrefectServer
) -> None:
    """Prefect's server on SQLite answers 503 as long as the other's transaction is open."""
    path = prefect_server.home / "prefect.db"
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(writer), api.kept(prefect_server.url):
        old = api.schedules_of(prefect_server.client)["recover", "every-15-minutes"]
        schedule = f"/deployments/{old['deployment_id']}/schedules/{old['id']}"
        prefect_server.client.patch(schedule, json={"active": True}).raise_for_status()
        token = web.get(f"{prefect_server.url}/csrf-token?client=test").json()["token"]
        headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "test"}
        writer.execute("BEGIN IMMEDIATE")
        refused = httpx.patch(
            f"{prefect_server.url}{schedule}", json={"active": True}, headers=headers
        )
        assert refused.status_code == 503
        threading.Timer(0.5, writer.rollback).start()
    assert not api.schedules_of(prefect_server.client)["recover", "every-15-minutes"]["active"]


def test_a_sub_run_that_is_given_up_leaves_no_task_run_that_looks_as_if_it_ran(
    deployed: dict[str, str],
    prefect_server: PrefectServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Its worker has died: one is still said to run, one waits for a worker to begin again."""
    found = prefect_server.ask("deployments/filter")
    (deployment,) = (d for d in found if d["name"] == "buy-clips")

    def begun(*then: str) -> dict[str, Any]:
        path = f"deployments/{deployment['id']}/create_flow_run"
        given = {"shots": "prompt\nSea\n", "sequences": [], "clips": [], "run_id": "dead"}
        run: dict[str, Any] = prefect_server.ask(path, parameters=given)
        for kind in ("RUNNING", *then):
            asked = {"state": {"type": kind}, "force": True}
            prefect_server.ask(f"flow_runs/{run['id']}/set_state", **asked)
        for n in range(3):
            task = {"task_key": "generate-clip", "dynamic_key": str(n), "flow_run_id": run["id"]}
            prefect_server.ask("task_runs/", **task, state={"type": "RUNNING"})
        return run

    runs = {UUID(run["id"]): run for run in (begun(), begun("CRASHED", "SCHEDULED"))}
    parts = {key: Part((str(n),), (f"clip {n}",)) for n, key in enumerate(runs)}

    async def watch() -> None:
        async with open_generation([], Progress(logged(None)), live=False) as generation:
            given = SubRuns(generation, list(parts.values()), parts)
            given._of |= {part.clips[0]: asyncio.Event() for part in parts.values()}
            await given.watch()

    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path))
    monkeypatch.setattr(sub_runs, "PATIENCE_S", 0)
    monkeypatch.setattr(sub_runs, "LOOK_S", 0)
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        asyncio.run(watch())
    states = [
        task["state_type"] for run in runs.values() for task in task_runs(prefect_server, run)
    ]
    # Where Prefect's own server comes first, a task run of a run that it cancels is cancelled.
    assert len(states) == 6
    assert set(states) <= {"CRASHED", "CANCELLED"}
    named = {"id": {"any_": [str(key) for key in runs]}}
    ended = {run["state_type"] for run in prefect_server.ask("flow_runs/filter", flow_runs=named)}
    assert ended == {"CANCELLING", "CANCELLED"}


def test_a_run_that_is_taken_up_again_ends_the_task_runs_of_its_dead_process(
    prefect_server: PrefectServer,
) -> None:
    flow_id = prefect_server.ask("flows/", name="taken-up")["id"]
    run = prefect_server.ask("flow_runs/", flow_id=flow_id)
    for kind in ("RUNNING", "CRASHED", "SCHEDULED", "RUNNING"):
        asked = {"state": {"type": kind}, "force": True}
        prefect_server.ask(f"flow_runs/{run['id']}/set_state", **asked)
    for n in range(3):
        task = {"task_key": "generate-clip", "dynamic_key": str(n), "flow_run_id": run["id"]}
        prefect_server.ask("task_runs/", **task, state={"type": "RUNNING"})

    async def go_on() -> None:
        async with get_client() as client:
            known = await client.read_flow_run(UUID(run["id"]))
        assert known.run_count == 2
        context_of: Any = FlowRunContext.model_construct
        with context_of(flow_run=known):
            await end_left_tasks()

    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        asyncio.run(go_on())
    assert [task["state_type"] for task in task_runs(prefect_server, run)] == ["CRASHED"] * 3


@pytest.fixture
def automated(prefect_server: PrefectServer) -> Iterator[None]:
    """The server does by itself what `deployments/automations.yaml` says."""
    shipped = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())
    ids = [prefect_server.ask("automations/", **each)["id"] for each in shipped["automations"]]
    yield
    for each in ids:
        prefect_server.client.delete(f"/automations/{each}").raise_for_status()


def test_a_run_that_crashes_at_every_start_is_given_up(
    deployed: dict[str, str], prefect_server: PrefectServer, automated: None
) -> None:
    (deployment,) = (d for d in prefect_server.ask("deployments/filter") if d["name"] == "recover")
    run = prefect_server.ask(f"deployments/{deployment['id']}/create_flow_run")

    def crashed() -> dict[str, Any]:
        for kind in ("RUNNING", "CRASHED"):
            asked = {"state": {"type": kind}, "force": True}
            prefect_server.ask(f"flow_runs/{run['id']}/set_state", **asked)
        wanted = of_run(run) | {"state": {"type": {"not_any_": ["CRASHED"]}}}
        (found,) = until(lambda: prefect_server.ask("flow_runs/filter", flow_runs=wanted), 30)
        state: dict[str, Any] = found["state"]
        return state

    assert crashed()["name"] == "AwaitingRetry"
    given_up = crashed()
    assert given_up["type"] == "FAILED"
    assert "See in its log why" in given_up["message"]


def test_a_worker_makes_the_film_of_a_deployment_run(
    deployed: dict[str, str], prefect_server: PrefectServer, world: World
) -> None:
    shots = world.write(LIST, "deployed.csv")
    out = world.folder / "film"
    given = {"shots": str(world.folder / shots), "out": str(out), "budget_usd": 0.96}
    env = {**deployed, **world.env, "SHOTREEL_HOME": str(world.home)}
    with (world.folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [PREFECT, "worker", "start", "--pool", "shotreel", "--type", "process"],
            env=env,
            cwd=world.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deployments = prefect_server.ask("deployments/filter")
            (deployment,) = (d for d in deployments if d["name"] == "make-film")
            path = f"deployments/{deployment['id']}/create_flow_run"
            prefect_server.ask(path, parameters=given)
            run = flow_run(prefect_server, "deployed")
        finally:
            stop(worker)
    told = (world.folder / "worker.log").read_text()
    assert run["state"]["type"] == "COMPLETED", told
    manifest = json.loads((out / "manifest.json").read_text())
    assert_film_is_its_clips(out, manifest)
    assert manifest["totals"] == {"units": "12", "cost_usd": "0.96"}
    assert world.charged == world.billed
    names = {task["name"] for task in until(lambda: task_runs(prefect_server, run))}
    assert names <= TASKS
