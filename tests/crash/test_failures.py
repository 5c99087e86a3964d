"""Failures that a shot list meets again and again: none of them is bought for no reason."""

from __future__ import annotations

from tests.crash.cell import SHOTS, hold
from tests.crash.conftest import Open

UNPAID = {"at": "job", "do": "fail", "status": 422, "units": 0, "times": 0}


def test_an_unpaid_refusal_is_not_bought_again_in_the_same_run(open_place: Open) -> None:
    place = open_place()
    place.service.misbehave([UNPAID])
    shots = str(place.list_shots(SHOTS["fal"][:1]))
    assert place.run("buy", shots) == 3
    assert "Paid: no" in place.log
    assert place.service.told("posts")["total"] == 1
    assert hold(place).charged == 0
    place.service.misbehave([])
    assert place.run("buy", shots) == 0
    assert hold(place).stored == 1


def test_what_may_pass_is_bought_anew_in_the_same_run(open_place: Open) -> None:
    place = open_place()
    rule = UNPAID | {"status": 503, "error_type": "runner_disconnected", "times": 2}
    del rule["units"]
    place.service.misbehave([rule])
    assert place.run("buy", str(place.list_shots(SHOTS["fal"][:1]))) == 0, place.log
    assert place.service.told("posts")["total"] == 3
    assert hold(place).stored == 1


def test_money_that_comes_back_late_is_waited_for(open_place: Open) -> None:
    place = open_place()
    place.service.misbehave([{"at": "job", "do": "fail", "status": 500, "refund_after_s": 2}])
    shots = str(place.list_shots(SHOTS["wavespeed"]))
    assert place.run("buy", shots) == 3
    assert "give the money back" in place.log
    before = hold(place)
    assert [name.split()[0] for name in before.named] == ["failed"]
    place.wait_until(lambda: place.service.told("charges")["cost_usd"] == "0")
    assert place.run("rescue") == 0, place.log
    assert place.run("buy", shots) == 0, place.log
    after = hold(place)
    assert after.stored == 1
    assert after.agrees


def test_a_charge_that_no_bill_shows_stays_open_by_name(open_place: Open) -> None:
    place = open_place()
    place.service.misbehave(
        [
            {"at": "job", "do": "fail", "status": 422, "charged": True},
            {"at": "billing", "do": "status", "status": 403, "times": 0},
        ]
    )
    shots = str(place.list_shots(SHOTS["fal"][:1]))
    assert place.run("buy", shots) == 3
    assert "Paid: unknown" in place.log
    assert hold(place).open_usd > 0
    assert place.run("buy", shots) == 3
    assert place.service.told("posts")["total"] == 1
    place.service.misbehave([])
    assert place.run("rescue") == 3
    assert hold(place).agrees
