"""Sources that contradict each other: none of them alone buys again, or ends a paid clip."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from blocks.ledger import Attempt, Ledger
from tests.crash.cell import SHOTS, hold, holding
from tests.crash.conftest import Open
from tests.crash.faults import BROKEN_RESULT, DENIED, HIDDEN, LOST, NOT_FOUND, Rule
from tests.crash.place import Place
from tests.web import web

BOTH = pytest.mark.parametrize("service", ["fal", "wavespeed"])
KILLED = -9


def shots_of(place: Place, service: str) -> str:
    return str(place.list_shots(SHOTS[service][:1]))


def only(place: Place) -> Attempt:
    [attempt] = holding(place)
    return attempt


def accepted(place: Place) -> int:
    return sum(row["accepted"] for row in place.service.told("posts")["posts"])


@BOTH
def test_what_nobody_knows_is_lost_only_until_somebody_knows_it(
    open_place: Open, service: str
) -> None:
    place = open_place()
    shots = shots_of(place, service)
    place.service.misbehave([NOT_FOUND, HIDDEN])
    assert place.run("buy", shots) == 3, place.log
    assert only(place).state == "lost"
    assert place.run("rescue") == 3
    assert only(place).state == "lost"
    place.service.misbehave([])
    assert place.run("rescue") == 0, place.log
    assert only(place).state == "stored"
    assert accepted(place) == 1
    assert hold(place).agrees


def test_a_result_that_cannot_be_fetched_is_no_failure_of_the_model(open_place: Open) -> None:
    place = open_place()
    shots = shots_of(place, "fal")
    place.service.misbehave([BROKEN_RESULT, {"at": "listing", "do": "no_output", "times": 0}])
    assert place.run("buy", shots) == 3, place.log
    assert only(place).state == "lost"
    assert "Paid: yes" in place.log  # the bill says so
    place.service.misbehave([])
    assert place.run("buy", shots) == 0, place.log
    assert accepted(place) == 1
    assert hold(place).agrees


def test_result_and_listing_that_say_failed_buy_nothing_where_the_bill_says_charged(
    open_place: Open,
) -> None:
    place = open_place()
    shots = shots_of(place, "fal")
    listing = {"at": "listing", "do": "failed", "status": 503, "times": 0}
    place.service.misbehave([BROKEN_RESULT, listing])
    for _ in range(2):
        assert place.run("buy", shots) == 3, place.log
        assert accepted(place) == 1
    place.service.misbehave([])
    assert place.run("buy", shots) == 0, place.log
    assert accepted(place) == 1
    assert hold(place).agrees


@BOTH
def test_a_flagged_clip_ends_as_failed_with_its_reason(open_place: Open, service: str) -> None:
    place = open_place()
    place.service.misbehave([{"at": "result", "do": "flagged", "times": 0}])
    assert place.run("buy", shots_of(place, service)) == 3, place.log
    attempt = only(place)
    assert attempt.state == "failed"
    assert "NSFW" in attempt.cause
    hold(place)


@BOTH
def test_a_file_that_is_no_clip_ends_as_failed_and_a_person_can_end_it(
    open_place: Open, service: str
) -> None:
    place = open_place()
    place.service.misbehave([{"at": "media", "do": "webp", "times": 0}])
    assert place.run("buy", shots_of(place, service)) == 3, place.log
    attempt = only(place)
    assert (attempt.state, attempt.charged) == ("failed", "yes")
    assert place.run("recover", "--release", attempt.id) == 0, place.log
    assert not holding(place)
    assert hold(place).agrees


@BOTH
@pytest.mark.parametrize("status", [400, 422, 301, 307])
def test_a_no_that_came_after_the_work_is_found_out(
    open_place: Open, service: str, status: int
) -> None:
    place = open_place()
    rule = {"at": "submit", "do": "status_after_accept", "status": status, "body": DENIED}
    place.service.misbehave([rule])
    assert place.run("buy", shots_of(place, service)) == 0, place.log
    assert accepted(place) == 1
    assert hold(place).agrees


@BOTH
def test_a_no_that_nobody_contradicts_is_told_within_seconds(
    open_place: Open, service: str
) -> None:
    place = open_place()
    place.env |= {"SHOTREEL_START_TIMEOUT_S": "600", "SHOTREEL_QUIET_S": "660"}
    place.service.misbehave([{"at": "submit", "do": "status", "status": 422, "body": DENIED}])
    assert place.run("buy", shots_of(place, service)) == 3, place.log
    assert "was refused" in place.log
    assert not holding(place)
    assert hold(place).charged == 0


def test_another_white_space_in_the_listing_is_the_same_request(open_place: Open) -> None:
    place = open_place()
    place.service.misbehave([LOST, {"at": "listing", "do": "rewritten", "times": 0}])
    assert place.run("buy", shots_of(place, "fal")) == 0, place.log
    assert accepted(place) == 1


@BOTH
@pytest.mark.parametrize("trouble", [{"do": "status", "status": 403}, {"do": "endless"}])
def test_a_listing_that_cannot_be_read_ends_in_exit_code_5_with_the_reason(
    open_place: Open, service: str, trouble: dict[str, Any]
) -> None:
    place = open_place()
    match = {"prompt": "Three boats" if service == "wavespeed" else "One boat"}
    listing = {"at": "listing", "match": {"service": service}, "times": 0, **trouble}
    place.service.misbehave([{**LOST, "match": match}, listing])
    other = {**SHOTS["fal"][1], "shot": "other"}
    assert place.run("buy", str(place.list_shots([*SHOTS[service][:1], other]))) == 5, place.log
    assert ("403" if "status" in trouble else "repeats itself") in place.log
    states = {attempt.shot: attempt.state for attempt in holding(place)}
    assert states["other"] == "stored"
    place.service.misbehave([])
    assert place.run("rescue") == 0, place.log
    assert hold(place).agrees


def buy_as_a_stranger(place: Place, **inputs: Any) -> str:
    """Somebody else on the account buys from the same model; gives the request's id."""
    url = f"{place.service.url}/wavespeed/api/v3/wavespeed-ai/magi-1-24b"
    reply = web.post(url, json=inputs, headers={"Authorization": "Bearer other"})
    return str(reply.json()["data"]["id"])


