"""Keeps the studio up: starts Prefect's server, the sandbox and a worker, and heals what dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from blocks.errors import SetupError
from flows import prefect_settings
from flows.prefect_settings import QUIET
from flows.project import CODE, FOLDER, PYTHON
from flows.studio.api import end_runs, kept, server, set_logos, workers_online
from flows.studio.part import Part, end_marked, is_locked, stop, take, write_pid
from flows.studio.place import State, StudioPlace, answers
from flows.studio.prepare import POOL
from flows.studio.server import HOSTS

START_S = 180.0
LOOK_EVERY_S = 1.0
BACKOFF_S = (1.0, 5.0, 15.0, 60.0)
STEADY_S = 60.0
"""What has lived so long and dies is started again at once."""
PREFECT = str(Path(sys.executable).with_name("prefect"))

Say = Callable[[str], None]


def environment(place: StudioPlace, state: State, base: Mapping[str, str]) -> dict[str, str]:
    """What every part runs with; keys and other variables of the caller go along."""
    env = {**prefect_settings.DEFAULTS, **base}
    if env[QUIET] == prefect_settings.DEFAULTS[QUIET]:
        del env[QUIET]  # here the console is a log file
    for name in (
        "PREFECT_API_KEY",
        "PREFECT_API_AUTH_STRING",
        "PREFECT_SERVER_API_AUTH_STRING",
        "PREFECT_PROFILE",
        HOSTS,
    ):
        env.pop(name, None)
    origins = f"{state.ui_url},http://localhost:{state.port}"
    return env | {
        "PREFECT_HOME": str(place.prefect_home),
        "PREFECT_API_URL": state.api_url,
        "PREFECT_SERVER_UI_API_URL": state.api_url,
        "PREFECT_UI_URL": state.ui_url,
        # Any page in the browser could otherwise start a run.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(state.port),
        "PREFECT_WORKER_QUERY_SECONDS": env.get("PREFECT_WORKER_QUERY_SECONDS", "2"),
        "SHOTREEL_HOME": str(place.home),
        FOLDER: state.folder,
        "SHOTREEL_SANDBOX_URL": base.get("SHOTREEL_SANDBOX_URL") or state.sandbox_url,
        "SHOTREEL_STUDIO": state.mark,
        "PYTHONUNBUFFERED": "1",
        # Prefect starts some of its parts with `python -m`.
        "PYTHONSAFEPATH": "1",
    }


def parts_of(place: StudioPlace, state: State, env: Mapping[str, str]) -> dict[str, Part]:
    latency_s = env.get("SHOTREEL_SANDBOX_LATENCY_S") or "1.5"
    commands: dict[str, Sequence[str]] = {
        "server": [sys.executable, "-P", "-m", "flows.studio.server"],
        "sandbox": [
            *(*PYTHON, "-m", "flows.cli", "sandbox"),
            *("--port", str(state.sandbox_port), "--latency", latency_s),
        ],
        "worker": [PREFECT, "worker", "start", "--pool", POOL, "--type", "process"],
    }
    folder = Path(state.folder)
    return {
        name: Part(name, command, folder, env, place.lock(name), place.log(name))
        for name, command in commands.items()
    }


@dataclass
class Keeper:
    """`keep` returns when it is told to end, by SIGTERM, SIGINT or `ending`."""

    place: StudioPlace
    state: State
    say: Say

    def __post_init__(self) -> None:
        self.env = environment(self.place, self.state, os.environ)
        self.parts = parts_of(self.place, self.state, self.env)
        self.ending = threading.Event()

    def keep(self) -> None:
        """Raises SetupError where it does not come up, or is kept by another process."""
        lock = take(self.place.keeper_lock)
        if lock is None:
            raise SetupError("The studio of this home is kept up by another process.")
        with lock:
            write_pid(lock, os.getpid())
            for sign in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sign, lambda *_: self.ending.set())
            self.place.write(self.state)
            try:
                self._begin()
                self._heal()
            except SetupError as error:
                self.place.write(replace(self.state, phase="failed", message=str(error)))
                raise
            else:
                self.place.write(replace(self.state, phase="down"))
            finally:
                self._end()

    def _begin(self) -> None:
        begun = time.monotonic()
        self._start("server")
        self._start("sandbox")
        self._until(lambda: answers(f"{self.state.api_url}/health"), "server")
        self._prepare()
        self._start("worker")
        self._until(lambda: answers(f"{self.state.sandbox_url}/sandbox/faults"), "sandbox")
        with server(self.state.api_url) as client:
            self._until(lambda: has_worker(client), "worker")
        if not self.ending.is_set():
            self.place.write(replace(self.state, phase="up"))
            self.say(f"up after {time.monotonic() - begun:.0f} s")

    def _start(self, name: str) -> None:
        if not self.ending.is_set():
            if name == "worker" and not self.parts[name].alive():
                self._settle()
            begun = self.parts[name].start()
            self.say(f"{name}: {'started' if begun else 'runs already'}")

    def _until(self, is_there: Callable[[], bool], name: str) -> None:
        limit = time.monotonic() + START_S
        while not self.ending.is_set() and not is_there():
            if not self.parts[name].alive() or time.monotonic() > limit:
                raise SetupError(
                    f"The {name} does not start: {self.parts[name].last_words()}",
                    remedy=f"All it said is in {self.parts[name].log}.",
                )
            self.ending.wait(0.2)

    def _prepare(self) -> None:
        """The work pool, the blocks' types and the deployments; what is there already stays."""
        if self.ending.is_set():
            return
        with kept(self.state.api_url):
            done = subprocess.run(  # noqa: S603 - commands of our own
                [*PYTHON, "-m", "flows.studio.prepare"],
                check=False,
                cwd=CODE,
                env=self.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        if done.returncode:
            raise SetupError(done.stderr.strip()[-2000:])
        self.say(done.stdout.strip())
        from blocks.sandbox import logo

        logos = {slug: self.state.sandbox_url + logo.path_of(slug) for slug in logo.LOGOS}
        set_logos(self.state.api_url, logos)

    def _settle(self) -> None:
        """Runs without a worker have ended, and Prefect has to know: they would wait for ever."""
        end_marked(f"SHOTREEL_STUDIO={self.state.mark}", "PREFECT__FLOW_RUN_ID=")
        with suppress(SetupError):
            for name in end_runs(self.state.api_url, POOL):
                self.say(f"run {name}: ended with its worker")

    def _heal(self) -> None:
        """Start again what has died, sooner at first than when it dies again and again."""
        due: dict[str, float] = {}
        while not self.ending.wait(LOOK_EVERY_S):
            for name, part in self.parts.items():
                if part.alive():
                    continue
                if name not in due:
                    if part.lived_s > STEADY_S:
                        part.starts = 1
                    wait_s = BACKOFF_S[min(max(1, part.starts), len(BACKOFF_S)) - 1]
                    due[name] = time.monotonic() + wait_s
                    self.say(f"{name}: died; again in {wait_s:g} s. {part.last_words(3)}")
                if time.monotonic() >= due[name]:
                    del due[name]
                    self._start(name)

    def _end(self) -> None:
        """The worker first, while its runs can still say what has become of them."""
        for name in ("worker", "server", "sandbox"):
            self.parts[name].stop()
            self.say(f"{name}: stopped")
            if name == "worker":
                self._settle()


def stop_all(place: StudioPlace) -> bool:
    """Stop the keeper, what it kept, and what was left of it; False where nothing ran."""
    state = place.read()
    found = False
    for lock in sorted(place.locks(), key=lambda lock: lock.stem != "keeper"):
        found |= is_locked(lock)
        stop(lock, 120.0 if lock.stem == "keeper" else 45.0)
    if state:
        found |= end_marked(f"SHOTREEL_STUDIO={state.mark}")
    return found


def has_worker(client: httpx.Client) -> bool:
    """Whether the server has heard of it; where it does not answer, not yet."""
    with suppress(httpx.HTTPError):
        return bool(workers_online(client, POOL))
    return False
