"""Processes that work for this one, so that its loop goes on: started afresh, never forked.

Not multiprocessing's: where the caller's script has no `__main__` guard, that runs the script again
in each process, and a script that makes a film would make it once more.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import LifoQueue, SimpleQueue
from struct import Struct
from typing import BinaryIO, ParamSpec, TypeVar

_SIZE = Struct("!Q")

P = ParamSpec("P")
T = TypeVar("T")

# Our code is found first where it is, then everything else where this process finds it.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); import blocks, flows; sys.path[:] = sys.argv[2:];"
    "from blocks.processes import serve; serve()"
)


class Processes(Executor):
    """At most `count`, each started with its first work. What is submitted has to pickle.

    A process that ends under its work is a BrokenProcessPool for that work alone. `shutdown` ends
    the processes, whatever they are doing.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="processes")
        self._all = [_Process() for _ in range(count)]
        # The last one back is the next one out, so that little work starts a single process.
        self._idle: LifoQueue[_Process] = LifoQueue()
        for each in self._all:
            self._idle.put(each)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._threads.submit(self._do, partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=False, cancel_futures=cancel_futures)
        for each in self._all:
            each.end()
        self._threads.shutdown(wait)

    def __exit__(self, *exception: object) -> None:
        self.shutdown(cancel_futures=True)

    def _do(self, work: Callable[[], T]) -> T:
        process = self._idle.get()
        try:
            return process.do(work)
        finally:
            self._idle.put(process)


class _Spares:
    """Idle processes that wait for the next pool: what they have imported takes seconds."""

    def __init__(self) -> None:
        self.most = 0
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []

    def give(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it is taken."""
        with self._lock:
            taken = len(self._idle) < self.most
            if taken:
                self._idle.append(process)
            return taken

    def take(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
            return None

    def end(self) -> None:
        while process := self.take():
            process.kill()
            process.wait()


_spares = _Spares()


@contextmanager
def kept_running(count: int) -> Iterator[None]:
    """While the block lasts, so many processes that a pool leaves idle serve the next pool."""
    _spares.most = count
    try:
        yield
    finally:
        _spares.most = 0
        _spares.end()


class _Process:
    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_busy = False
        self._ended = False
        self._starting = threading.Lock()

    def do(self, work: Callable[[], T]) -> T:
        asked = pickle.dumps(work)
        process = self._running()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(_SIZE.pack(len(asked)) + asked)
            process.stdin.flush()
            done, value = pickle.load(process.stdout)  # noqa: S301 - it is our own
            self._is_busy = False
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            process.kill()
            raise BrokenProcessPool(f"it ended with code {process.wait()}") from error
        if not done:
            raise value
        result: T = value
        return result

    def end(self) -> None:
        with self._starting:
            self._ended = True
            process, self._process = self._process, None
            idle = process is not None and process.poll() is None and not self._is_busy
            if process and not (idle and _spares.give(process)):
                process.kill()
                process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._ended:
                raise BrokenProcessPool("the pool was shut down")
            if self._process is None or self._process.poll() is not None:
                self._process = _spares.take()
            if self._process is None:
                self._process = start()
            self._is_busy = True
            return self._process


def start() -> subprocess.Popen[bytes]:
    """A process that serves over its standard streams."""
    root = str(Path(__file__).parents[1])
    return subprocess.Popen(  # noqa: S603 - code of our own
        [sys.executable, "-P", "-c", _BOOT, root, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for whoever asked; this one ends with its standard input.
        start_new_session=True,
    )


def serve() -> None:
    """What a process does: one piece of work after the other, until nobody is there to ask."""
    asked, replies = _taken(0, os.O_RDONLY, "rb"), _taken(1, os.O_WRONLY, "wb")
    works: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(asked, works), daemon=True).start()
    with suppress(BrokenPipeError):
        while True:
            replies.write(_reply(works.get()))
            replies.flush()


def _read(asked: BinaryIO, works: SimpleQueue[bytes]) -> None:
    """Also in the middle of work its end is heard of, and then nobody wants the rest."""
    with suppress(OSError):
        while len(head := asked.read(_SIZE.size)) == _SIZE.size:
            works.put(asked.read(*_SIZE.unpack(head)))
    os._exit(0)


def _reply(asked: bytes) -> bytes:
    try:
        work = pickle.loads(asked)  # noqa: S301 - it is our own
        return pickle.dumps((True, work()))
    except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
        try:
            pickle.loads(pickled := pickle.dumps((False, error)))  # noqa: S301 - it is our own
        except Exception:  # noqa: BLE001 - an exception that does not pickle
            pickled = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return pickled


def _taken(descriptor: int, mode: int, file_mode: str) -> BinaryIO:
    """The stream for us alone: what a library prints, or a child reads, is none of ours."""
    own = os.dup(descriptor)
    nothing = os.open(os.devnull, mode)
    os.dup2(2 if descriptor else nothing, descriptor)
    os.close(nothing)
    file: BinaryIO = os.fdopen(own, file_mode)  # type: ignore[assignment]
    return file