@pytest.mark.parametrize("inputs_are_told", [True, False])
def test_a_strangers_prediction_is_not_taken_for_ours(
    open_place: Open, inputs_are_told: bool
) -> None:
    place = open_place()
    shots = shots_of(place, "wavespeed")
    rules: list[Rule] = [{"at": "submit", "do": "drop_before_accept"}]
    if not inputs_are_told:
        rules.append({"at": "poll", "do": "no_input", "times": 0})
    place.service.misbehave(rules)
    assert place.start("buy", shots, kill_at="unknown").wait() == KILLED
    theirs = buy_as_a_stranger(place, prompt="A stranger.", seed=99)
    code = place.run("rescue")
    with closing(Ledger(place.ledger_url)) as ledger:
        assert not ledger.request_ids("sandbox/wavespeed", "default", [theirs])
    # What is asked for something else is not ours; where nobody says, a person looks.
    assert code == (0 if inputs_are_told else 5), place.log
    assert (theirs in place.log) is not inputs_are_told


def test_a_request_found_later_is_adopted_for_an_attempt_that_was_released(
    open_place: Open,
) -> None:
    place = open_place()
    shots = shots_of(place, "fal")
    place.service.misbehave([LOST])
    assert place.start("buy", shots, kill_at="unknown").wait() == KILLED
    attempt = only(place)
    [request] = place.service.told("requests")["requests"]
    assert place.run("recover", "--release", attempt.id) == 0, place.log
    assert not holding(place)
    assert place.run("recover", "--attempt", attempt.id, "--adopt", request["request_id"]) == 0
    assert only(place).state == "stored"
    assert hold(place).agrees


def test_a_request_whose_clip_was_bought_again_is_booked_to_its_attempt(open_place: Open) -> None:
    place = open_place()
    shots = shots_of(place, "fal")
    place.service.misbehave([LOST])
    assert place.start("buy", shots, kill_at="unknown").wait() == KILLED
    first = only(place)
    [request] = place.service.told("requests")["requests"]
    assert place.run("recover", "--release", first.id) == 0, place.log
    assert place.run("buy", shots) == 0, place.log
    code = place.run("recover", "--attempt", first.id, "--adopt", request["request_id"])
    assert code == 0, place.log
    assert "was bought again meanwhile" in place.log
    with closing(Ledger(place.ledger_url)) as ledger:
        found = ledger.get(first.id)
        assert (found.state, found.request_id) == ("released", request["request_id"])
        costs = ledger.costs([first.id, only(place).id])
    assert len(costs) == 2
    spent = sum(cost.cost_usd for cost in costs.values())
    assert str(spent) == place.service.told("charges")["cost_usd"]
