"""A run that is stopped: it buys nothing more, and what it has bought is found again."""

from __future__ import annotations

import signal

import pytest

from tests.crash.cell import hold
from tests.crash.conftest import Open

MANY = [
    {"shot": f"s{n}", "prompt": f"Boat {n}.", "seed": n, "resolution": "480p"} for n in range(1, 45)
]
"""More than the account takes at a time: some wait in line."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
@pytest.mark.parametrize("when", ["working", "answer-late"])
def test_a_stopped_film_is_finished_by_the_next_run(
    number: signal.Signals, when: str, open_film: Open
) -> None:
    place = open_film(latency_s=1.5)
    if when == "answer-late":
        place.service.misbehave([{"at": "submit", "do": "answer_late", "delay_s": 2, "times": 0}])
    shots = str(place.list_shots(MANY))
    process = place.start("make", shots)
    place.wait_until(lambda: place.service.told("posts")["total"])
    process.signal(number)
    code = process.wait(30)
    assert code not in (0, -signal.SIGKILL), place.log
    place.service.misbehave([])
    bought = place.service.told("posts")["total"]
    assert bought < len(MANY), "it went on buying"
    hold(place)
    said = place.log.lower()
    assert "traceback" not in said
    assert "stopped" in said and "recover" in said, place.log

    assert place.run("recover") == 0, place.log
    found = hold(place)
    assert found.stored == found.charged <= bought
    assert place.run("make", shots) == 0, place.log
    found = hold(place)
    assert found.stored == len(MANY)
    assert found.agrees
