from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blocks.ledger import Ledger
from tests.ledger.worker import Worker

OpenLedger = Callable[..., Ledger]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database for one test's ledger: of every kind that a ledger can live on."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/ledger.sqlite"


@pytest.fixture
def open_ledger(url: str) -> Iterator[OpenLedger]:
    """Opens the test's ledger as one more process would; each has an owner of its own."""
    with ExitStack() as stack:

        def another(run_id: str = "run", budget_usd: object = None) -> Ledger:
            ledger = Ledger(url)
            stack.callback(ledger.close)
            ledger.start_run(run_id, "a test", budget_usd)  # type: ignore[arg-type]
            return ledger

        yield another


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    return open_ledger()


@pytest.fixture(scope="session")
def ten_workers() -> Iterator[list[Worker]]:
    workers = [Worker() for _ in range(10)]
    yield workers
    for worker in workers:
        worker.end()


@pytest.fixture
def start_worker() -> Iterator[Callable[[], Worker]]:
    """For tests that kill: a process of its own each time."""
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker())
        return started[-1]

    yield start
    for worker in started:
        worker.end()
