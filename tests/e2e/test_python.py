"""The flow as a Python program calls it: from a script, in a flow of its own, served."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.prefect_server import PrefectServer, stop, until
from tests.e2e.world import World, refused
from tests.zygote import ROOT, clean_environment

LIST = "sequence,shot,prompt,seed,transition\ns,a,Sea,1,\ns,b,Rock,2,dissolve\nt,c,Sky,3,\n"
TOLD = """
import json
def told(made):
    print(json.dumps({"film": made.film and str(made.film), "report": str(made.report),
                      "cost_usd": str(made.cost_usd), "exit_code": made.exit_code,
                      "errors": sorted(made.errors)}))
"""
SCRIPT = """
import asyncio
from prefect import flow
from flows.make_film import make_film
open("runs", "a").write("run\\n")
told(asyncio.run(make_film("list.csv")))
"""
PARENT = """
import asyncio
from prefect import flow
from blocks.errors import InputError
from flows.make_film import make_film
@flow
async def season():
    try:
        await make_film("prompt\\n\\x00\\n")
    except InputError as error:
        assert error.exit_code == 2
    return await make_film("list.csv", out="there")
told(asyncio.run(season()))
"""
SERVED = """
from flows.make_film import make_film
if __name__ == "__main__":  # Prefect wants it here
    make_film.serve(name="served", parameters={"shots": "list.csv"})
"""
SETTINGS = """
import prefect, os
from prefect.settings import get_current_settings
assert get_current_settings().server.ephemeral.startup_timeout_seconds != 120
import flows.make_film
settings = get_current_settings()
print(settings.server.ephemeral.startup_timeout_seconds,
      settings.server.services.task_run_recorder.batch_size,
      os.environ.get("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"))
"""


def environment(world: World) -> dict[str, str]:
    return clean_environment() | world.env | {"PYTHONPATH": str(ROOT)}


def run(world: World, script: str) -> dict[str, Any]:
    """What the script printed, as a person runs it: `python script.py`."""
    (world.folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=world.folder,
        env=environment(world),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_script_without_a_main_guard_makes_one_film_and_is_given_it(world: World) -> None:
    world.write(LIST)
    made = run(world, TOLD + SCRIPT)
    assert made == {
        "film": "out/list/film.mp4",
        "report": "out/list/report.html",
        "cost_usd": "0.96",
        "exit_code": 0,
        "errors": [],
    }
    assert (world.folder / made["film"]).exists()
    assert (world.folder / made["report"]).exists()
    assert (world.folder / "runs").read_text() == "run\n"
    assert world.posts == 3
    assert world.charged == world.billed


def test_a_flow_is_given_a_film_that_is_not_whole_and_what_is_missing(
    world: World, prefect_server: PrefectServer
) -> None:
    world.write(LIST)
    world.misbehave(refused("Rock"))
    made = run(world, TOLD + PARENT)
    assert (made["exit_code"], made["cost_usd"]) == (3, "0.64")
    assert made["film"] == "there/film.mp4"
    assert made["errors"] == ["s/b"]
    runs = prefect_server.ask("flow_runs/filter", flow_runs={"name": {"any_": ["list"]}})
    states = [run["state"]["type"] for run in runs if run["parent_task_run_id"]]
    assert states == ["FAILED"]


def test_the_flow_can_be_served(world: World, prefect_server: PrefectServer) -> None:
    world.write(LIST)
    (world.folder / "serve.py").write_text(SERVED)
    with (world.folder / "serve.log").open("wb") as log:
        serving = subprocess.Popen(
            [sys.executable, "serve.py"],
            cwd=world.folder,
            env=environment(world),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wanted = {"name": {"any_": ["served"]}}
            (found,) = until(lambda: prefect_server.ask("deployments/filter", deployments=wanted))
            started = prefect_server.ask(f"deployments/{found['id']}/create_flow_run")
            ended = {"id": {"any_": [started["id"]]}, "end_time": {"is_null_": False}}
            (ended_run,) = until(lambda: prefect_server.ask("flow_runs/filter", flow_runs=ended))
        finally:
            stop(serving)
    prefect_server.client.delete(f"/deployments/{found['id']}")
    assert ended_run["state"]["type"] == "COMPLETED", (world.folder / "serve.log").read_text()
    assert (world.folder / "out" / "list" / "film.mp4").exists()


def test_prefects_settings_are_applied_by_import_also_after_prefect(world: World) -> None:
    (world.folder / "script.py").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=world.folder,
        env=environment(world),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["120", "100", "None"], done.stderr
