"""SIGTERM stops a run like Ctrl-C: what is being sent is still written down."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Enter it inside the flow. Prefect's own handler raises in whatever line is running, which
    may be the one that writes down what was bought; asyncio's for SIGINT cancels the run's task.
    """
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    try:
        loop.add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    except (ValueError, RuntimeError, NotImplementedError):
        yield  # not the main thread, or not a Unix: signals go elsewhere
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
