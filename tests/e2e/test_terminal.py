"""The command as a person or a script stops it: from a terminal, in the background, as a group."""

from __future__ import annotations

import os
import pty
import re
import signal
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
from tests.e2e.prefect_server import until
from tests.e2e.world import SHOTREEL, World
from tests.zygote import clean_environment

SOON_S = 10.0
LIST = "shot,prompt,seed,resolution\n" + "".join(f"s{n},Boat {n},{n},480p\n" for n in range(1, 5))
DISSOLVES = "shot,prompt,seed,transition\na,Sea,1,cut\nb,Rock,2,dissolve\nc,Sky,3,dissolve\n"


@dataclass
class Terminal:
    """A command at a terminal of its own, on Prefect's embedded server."""

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


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with Sandbox(tmp_path / "sandbox", latency_s=30) as sandbox:
        env = {"SHOTREEL_SANDBOX_URL": sandbox.url, "PREFECT_HOME": str(tmp_path / "prefect")}
        folder = tmp_path / "user"
        folder.mkdir()
        yield World(folder, sandbox, env)


@pytest.fixture
def at_terminal(world: World) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def begin(*arguments: str) -> Terminal:
        screen, own = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", AT_TERMINAL, SHOTREEL, *arguments],
            cwd=world.folder,
            env=clean_environment() | world.env | {"TERM": "xterm"},
            stdin=own,
            stdout=own,
            stderr=own,
            start_new_session=True,
        )
        os.close(own)
        started.append(Terminal(process, screen))
        return started[-1]

    yield begin
    for terminal in started:
        with suppress(ProcessLookupError):
            os.killpg(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait()
        os.close(terminal.screen)


# It takes the terminal for its own, as a shell's foreground job has it.
AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def servers(world: World) -> list[int]:
    """Embedded servers of this world, by their environment."""
    mark = f"PREFECT_HOME={world.env['PREFECT_HOME']}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"uvicorn" in (entry / "cmdline").read_bytes() and mark in (
                entry / "environ"
            ).read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_clips_are_made_says_what_is_ordered(
    presses: int, world: World, at_terminal: Callable[..., Terminal]
) -> None:
    terminal = at_terminal("make", world.write(LIST))
    until(lambda: world.posts == 4, within_s=280)
    time.sleep(1)
    begun = time.monotonic()
    for _ in range(presses):
        terminal.press()
        time.sleep(0.1)
    code = terminal.ended()
    print(f"ended after {time.monotonic() - begun:.1f} s")
    assert code == 1
    assert "shotreel: stopped. 4 clips ($0.64) are ordered and not here yet." in terminal.text
    assert "`shotreel recover`" in terminal.text
    assert "Traceback" not in terminal.text and "Prefect's API" not in terminal.text
    until(lambda: not servers(world), within_s=20)
