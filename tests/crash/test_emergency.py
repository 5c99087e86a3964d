"""The ledger cannot be written after a request was accepted: its id is not lost with it."""

from __future__ import annotations

import json
import resource

import pytest

from tests.crash.cell import SHOTS, hold
from tests.crash.conftest import Open
from tests.crash.place import Place

LATE = {"at": "submit", "do": "answer_late", "delay_s": 1.5, "times": 0}


def buy_until_the_disk_is_full(place: Place, shots: str) -> int:
    """The exit code of a run whose ledger cannot grow any more while a POST is on its way."""
    place.service.misbehave([LATE])
    process = place.start("buy", shots)
    place.wait_until(lambda: place.service.told("posts")["total"])
    size = (place.home / "ledger.sqlite-wal").stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return process.wait()


def noted(place: Place) -> list[str]:
    path = place.home / "emergency.jsonl"
    return [json.loads(line)["request_id"] for line in path.read_text().splitlines() if line]


@pytest.mark.parametrize("service", ["fal", "wavespeed"])
@pytest.mark.parametrize("then", ["rescue", "buy"])
def test_an_id_that_the_ledger_could_not_take_is_adopted(
    service: str, then: str, open_place: Open
) -> None:
    place = open_place()
    # Of one shot: a second, claimed when the disk is full, only the listing could tell about.
    shots = str(place.list_shots(SHOTS[service][:1]))
    assert buy_until_the_disk_is_full(place, shots) == 1, place.log
    assert "ledger cannot be written" in place.log
    assert "shotreel recover" in place.log
    shots = str(place.list_shots(SHOTS[service]))
    assert "Traceback" not in place.log
    bought = [request["request_id"] for request in place.service.told("requests")["requests"]]
    assert sorted(noted(place)) == sorted(bought)
    hold(place)
    # The provider's listing is of no help: only the file knows.
    place.service.misbehave([{"at": "listing", "do": "status", "status": 500, "times": 0}])
    command = ("buy", shots) if then == "buy" else ("rescue",)
    assert place.run(*command) == 0, place.log
    found = hold(place)
    told = [request["request_id"] for request in place.service.told("requests")["requests"]]
    assert found.stored == len(told)
    # The second shot is bought now, and no other.
    assert told[: len(bought)] == bought
    assert len(told) == (len(SHOTS[service]) if then == "buy" else len(bought))
    assert found.agrees


def test_a_run_stops_also_where_the_last_resort_fails(open_place: Open) -> None:
    place = open_place()
    shots = str(place.list_shots(SHOTS["fal"]))
    place.home.mkdir()
    (place.home / "emergency.jsonl").write_text("#" * 8_000_000)  # it cannot grow either
    assert buy_until_the_disk_is_full(place, shots) == 1, place.log
    for request in place.service.told("requests")["requests"]:
        assert request["request_id"] in place.log, "an id that no disk took is not on the terminal"
    assert "Traceback" not in place.log
    hold(place)
    place.service.misbehave([])
    assert place.run("buy", shots) == 0, place.log
    assert hold(place).stored == len(SHOTS["fal"])
