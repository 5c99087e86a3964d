"""Processes that want the same clips, or the same last dollar, at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tests.crash.cell import KILLED, hold
from tests.crash.conftest import Open
from tests.crash.place import Place
from tests.e2e.prefect_server import PrefectServer
from tests.zygote import ROOT, clean_environment

NUM_SHOTS = 12
SHOT_USD = Decimal("0.16")


def shots(number: int, first: int = 1) -> list[dict[str, object]]:
    return [
        {"shot": f"s{n}", "prompt": f"Boat {n}.", "seed": n, "resolution": "480p"}
        for n in range(first, first + number)
    ]


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest) -> str:
    """URL of the ledger's database; empty: the SQLite file in the home."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def keep_books_at(place: Place, url: str) -> Place:
    if url:
        place.ledger_url = url
        place.env["SHOTREEL_LEDGER_URL"] = url
    return place


def test_two_processes_that_make_the_same_list_both_have_all_of_it(
    ledger: str, open_place: Open
) -> None:
    place = keep_books_at(open_place(), ledger)
    film = str(place.list_shots(shots(NUM_SHOTS)))
    both = [place.start("buy", film) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0], place.log
    assert place.service.told("posts")["total"] == NUM_SHOTS
    found = hold(place)
    assert found.stored == found.charged == NUM_SHOTS
    assert found.agrees


@pytest.mark.parametrize("point", ["claimed", "sent", "submitted:5", "ready", "kept"])
def test_one_of_two_that_dies_leaves_its_requests_to_the_other(
    point: str, ledger: str, open_place: Open
) -> None:
    place = keep_books_at(open_place(), ledger)
    film = str(place.list_shots(shots(NUM_SHOTS)))
    mortal = place.start("buy", film, kill_at=point)
    place.wait_until((place.home / "incoming").exists)
    heir = place.start("buy", film)
    assert mortal.wait() in (KILLED, 0)
    assert heir.wait() == 0, place.log
    found = hold(place)
    assert found.stored == NUM_SHOTS
    assert found.agrees


def test_two_films_of_one_list_pay_once(open_film: Open) -> None:
    place = open_film()
    film = str(place.list_shots(shots(4)))
    both = [place.start("make", film, "--out", f"out{n}") for n in range(2)]
    assert [process.wait(120) for process in both] == [0, 0], place.log
    for n in range(2):
        assert (place.folder / f"out{n}" / "film.mp4").exists()
    found = hold(place)
    assert found.stored == found.charged == 4
    assert found.agrees


def test_ten_processes_never_exceed_the_month_together(
    ledger: str, open_film: Open, prefect_server: PrefectServer
) -> None:
    place = keep_books_at(open_film(), ledger)
    budget = SHOT_USD * 7 + Decimal("0.08")  # seven clips, and half of another
    lists = []
    for n in range(10):
        path = place.folder / f"list{n}.csv"
        place.list_shots(shots(2 if n % 2 else 1, first=10 * n + 1)).rename(path)
        lists.append(str(path))
    with monthly_budget(prefect_server.url, budget):
        codes = [p.wait() for p in [place.start("buy", path) for path in lists]]
    assert set(codes) == {0, 4}, f"{codes}\n{place.log}"
    found = hold(place)
    assert budget - SHOT_USD * 2 < found.service_usd <= budget
    assert found.service_usd == found.ledger_usd


@contextmanager
def monthly_budget(prefect_url: str, usd: Decimal) -> Iterator[None]:
    """The fal account, saved on the Prefect server as a person would."""
    save = f"FalAccount(key='k', monthly_budget_usd='{usd}').save('default')"
    _tell(prefect_url, save)
    yield
    _tell(prefect_url, "FalAccount.delete('default')")


def _tell(prefect_url: str, call: str) -> None:
    subprocess.run(
        [sys.executable, "-c", f"from flows.studio.blocks import FalAccount; {call}"],
        cwd=ROOT,
        env={**clean_environment(), "PREFECT_API_URL": prefect_url, "HOME": os.environ["HOME"]},
        check=True,
        capture_output=True,
        timeout=60,
    )
