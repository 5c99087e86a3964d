"""Where the studio of a home keeps what it must know, and where others find it."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from blocks import settings
from blocks.errors import SetupError
from blocks.files import replacing
from flows.studio import part

PORT = 4200
SANDBOX_PORT = 8700
HEALTH_TIMEOUT_S = 2.0
Phase = Literal["starting", "up", "failed", "down"]


@dataclass(frozen=True)
class State:
    """What the keeper has written down. `folder` is where runs begin: relative paths start there.

    `mark` stands in the environment of every process that the studio has started.
    """

    phase: Phase
    port: int
    sandbox_port: int
    folder: str
    mark: str
    message: str = ""

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.ui_url}/api"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"


@dataclass(frozen=True)
class StudioPlace:
    """The folder `studio` of a home: state, locks, logs; and Prefect's own database."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "studio"

    @property
    def prefect_home(self) -> Path:
        return self.home / "prefect"

    @property
    def keeper_lock(self) -> Path:
        return self.lock("keeper")

    def lock(self, name: str) -> Path:
        return self.folder / f"{name}.lock"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def locks(self) -> list[Path]:
        return sorted(self.folder.glob("*.lock"))

    def make(self) -> None:
        """The folders, for their owner alone: Prefect's database holds keys. Raises SetupError."""
        try:
            for folder in (self.home, self.folder, self.prefect_home):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o700)
        except OSError as error:
            raise SetupError(
                f"The home cannot be written: {error.strerror}: {error.filename}.",
                remedy="Set SHOTREEL_HOME to a folder that can.",
            ) from None

    def read(self) -> State | None:
        with suppress(OSError, ValueError, TypeError):
            return State(**json.loads((self.folder / "state.json").read_text("utf-8")))
        return None

    def write(self, state: State) -> None:
        with replacing(self.folder / "state.json") as written:
            written.write_text(json.dumps(asdict(state)), "utf-8")


def here() -> StudioPlace:
    return StudioPlace(settings.home())


def running() -> State | None:
    """The state of this home's studio, where it is up and its server answers."""
    place = here()
    state = place.read()
    if state is None or state.phase != "up" or not part.is_locked(place.lock("server")):
        return None
    return state if answers(f"{state.api_url}/health") else None


def join() -> State | None:
    """Let this process use the studio of its home, where the environment names no other server."""
    if os.environ.get("PREFECT_API_URL"):
        return None
    state = running()
    if state:
        os.environ["PREFECT_API_URL"] = state.api_url
        os.environ.setdefault("SHOTREEL_SANDBOX_URL", state.sandbox_url)
    return state


def answers(url: str, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
    # Around every proxy: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as reply:
            return bool(reply.status == 200)
    except (OSError, ValueError):
        return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(first: int, *not_these: int) -> int:
    """`first`, or the next one that nobody has. Raises SetupError."""
    for port in range(first, min(first + 100, 65536)):
        if port not in not_these and is_free(port):
            return port
    raise SetupError(f"No port from {first} on is free.", remedy="Name one: shotreel up --port N")
