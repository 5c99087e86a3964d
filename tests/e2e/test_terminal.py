"""The command as a person or a script stops it: from a terminal, in the background, as a group."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blocks.sandbox import Sandbox
from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import SHOTREEL, World
from tests.web import web
from tests.zygote import clean_environment

SOON_S = 10.0
LIST = "shot,prompt,seed,resolution\n" + "".join(f"s{n},Boat {n},{n},480p\n" for n in range(1, 5))
ORDERED = "shotreel: stopped. 4 clips ($0.64) are ordered and not here yet. They are not lost: "
DRAWN = "shot,prompt,seed,transition,transition_s\n" + "".join(
    f"s{n},Boat {n},{n},{'dissolve,1.5' if n > 1 else ','}\n" for n in range(1, 13)
)


@dataclass
class Terminal:
    """A command at a terminal of its own; on Prefect's embedded server, unless one is named."""

    process: subprocess.Popen[bytes]
    screen: int
    _heard: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):  # the terminal is gone with its last process
            while data := os.read(self.screen, 65536):
                self._heard.append(data)

    @property
    def text(self) -> str:
        plain = re.sub(
            r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(self._heard).decode("utf-8", "replace")
        )
        return " ".join(plain.split())

    def press(self, key: bytes = b"\x03") -> None:
        os.write(self.screen, key)

    def ended(self, within_s: float = SOON_S) -> int:
        """Its exit code, and in time."""
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"alive after {within_s} s: {self.text}") from None
        time.sleep(0.2)  # what it said last is being read
        return code


