"""A warm process from which others are forked, so that each of them costs no imports.

    python -m tests.zygote SOCKET

Every connection asks for one process, by a line of JSON: `call` (module:function, given `argv`,
gives an exit code), `argv`, `cwd`, `env` (whole), and the files `in`, `out` and `err`. The answer
is its pid on a line, and at its end its exit code (negative: the signal) on another. Prefect reads
its settings when it is imported: they are the zygote's. SIGUSR1 has a process write its threads'
stacks to `err`. What works for such a process (blocks/processes.py) is forked for it as well.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from blocks import processes
from flows import prefect_settings

ROOT = Path(__file__).parents[1]
WARM = (
    "anyio._backends._asyncio",
    "av.subtitles.stream",
    "blocks.sandbox.server",
    "coolname.data",
    "encodings.idna",
    "fastapi",
    "flows.cli",
    "flows.commands.costs",
    "flows.commands.make",
    "flows.commands.recover",
    "flows.make_film",
    "flows.studio.place",
    "httpx",
    "pandas.io.formats.csvs",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "pyarrow.pandas_compat",
    "rich._emoji_codes",
    "sqlalchemy.dialects.sqlite",
    "tests.crash.runner",
    "tests.crash.service",
    "tests.e2e.world",
    "uvicorn",
)
START_S = 300
HANGS_S = 300
"""How long nothing may take: bounds that are promised stand in the tests themselves."""


class Forked:
    """A process that the zygote has forked."""

    def __init__(self, connection: socket.socket, err: Path) -> None:
        self._connection = connection
        self._lines = connection.makefile()
        self._err = err
        self.pid = int(self._lines.readline())

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, within_s: float = HANGS_S) -> int:
        """Its exit code; negative: the signal that it died of."""
        self._connection.settimeout(within_s)
        try:
            line = self._lines.readline()
        except TimeoutError:
            self.signal(signal.SIGUSR1)
            time.sleep(1)
            self.signal(signal.SIGKILL)
            said = self._err.read_text("utf-8", "replace")
            raise AssertionError(f"it was not done after {within_s} s:\n{said}") from None
        finally:
            self._lines.close()
            self._connection.close()
        return int(line)


class Zygote:
    """`env` is added to an environment without what would lead shotreel or Prefect elsewhere."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="shotreel-zygote-")
        self._path = str(Path(self._folder.name) / "socket")
        self.env = {**clean_environment(), "PREFECT_HOME": self._folder.name, **env}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote", self._path],
            cwd=self._folder.name,  # Prefect reads settings from where it is started, too
            env={**self.env, "PYTHONPATH": str(ROOT)},
        )
        limit = time.monotonic() + START_S
        while not Path(self._path).exists():
            assert self._process.poll() is None, "the zygote did not start"
            assert time.monotonic() < limit
            time.sleep(0.05)

    def fork(
        self,
        call: str,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        out: Path,
        err: Path | None = None,
    ) -> Forked:
        """`env` is the whole environment; where it has other settings of Prefect, they are late."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        err = err or out
        wanted = {
            "call": call,
            "argv": list(argv),
            "cwd": str(cwd),
            "env": dict(env),
            "in": os.devnull,
            "out": str(out),
            "err": str(err),
        }
        connection.sendall(json.dumps(wanted).encode() + b"\n")
        return Forked(connection, err)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Worker:
    """Forked where blocks.processes would start a process afresh, which it takes it for."""

    def __init__(self, zygote: str) -> None:
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(zygote)
        self._lines = self._connection.makefile()
        with tempfile.TemporaryDirectory(prefix="shotreel-worker-") as folder:
            streams = [str(Path(folder) / name) for name in ("in", "out")]
            for path in streams:
                os.mkfifo(path)
            wanted = {
                "call": "tests.zygote:work",
                "argv": [],
                "cwd": str(Path.cwd()),
                "env": dict(os.environ),
                "in": streams[0],
                "out": streams[1],
                "err": str(Path("/proc/self/fd/2").readlink()),
            }
            self._connection.sendall(json.dumps(wanted).encode() + b"\n")
            self.pid = int(self._lines.readline())
            # Either waits for the other end.
            self.stdin = os.fdopen(os.open(streams[0], os.O_WRONLY), "wb")
            self.stdout = os.fdopen(os.open(streams[1], os.O_RDONLY), "rb")

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._lines.readline() or -signal.SIGKILL)
            for stream in (self.stdin, self.stdout, self._lines, self._connection):
                with suppress(BrokenPipeError):
                    stream.close()
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def work(_: Sequence[str]) -> None:
    processes.serve()


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that is meant for shotreel or Prefect."""
    ours = ("SHOTREEL_", "PREFECT_", "FAL_", "WAVESPEED_", "COMFYUI_", "PYTHONSAFEPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


# the warm process ------------------------------------------------------------------------------


def main(path: str) -> int:
    """Gives the exit code of a process that was forked; the zygote itself never returns."""
    prefect_settings.apply(of_commands=True)
    for module in WARM:
        importlib.import_module(module)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        part = f"{path}.part"
        server.bind(part)
        server.listen(64)
        Path(part).rename(path)  # whoever sees it can connect
        while True:
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    server.close()
                    wanted = _guarded(connection)
                    break
    return _run(wanted, path)


def _guarded(connection: socket.socket) -> dict[str, Any]:
    """Forks the process, and gives in it what is wanted; stays beside it and tells of it."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        wanted: dict[str, Any] = json.loads(connection.makefile().readline())
        pid = os.fork()
        if pid == 0:
            return wanted
        connection.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    except OSError:
        pass  # whoever asked is gone
    os._exit(0)


def _run(wanted: dict[str, Any], zygote: str) -> int:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for target, (name, how) in enumerate((("in", os.O_RDONLY), ("out", write), ("err", write))):
        opened = os.open(wanted[name], how)
        os.dup2(opened, target)
        os.close(opened)
    vars(processes)["start"] = partial(Worker, zygote)
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    os.environ.clear()
    os.environ.update(prefect_settings.DEFAULTS | wanted["env"])
    os.chdir(wanted["cwd"])
    module, _, name = wanted["call"].partition(":")
    return int(getattr(importlib.import_module(module), name)(wanted["argv"]) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
