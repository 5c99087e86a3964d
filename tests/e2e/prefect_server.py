"""A Prefect server with the settings that shotreel ships, in a process of its own."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from flows.prefect_settings import DEFAULTS
from flows.studio import api
from tests.e2e.world import PREFECT, free_port
from tests.zygote import clean_environment

START_S = 300
STOP_S = 15
SETTLE_S = 300


@dataclass(frozen=True)
class PrefectServer:
    url: str
    home: Path
    client: httpx.Client = field(repr=False)

    @property
    def env(self) -> dict[str, str]:
        return {"PREFECT_API_URL": self.url, "PREFECT_HOME": str(self.home)}

    def ask(self, path: str, **body: Any) -> Any:
        """What the API answers to a POST."""
        answer = self.client.post(f"/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def serve(home: Path, database: Path | None = None, **env: str) -> Iterator[PrefectServer]:
    """A server with nothing in it, until the block ends. `home` also keeps its log.

    `database` is Prefect's, made before: to make one takes as long as to start twice.
    """
    if database:
        shutil.copy(database, home / "prefect.db")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    with api.server(url) as client, (home / "server.log").open("wb") as log:
        server = PrefectServer(url, home, client)
        process = subprocess.Popen(
            [PREFECT, "server", "start", "--port", str(port)],
            env={**clean_environment(), **DEFAULTS, **server.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: _is_up(server, process), START_S)
            yield server
        finally:
            stop(process)


def empty_database(folder: Path) -> Path:
    """Prefect's database as its migrations make it: once, for all that ask for this folder."""
    made = folder / "prefect.db"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            home = folder / "making"
            env = {**clean_environment(), **DEFAULTS, "PREFECT_HOME": str(home)}
            command = [PREFECT, "server", "database", "upgrade", "-y"]
            subprocess.run(command, check=True, env=env, capture_output=True)
            (home / "prefect.db").rename(made)
    return made


def until(look: Callable[[], Any], within_s: float = SETTLE_S) -> Any:
    """What `look` finds, as soon as it finds something: Prefect records a little later."""
    limit = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < limit, "it does not come"
        time.sleep(0.1)
    return found


def stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_up(server: PrefectServer, process: subprocess.Popen[bytes]) -> bool:
    log = (server.home / "server.log").read_text(errors="replace")
    assert process.poll() is None, log
    try:
        return server.client.get("/health", timeout=5).is_success
    except httpx.HTTPError:
        return False