@pytest.fixture(scope="module")
def prefect_home(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(prefect_database, home)
    return home


@pytest.fixture
def world(tmp_path: Path, prefect_home: Path) -> Iterator[World]:
    with Sandbox(tmp_path / "sandbox", latency_s=60, render="thumb") as sandbox:
        env = {"SHOTREEL_SANDBOX_URL": sandbox.url, "PREFECT_HOME": str(prefect_home)}
        folder = tmp_path / "user"
        folder.mkdir()
        yield World(folder, sandbox, env)
    until(lambda: not servers(prefect_home), within_s=30)


Begin = Callable[..., Terminal]


@pytest.fixture
def begin(world: World) -> Iterator[Begin]:
    """Starts a command at a terminal, in a process group of its own."""
    started: list[Terminal] = []

    def start(*arguments: str, launched_by: str = AT_TERMINAL) -> Terminal:
        screen, own = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", launched_by, SHOTREEL, *arguments],
            cwd=world.folder,
            env=clean_environment() | world.env | {"TERM": "xterm", "COLUMNS": "300"},
            stdin=own,
            stdout=own,
            stderr=own,
            start_new_session=True,
        )
        os.close(own)
        started.append(Terminal(process, screen))
        return started[-1]

    yield start
    for terminal in started:
        with suppress(ProcessLookupError):
            os.killpg(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait()
        os.close(terminal.screen)


# It takes the terminal for its own, as a shell's foreground job has it, and no signal is ignored,
# also where these tests run in the background.
AT_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
for each in signal.SIGINT, signal.SIGHUP:
    signal.signal(each, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


# As a shell starts what ends in `&` in a script: SIGINT does nothing to it.
IN_BACKGROUND = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


def servers(prefect_home: Path) -> list[int]:
    """Embedded servers, by their environment (Linux)."""
    mark = f"PREFECT_HOME={prefect_home}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if b"uvicorn" in command and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def assert_stopped(terminal: Terminal, words: str = "shotreel: stopped.") -> None:
    assert terminal.ended() == 1, terminal.text
    assert words in terminal.text
    assert "Traceback" not in terminal.text and "Prefect's API" not in terminal.text


def in_state(world: World, state: str) -> int:
    with suppress(sqlite3.OperationalError):  # the ledger is not there yet
        ((count,),) = world.rows(f"SELECT COUNT(*) FROM attempts WHERE state = '{state}'")
        return int(count)
    return 0


def ordered(world: World) -> None:
    until(lambda: world.posts == 4)
    time.sleep(0.5)  # the answers are written down


def test_a_second_ctrl_c_while_clips_are_made_says_what_is_ordered_too(
    world: World, begin: Begin
) -> None:
    terminal = begin("make", world.write(LIST))
    ordered(world)
    for _ in range(2):
        terminal.press()
        time.sleep(0.7)
    assert_stopped(terminal, ORDERED)


def test_ctrl_c_while_the_server_starts(world: World, prefect_home: Path, begin: Begin) -> None:
    terminal = begin("make", world.write(LIST))
    until(lambda: servers(prefect_home))
    terminal.press()
    assert_stopped(terminal, "shotreel: stopped. Nothing that was bought is missing.")


def test_ctrl_c_while_the_film_is_stitched(
    world: World, begin: Begin, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    world.env |= prefect_server.env
    with Sandbox(tmp_path / "quick", latency_s=0.1) as quick:
        world.env["SHOTREEL_SANDBOX_URL"] = quick.url
        terminal = begin("make", world.write(DRAWN))
        until(lambda: in_state(world, "stored") == 12)
        terminal.press()
        assert_stopped(terminal, "shotreel: stopped. Nothing that was bought is missing.")


def test_sigterm_ends_a_background_job_which_ignores_sigint(world: World, begin: Begin) -> None:
    terminal = begin("make", world.write(LIST), launched_by=IN_BACKGROUND)
    ordered(world)
    terminal.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert terminal.process.poll() is None
    terminal.process.send_signal(signal.SIGTERM)
    assert_stopped(terminal, ORDERED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["term", "hangup"])
def test_a_signal_to_the_whole_group_ends_it(
    number: signal.Signals, world: World, begin: Begin
) -> None:
    """As `timeout` and systemd send it; as a terminal that closes."""
    terminal = begin("make", world.write(LIST))
    ordered(world)
    os.killpg(terminal.process.pid, number)
    assert_stopped(terminal, ORDERED)


def test_what_is_called_off_at_ones_own_comfyui_is_said(
    world: World, begin: Begin, prefect_server: PrefectServer
) -> None:
    world.env |= prefect_server.env
    rows = "".join(f"s{n},comfyui/blank.json,Boat {n},{n}\n" for n in range(1, 3))
    terminal = begin("make", world.write(f"shot,model,prompt,seed\n{rows}"))
    until(lambda: world.posts == 2)
    time.sleep(0.5)
    terminal.press()
    assert_stopped(terminal, "shotreel: stopped. 2 clips were called off, and cost nothing.")
    assert "ordered and not here" not in terminal.text


def test_a_run_whose_prefect_server_dies_makes_its_film_and_ends_with_words(
    world: World, prefect_home: Path, begin: Begin, tmp_path: Path
) -> None:
    with Sandbox(tmp_path / "slow", latency_s=5, render="thumb") as slow:
        world.env["SHOTREEL_SANDBOX_URL"] = slow.url
        terminal = begin("make", world.write(LIST))
        until(lambda: in_state(world, "submitted") == 4)
        for server in servers(prefect_home):
            os.kill(server, signal.SIGKILL)
        code = terminal.ended(within_s=60)
    assert code == 0, terminal.text
    assert "Film out/list/film.mp4" in terminal.text and "Prefect's API" in terminal.text
    assert "Traceback" not in terminal.text


def test_the_embedded_server_answers_this_machine_alone_and_ctrl_c_says_what_is_ordered(
    world: World, prefect_home: Path, begin: Begin
) -> None:
    terminal = begin("make", world.write(LIST))
    ordered(world)
    (server,) = servers(prefect_home)
    words = Path(f"/proc/{server}/cmdline").read_bytes().decode().split("\0")
    url = f"http://127.0.0.1:{words[words.index('--port') + 1]}/api"
    foreign = ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"})
    for headers in foreign:
        for method, path in (("POST", "block_documents/filter"), ("GET", "admin/version")):
            answer = web.request(method, f"{url}/{path}", headers=headers)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
    asked = {"trigger": {}, "include_secrets": True}
    for path in ("automations/", "flow_runs/", "block_documents/filter"):
        answer = web.post(f"{url}/{path}", content=json.dumps(asked))
        assert answer.status_code == 403, "a page can send this much without being asked"
    terminal.press()
    assert_stopped(terminal, ORDERED)
