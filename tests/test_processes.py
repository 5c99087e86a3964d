"""Processes that work for another: whose work they do, and when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest

from blocks.errors import StitchError
from blocks.processes import Processes, kept_running
from tests.zygote import ROOT, clean_environment

SCRIPT = """
import os
from blocks.processes import Processes
with open("runs", "a") as runs:
    runs.write("run\\n")
with Processes(2) as pool:
    print(sorted(pool.map(abs, [-1, -2, -3])))
"""


@pytest.fixture
def pool() -> Iterator[Processes]:
    with Processes(1) as pool:
        yield pool


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[1, 2, 3]\n"), done.stderr
    assert (tmp_path / "runs").read_text() == "run\n"


def test_what_the_work_prints_is_no_reply(pool: Processes) -> None:
    assert pool.submit(os.write, 1, b"printed").result() == 7
    assert pool.submit(os.read, 0, 1).result() == b""


def test_an_error_is_raised_where_the_work_was_asked_for(pool: Processes) -> None:
    with pytest.raises(StitchError, match="no frames"):
        pool.submit(_fail, StitchError("no frames", remedy="Look.")).result()
    with pytest.raises(RuntimeError, match="StubbornError: stays"):
        pool.submit(_stubborn).result()


def test_a_process_that_dies_takes_no_other_work_with_it(pool: Processes) -> None:
    before = pool.submit(os.getpid).result()
    with pytest.raises(BrokenProcessPool):
        pool.submit(os._exit, 9).result()
    assert pool.submit(os.getpid).result() != before


def test_idle_process_serves_the_next_pool_while_it_is_to() -> None:
    with kept_running(1):
        with Processes(1) as first:
            pid = first.submit(os.getpid).result()
        with Processes(1) as second:
            assert second.submit(os.getpid).result() == pid
            work = second.submit(time.sleep, 600)
            while not work.running():
                time.sleep(0.01)
            second.shutdown(cancel_futures=True)
        with Processes(1) as third:
            other = third.submit(os.getpid).result()
            assert other != pid
        assert _lives(other)
    assert not _lives(other)
    assert not _lives(pid)


def test_shutting_down_ends_what_is_being_done() -> None:
    pool = Processes(1)
    pid = pool.submit(os.getpid).result()
    work = pool.submit(time.sleep, 600)
    while not work.running():
        time.sleep(0.01)
    begun = time.monotonic()
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - begun < 60
    assert isinstance(work.exception(), BrokenProcessPool)
    assert not _lives(pid)


def test_a_process_ends_with_the_one_that_it_works_for() -> None:
    asking = "from blocks.processes import Processes; import os, signal; pool = Processes(1);"
    asking += "print(pool.submit(os.getpid).result(), flush=True);"
    asking += "import time; pool.submit(time.sleep, 600);"  # also in the middle of work
    asking += "os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run(
        [sys.executable, "-c", asking], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    limit = time.monotonic() + 60
    while _lives(int(done.stdout)):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_work_is_found_where_the_caller_found_it(tmp_path: Path, pool: Processes) -> None:
    """Also where the working folder has packages of the same names."""
    for name in ("blocks", "flows"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('foreign')")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert pool.submit(partial(_where)).result() == __file__


class StubbornError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("it stays")


def _fail(error: Exception) -> None:
    raise error


def _stubborn() -> None:
    raise StubbornError("stays")


def _where() -> str:
    return __file__


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
