"""A crash leaves many outcomes unknown at once; they are asked about together."""

from __future__ import annotations

from tests.crash.cell import hold
from tests.crash.conftest import Open

SHOTS = [
    {"shot": f"s{n}", "prompt": f"Boat {n}.", "seed": n, "resolution": "480p"} for n in range(1, 41)
]


def test_forty_lost_answers_cost_few_readings_of_the_listing(open_place: Open) -> None:
    place = open_place()
    slow = {"at": "listing", "do": "delay", "delay_s": 0.3, "times": 0}
    lost = {"at": "submit", "do": "drop_after_accept", "times": 0}
    place.service.misbehave([lost, slow])
    assert place.run("buy", str(place.list_shots(SHOTS))) == 0, place.log
    listed = place.service.told("faults")["faults"][1]["acted"]
    assert listed <= len(SHOTS) / 4, f"the listing was read {listed} times"
    found = hold(place)
    assert found.stored == len(SHOTS)
    assert found.agrees
