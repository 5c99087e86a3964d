"""Prefect remembers results to be quick. Whatever becomes of its memory, nothing is paid twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.cell import SHOTS, hold
from tests.crash.conftest import Open, Opener
from tests.crash.place import Place
from tests.zygote import Zygote

ALL = [*SHOTS["fal"], *SHOTS["wavespeed"]]


def nothing(place: Place) -> None:
    pass


def clear_results(place: Place) -> None:
    shutil.rmtree(place.home / "prefect-results")


def refresh(place: Place) -> None:
    place.env["PREFECT_TASKS_REFRESH_CACHE"] = "true"


def alter_clips(place: Place) -> None:
    for clip in stored_clips(place):
        clip.chmod(0o644)
        clip.write_bytes(clip.read_bytes()[:-9] + b"different")


def delete_clips(place: Place) -> None:
    for clip in stored_clips(place):
        clip.unlink()


def delete_clips_and_results(place: Place) -> None:
    delete_clips(place)
    clear_results(place)


def delete_clips_keep_cache_fresh(place: Place) -> None:
    delete_clips(place)
    refresh(place)


def another_prefect_home(place: Place) -> None:
    place.env["PREFECT_HOME"] = str(place.folder / "another-prefect-home")


def a_new_prefect_with_nothing_in_it(place: Place) -> None:
    another_prefect_home(place)
    clear_results(place)


def stored_clips(place: Place) -> list[Path]:
    found = sorted((place.home / "clips").rglob("*.mp4"))
    assert found
    return found


@pytest.fixture(scope="module")
def film(
    film_zygote: Zygote, clips: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Made once: each run after a loss makes it whole again."""
    opener = Opener(film_zygote, clips, tmp_path_factory.mktemp("made"))
    place = opener.open()
    assert place.run("make", str(place.list_shots(ALL))) == 0, place.log
    yield place
    opener.close()


@pytest.mark.parametrize(
    "forget",
    [
        nothing,
        clear_results,
        refresh,
        alter_clips,
        delete_clips,
        delete_clips_and_results,
        delete_clips_keep_cache_fresh,
        another_prefect_home,
        a_new_prefect_with_nothing_in_it,
    ],
)
def test_a_second_run_pays_nothing(
    forget: Callable[[Place], None], film: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hold(film)
    assert first.stored == len(ALL)
    monkeypatch.setattr(film, "env", dict(film.env))
    forget(film)
    # Prefect reads its settings once: where there are others, no process is forked.
    run = film.run_anew if any(name.startswith("PREFECT_") for name in film.env) else film.run
    assert run("make", str(film.folder / "film.csv")) == 0, film.log
    second = hold(film)
    assert second.stored == len(ALL)
    assert second.service_usd == first.service_usd == second.ledger_usd
    assert film.service.told("posts")["total"] == len(ALL)


def test_a_task_that_is_tried_again_attaches_to_what_was_bought(open_film: Open) -> None:
    place = open_film()
    shots = str(place.list_shots(SHOTS["fal"][:1]))
    busy = {"at": "media", "do": "status", "status": 503, "headers": {"Retry-After": "3600"}}
    place.service.misbehave([busy | {"times": 3}])
    assert place.run("make", shots) == 0, place.log
    (rule,) = place.service.told("faults")["faults"]
    assert rule["acted"] == 3, "the first try of the task has to fail"
    assert place.service.told("posts")["total"] == 1
    assert hold(place).difference_usd == 0
