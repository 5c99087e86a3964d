"""Servers that several machines share: Postgres, an S3-compatible store, Prefect with workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest
from sqlalchemy import create_engine, make_url, text

from flows.studio.part import marked
from tests.e2e.prefect_server import PrefectServer, serve, stop, until
from tests.e2e.world import PREFECT, free_port
from tests.web import web
from tests.zygote import ROOT, clean_environment

Database = Callable[[], str]


@dataclass(frozen=True)
class Bucket:
    """`url` is for shotreel, `env` how a process reaches it."""

    url: str
    env: dict[str, str]

    @property
    def name(self) -> str:
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def client(self) -> Any:
        return boto3.client("s3", endpoint_url=self.env["AWS_ENDPOINT_URL"], **KEYS)

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return [entry["Key"] for entry in found]


KEYS = {
    "aws_access_key_id": "shotreel",
    "aws_secret_access_key": "a-secret-of-the-store",
    "region_name": "us-east-1",
}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto: S3's protocol over real HTTP, in a process of its own."""
    port = free_port()
    with (tmp_path_factory.mktemp("s3") / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _answers(url), 60)
            yield url
        finally:
            stop(process)


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    """A new one, in the environment of whoever is given `env`."""
    name = f"films-{uuid4().hex[:8]}"
    env = {"AWS_ENDPOINT_URL": s3_server, "AWS_DEFAULT_REGION": "us-east-1"} | {
        key.upper(): value for key, value in KEYS.items() if key != "region_name"
    }
    made = Bucket(f"s3://{name}/clips", env)
    made.client.create_bucket(Bucket=name)
    return made


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Iterator[Database]:
    """Makes empty databases, such as Prefect wants one for itself."""
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"test_{uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return server.set(drivername="postgresql", database=name).render_as_string(False)

    yield make
    engine.dispose()


@dataclass
class Worker:
    """A machine: a worker with a home of its own. `log` is what it and its runs have said."""

    home: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return self.home / "log"

    def works_on(self, run_id: str) -> bool:
        return bool(marked(self._mark, f"PREFECT__FLOW_RUN_ID={run_id}"))

    def kill(self) -> None:
        """As when the power fails: the worker and all that it has started, at once.

        Prefect starts each run in a session of its own, so that they are no group.
        """
        while running := marked(self._mark):
            for pid in running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
        self.process.wait()

    @property
    def _mark(self) -> str:
        return f"PREFECT_HOME={self.home / 'prefect'}"


@dataclass
class Cluster:
    """A Prefect server with the repository's deployments, and workers that may be killed."""

    server: PrefectServer
    folder: Path
    env: dict[str, str]
    stack: ExitStack

    def command(self, *arguments: str) -> None:
        done = subprocess.run(
            arguments,
            check=False,
            cwd=ROOT,
            env={**clean_environment(), **self.server.env, "SHOTREEL_PROJECT": str(self.folder)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def worker(self, name: str, limit: int = 3) -> Worker:
        home = self.folder / name
        home.mkdir()
        log = home / "log"
        env = {
            **clean_environment(),
            **self.server.env,
            **self.env,
            "PREFECT_HOME": str(home / "prefect"),
            "SHOTREEL_HOME": str(home / "shotreel"),
            "SHOTREEL_PROJECT": str(self.folder),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PYTHONPATH": str(ROOT),
        }
        arguments = ["--pool", "shotreel", "--type", "process", "--name", name]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [PREFECT, "worker", "start", *arguments, "--limit", str(limit)],
                cwd=self.folder,
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        worker = Worker(home, process)
        self.stack.callback(worker.kill)
        until(lambda: "started" in log.read_text(errors="replace"))
        return worker

    def run(self, deployment: str, **parameters: object) -> str:
        """Starts a run of the deployment; its id."""
        wanted = {"name": {"any_": [deployment]}}
        (found,) = self.server.ask("deployments/filter", deployments=wanted)
        path = f"deployments/{found['id']}/create_flow_run"
        return str(self.server.ask(path, parameters=parameters)["id"])

    def runs(self, **states: list[str]) -> list[dict[str, Any]]:
        wanted = {"state": {"type": states}} if states else {}
        found: list[dict[str, Any]] = self.server.ask("flow_runs/filter", flow_runs=wanted)
        return found

    def state(self, run_id: str) -> dict[str, Any]:
        (run,) = self.server.ask("flow_runs/filter", flow_runs={"id": {"any_": [run_id]}})
        found: dict[str, Any] = run["state"]
        return found

    def is_heard(self, run_id: str) -> bool:
        """Whether its silence would be noticed: the server has had a sign of life."""
        wanted = {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "resource": {"id": [f"prefect.flow-run.{run_id}"]},
        }
        return bool(self.server.ask("events/filter", filter=wanted)["total"])

    def history(self, run_id: str) -> list[dict[str, Any]]:
        answer = self.server.client.get("/flow_run_states/", params={"flow_run_id": run_id})
        found: list[dict[str, Any]] = answer.json()
        return found


@contextmanager
def clustered(server: PrefectServer, folder: Path, env: dict[str, str]) -> Iterator[Cluster]:
    with ExitStack() as stack:
        cluster = Cluster(server, folder, env, stack)
        cluster.command(sys.executable, "-m", "flows.studio.prepare")
        yield cluster


@pytest.fixture(scope="module")
def shared_prefect(
    new_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrefectServer]:
    """Prefect's server on Postgres."""
    url = make_url(new_database()).set(drivername="postgresql+asyncpg")
    connection = {"PREFECT_API_DATABASE_CONNECTION_URL": url.render_as_string(False)}
    with serve(tmp_path_factory.mktemp("prefect"), None, **connection) as server:
        yield server


def _answers(url: str) -> bool:
    try:
        return web.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False
