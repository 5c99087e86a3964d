"""Where a killed process is watched: its folders, the service beside it, and processes to start."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.web import web
from tests.zygote import HANGS_S, ROOT, Forked, Zygote


class Service:
    """The sandbox in a process of its own, that can go away and come back."""

    def __init__(self, zygote: Zygote, folder: Path, latency_s: float = 0.1) -> None:
        self._zygote = zygote
        self._latency_s = latency_s
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: Forked | None = None
        self.url = ""
        self.start()

    def start(self) -> None:
        port = self.url.rpartition(":")[2] or "0"
        named = self.folder / "url"
        named.unlink(missing_ok=True)
        self._process = self._zygote.fork(
            "tests.crash.service:main",
            [str(self.folder), port, str(self._latency_s)],
            self.folder,
            self._zygote.env,
            self.folder / "log.txt",
        )
        limit = time.monotonic() + HANGS_S
        while not named.exists():
            assert time.monotonic() < limit, "the sandbox did not start"
            time.sleep(0.01)
        self.url = named.read_text()

    def stop(self) -> None:
        if self._process:
            self._process.signal(signal.SIGTERM)
            self._process.wait()
            self._process = None

    def told(self, what: str) -> Any:
        return web.get(f"{self.url}/sandbox/{what}").json()

    def misbehave(self, rules: Sequence[Mapping[str, Any]]) -> None:
        reply = web.put(f"{self.url}/sandbox/faults", json=list(rules))
        assert reply.status_code == 200, reply.text


class Place:
    """One film's folder: its home, its shot list, its service."""

    def __init__(self, zygote: Zygote, service: Service, folder: Path) -> None:
        self.zygote = zygote
        self.service = service
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.home = folder / "home"
        self.ledger_url = f"sqlite:///{self.home}/ledger.sqlite"
        self.env = {
            "SHOTREEL_HOME": str(self.home),
            "SHOTREEL_SANDBOX_URL": service.url,
            # fal's shortest bound, so that silence proves something soon.
            "SHOTREEL_START_TIMEOUT_S": "2",
            "SHOTREEL_QUIET_S": "3",
        }

    def list_shots(self, rows: Sequence[Mapping[str, object]]) -> Path:
        """A shot list beside the home."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(names)]
        lines += [",".join(str(row.get(name, "")) for name in names) for row in rows]
        path = self.folder / "film.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *command: str, kill_at: str = "", max_file_bytes: int = 0) -> Forked:
        argv = ["--kill-at", kill_at] if kill_at else []
        argv += ["--max-file-bytes", str(max_file_bytes)] if max_file_bytes else []
        return self.zygote.fork(
            "tests.crash.runner:main",
            [*argv, "--", *command],
            self.folder,
            {**self.zygote.env, **self.env},
            self.folder / "log.txt",
        )

    def run(self, *command: str, kill_at: str = "", within_s: float = HANGS_S) -> int:
        return self.start(*command, kill_at=kill_at).wait(within_s)

    def run_anew(self, *command: str) -> int:
        """In a process that no other has been forked from: Prefect reads its settings once."""
        env = {**self.zygote.env, **self.env, "PYTHONPATH": str(ROOT)}
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.run(
                [sys.executable, "-m", "tests.crash.runner", "--", *command],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=HANGS_S,
                check=False,
            ).returncode

    def wait_until(self, done: Callable[[], object], within_s: float = HANGS_S) -> None:
        limit = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < limit, self.log
            time.sleep(0.02)

    @property
    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text("utf-8", "replace") if path.exists() else ""
