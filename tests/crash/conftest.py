from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from tests.crash.cell import Cell, all_cells, few_cells, make_film, render_clips, run_cell
from tests.crash.place import Place, Service
from tests.crash.points import POINTS, Point
from tests.zygote import Zygote

CELLS_AT_ONCE = 8
FILMS_AT_ONCE = 4
FILMS = ("reserved", "sent", "ready", "kept", "stored")
"""Points at which the complete command is killed, unless all are wanted."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full-matrix",
        action="store_true",
        help="every point under every fault, for films too: hours of kills",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--full-matrix", default=False) or os.environ.get(
        "SHOTREEL_FULL_MATRIX"
    )
    if "make" in metafunc.fixturenames:
        points = [p for p in POINTS.values() if full or p.name in FILMS]
        metafunc.parametrize("point", points, ids=lambda point: point.name)
    if "cell" in metafunc.fixturenames:
        cells = all_cells() if full else few_cells()
        metafunc.parametrize("cell", cells, ids=lambda cell: cell.name)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote({}) as started:
        yield started


@pytest.fixture(scope="session")
def clips(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clips(zygote, tmp_path_factory.mktemp("clips"))


T = TypeVar("T")


def beside_each_other(
    request: pytest.FixtureRequest, name: str, at_once: int, one: Callable[[T], None]
) -> Iterator[Callable[[T], None]]:
    """What has come of each value of the parameter `name` that was collected.

    All of them run from the start, `at_once` at one time: most of a cell is waiting.
    """
    specs = [getattr(item, "callspec", None) for item in request.session.items]
    wanted: list[T] = [spec.params[name] for spec in specs if spec and name in spec.params]
    with ThreadPoolExecutor(at_once) as pool:
        running: dict[int, Future[None]] = {id(value): pool.submit(one, value) for value in wanted}
        yield lambda value: running[id(value)].result()
        for future in running.values():
            future.cancel()


@pytest.fixture(scope="session")
def run(
    request: pytest.FixtureRequest,
    zygote: Zygote,
    clips: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Cell], None]]:
    root = tmp_path_factory.mktemp("cells")

    def one(cell: Cell) -> None:
        run_cell(zygote, clips, root / cell.name, cell)
        shutil.rmtree(root / cell.name)

    yield from beside_each_other(request, "cell", CELLS_AT_ONCE, one)


@pytest.fixture(scope="session")
def make(
    request: pytest.FixtureRequest,
    film_zygote: Zygote,
    clips: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Point], None]]:
    root = tmp_path_factory.mktemp("films")

    def one(point: Point) -> None:
        make_film(film_zygote, clips, root / point.name, point)
        shutil.rmtree(root / point.name)

    yield from beside_each_other(request, "point", FILMS_AT_ONCE, one)


Open = Callable[..., Place]


class Opener:
    """Opens folders with a service beside each."""

    def __init__(self, zygote: Zygote, clips: Path, root: Path) -> None:
        self._zygote = zygote
        self._clips = clips
        self._root = root
        self._services: list[Service] = []

    def open(self, name: str = "film", latency_s: float = 0.1) -> Place:
        """`latency_s` is how long a clip takes."""
        folder = self._root / name
        (folder / "service").mkdir(parents=True)
        (folder / "service" / "clips").symlink_to(self._clips)
        service = Service(self._zygote, folder / "service", latency_s)
        self._services.append(service)
        return Place(self._zygote, service, folder)

    def close(self) -> None:
        for service in self._services:
            service.stop()


@pytest.fixture
def open_place(zygote: Zygote, clips: Path, tmp_path: Path) -> Iterator[Open]:
    opener = Opener(zygote, clips, tmp_path)
    yield opener.open
    opener.close()


@pytest.fixture
def open_film(film_zygote: Zygote, clips: Path, tmp_path: Path) -> Iterator[Open]:
    opener = Opener(film_zygote, clips, tmp_path)
    yield opener.open
    opener.close()
