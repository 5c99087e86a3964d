"""Ctrl-C, SIGTERM, a terminal that closes: each ends a command within seconds, whatever it does.

The work has a thread of its own. The main thread waits for it and for signals, so that a loop that
is held up, or a Prefect server that does not answer, cannot hold the command: what has been ordered
is in the ledger by then, and the next command finds it.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from time import monotonic
from types import FrameType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
STOP_S = 4.0
"""What work that is stopped may take: the answer to a request on its way is still written down."""
REST_S = 1.0
"""What its loop may take to close, and then the process, before both are left behind."""

SAME_S = 0.5
"""Signals within it are one: `timeout` sends SIGTERM to its child and to the group."""

_hurry = threading.Event()
"""Set where work was stopped, or does not close its loop: nobody waits for the rest."""


@dataclass
class Asked:
    at_s: float = 0.0
    waits: bool = False
    """Whether a second signal has something to cut short."""


_asked = Asked()


@contextmanager
def stoppable() -> Iterator[None]:
    """While the block lasts, each of these signals raises KeyboardInterrupt in the main thread.

    What a shell has set to be ignored stays so, except SIGTERM: it ends a background job too.
    """
    before: dict[signal.Signals, Any] = {}
    try:
        for name in SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is None:
                continue
            if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _interrupt)
    except ValueError:
        pass  # not the main thread: signals are another's business
    try:
        yield
    except Exception:
        if _hurry.is_set() and _asked.at_s:
            raise KeyboardInterrupt from None  # C code makes another error of it
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first stops. Later ones only cut a wait short: what it says in the end is said whole."""
    first = not _hurry.is_set()
    if first:
        _hurry.set()
        _asked.at_s = monotonic()
    if first or (_asked.waits and monotonic() - _asked.at_s > SAME_S):
        raise KeyboardInterrupt


def run_stoppable(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work. Raises KeyboardInterrupt where it was stopped; once more asked, at
    once."""
    result: Future[T] = Future()
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def body() -> None:
        task = asyncio.current_task()
        assert task is not None
        begun.set_result((asyncio.get_running_loop(), task))
        try:
            result.set_result(await work)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            result.set_exception(error)

    thread = threading.Thread(
        target=copy_context().run, args=(asyncio.run, body()), name="work", daemon=True
    )
    thread.start()
    try:
        made = result.result()
    except KeyboardInterrupt:
        _asked.waits = True
        try:
            loop, task = begun.result(STOP_S)
            with suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(task.cancel)
            made = result.result(STOP_S)  # it may come to its end all the same
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - it is stopped, however it ends
            if result.done():
                thread.join(REST_S)
            raise KeyboardInterrupt from None
        finally:
            _asked.waits = False
    thread.join(REST_S)
    if thread.is_alive():
        _hurry.set()
    return made


def leave(code: int) -> NoReturn:
    """End the process; within seconds where nobody waits, whatever it has left behind."""
    if _hurry.is_set():
        logging.raiseExceptions = False  # what is left behind may log on: Prefect's API is closed
        for name in SIGNALS:
            with suppress(AttributeError, ValueError):  # not on Windows; not the main thread
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        watch = threading.Timer(REST_S, _leave_now, (code,))
        watch.daemon = True
        watch.start()
    sys.exit(code)


def _leave_now(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(code)
