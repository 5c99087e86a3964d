"""The thread that writes for many shots at once: those that come together share a commit.

A commit waits for the disk, milliseconds that a thousand shots would wait for one after another.
Nothing is promised earlier for it: a caller goes on when the commit that holds its change is done.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from blocks.ledger.engine import together

T = TypeVar("T")

MOST = 64
"""Calls in one transaction: others who use the ledger wait for its end."""


@dataclass
class _Wanted:
    """`done` is told in its own loop."""

    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None

    def run(self) -> None:
        if self.done.cancelled():
            return  # nobody would act on it: a claim, say, that is never sent
        try:
            self.result, self.error = self.call(), None
        except Exception as error:  # noqa: BLE001 - it is its caller's, and raised there
            self.error = error

    def tell(self) -> None:
        if self.done.done():
            return
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class LedgerWriter:
    """Calls of a ledger in a thread of their own, in the order in which they come."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Wanted | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    async def do(self, call: Callable[[], T]) -> T:
        """What the call gives or raises, when it is on disk."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Wanted(call, loop, done))
        return await done

    def close(self) -> None:
        """Waits until all that was wanted is done."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while batch[-1] is not None and len(batch) < MOST and not self._queue.empty():
                batch.append(self._queue.get())
            wanted = [each for each in batch if each is not None]
            self._work(wanted)
            for loop in {each.loop for each in wanted}:
                self._tell(loop, [each for each in wanted if each.loop is loop])
            if batch[-1] is None:
                return

    def _work(self, batch: Sequence[_Wanted]) -> None:
        try:
            with together(self._engine):
                for each in batch:
                    each.run()
                    if isinstance(each.error, SQLAlchemyError):
                        raise each.error
        except Exception:  # noqa: BLE001 - whatever it was, each caller is told about its own
            # Nothing of the batch was written: one call's trouble, or a disk's, is not all calls'.
            for each in batch:
                each.run()

    def _tell(self, loop: asyncio.AbstractEventLoop, batch: Sequence[_Wanted]) -> None:
        def tell() -> None:
            for each in batch:
                each.tell()

        with suppress(RuntimeError):  # the loop has ended, and its callers with it
            loop.call_soon_threadsafe(tell)
