"""What tests of every kind share while a session lives: a Postgres server, a Prefect server, and a
process from which commands are forked that use it."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import trustme
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, make_url, text

from tests.browser import browser, page
from tests.e2e.prefect_server import PrefectServer, empty_database, serve
from tests.zygote import Zygote

__all__ = ["browser", "page"]

# How long an example takes says something about the machine, not about the code.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--studio",
        action="store_true",
        help="also the tests that bring a whole studio up: server, workers, browser (minutes)",
    )


# They begin first, so that in the end no worker has one of them left while the others have none.
LONG = (
    "tests/e2e/test_terminal.py",
    "tests/crash/test_matrix.py",
    "tests/home/test_ui.py",
    "tests/scale/test_workers.py",
    "tests/wheel/",
    "tests/simulation/",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    if not config.getoption("--studio"):
        for item in items:
            if item.get_closest_marker("studio"):
                item.add_marker(pytest.mark.skip(reason="brings a whole studio up: --studio"))


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each client of HTTP would read the certificates of the world, for servers on this machine."""
    path = tmp_path_factory.mktemp("authorities") / "one.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    os.environ["SSL_CERT_FILE"] = str(path)


@pytest.fixture(scope="session")
def prefect_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prefect's, with nothing in it: to be copied. All processes of a test run share it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "empty-prefect"
    folder.mkdir(exist_ok=True)
    return empty_database(folder)


@pytest.fixture(scope="session")
def prefect_server(
    prefect_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrefectServer]:
    with serve(tmp_path_factory.mktemp("prefect"), prefect_database) as server:
        yield server


@pytest.fixture(scope="session")
def film_zygote(prefect_server: PrefectServer) -> Iterator[Zygote]:
    """Its processes run complete flows, on the Prefect server."""
    with Zygote(prefect_server.env) as started:
        yield started


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server whose databases may be made: the environment's, or a throw-away one."""
    url = os.environ.get("SHOTREEL_TEST_POSTGRES_URL")
    if url:
        yield url
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        reason = "no Postgres: set SHOTREEL_TEST_POSTGRES_URL or install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="shotreel-postgres-") as folder:
        yield from _throw_away_server(programs[-1].parent, Path(folder))


def _throw_away_server(programs: Path, folder: Path) -> Iterator[str]:
    # Postgres refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        subprocess.run(["chown", user, str(folder)], check=True)
    data = str(folder / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(programs / program), *arguments],
            check=True,
            user=user,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    run("initdb", "-D", data, "-U", "shotreel", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        yield f"postgresql://shotreel@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="session")
def _postgres_engine(postgres_server: str) -> Iterator[Engine]:
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_url(_postgres_engine: Engine) -> Iterator[str]:
    """URL of an empty schema, dropped in the end."""
    name = f"test_{uuid4().hex[:12]}"
    with _postgres_engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    url = _postgres_engine.url.set(drivername="postgresql")
    try:
        yield url.set(query={"options": f"-csearch_path={name}"}).render_as_string(False)
    finally:
        with _postgres_engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
