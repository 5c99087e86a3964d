"""Shots that fail and outcomes that are lost: exit codes 3 and 5, and the way back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.film import assert_film_is_its_clips, frames_of
from tests.e2e.world import NOTHING, WAVESPEED, World

LIST = f"shot,prompt,model,seed\na,Sea,,1\nb,Rock,,2\nc,Sky,{WAVESPEED},3\nd,Gull,,4\n"
PRICE = Decimal("0.32")


def by_shot(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {shot["shot"]: shot for shot in manifest["shots"]}


def states(manifest: dict[str, Any]) -> dict[str, str]:
    return {name: shot["state"] for name, shot in by_shot(manifest).items()}


def fault(at: str, do: str, prompt: str = "Rock", **more: Any) -> dict[str, Any]:
    return {"at": at, "do": do, "match": {"prompt": prompt}, "times": 0, **more}


REFUSED = fault("submit", "status", status=422, body={"detail": "prompt is not allowed"})
UNPAID_FAILURE = fault("job", "fail", status=500, error="out of tape")


@pytest.mark.parametrize(
    ("rule", "word"),
    [(REFUSED, "refused"), (UNPAID_FAILURE, "out of tape")],
    ids=["at submit", "at work"],
)
def test_one_failed_shot_takes_no_other_with_it(
    world: World, rule: dict[str, Any], word: str
) -> None:
    shots = world.write(LIST)
    world.misbehave(rule)
    done = world.run("make", shots)
    assert done.code == 3
    assert "main/b" in done.err
    assert word in done.err
    assert "Paid: no" in done.err
    out = world.folder / "out/list"
    manifest = world.make(shots, "--on-missing", "skip", code=3)
    assert [s["path"] for s in manifest["shots"] if s["shot"] == "b"] == [None]
    assert manifest["film"]["num_frames"] == 3 * 96
    assert_film_is_its_clips(out, manifest)
    assert world.charged == world.billed
    assert manifest["totals"]["cost_usd"] == str(world.charged[1])

    world.misbehave()
    posts = world.posts
    manifest = world.make(shots)
    assert world.posts == posts + 1
    assert set(states(manifest).values()) == {"stored"}
    assert world.charged == world.billed == (Decimal(13), 3 * PRICE + Decimal("0.24"))
    assert_film_is_its_clips(out, manifest)


def test_a_file_that_is_no_clip_is_one_failed_shot(world: World) -> None:
    """The rest is delivered: that is exit code 3, whatever is wrong with the one."""
    shots = world.write(LIST)
    world.misbehave(fault("media", "corrupt"))
    done = world.run("make", shots, "--on-missing", "skip")
    assert done.code == 3, done.err
    assert "main/b" in done.err
    assert (world.folder / "out/list/film.mp4").is_file()


def test_a_missing_shot_is_a_slate_or_left_out_or_keeps_the_old_film(world: World) -> None:
    shots = world.write(
        "shot,prompt,seed,transition\na,Sea,1,\nb,Sky,2,dissolve\nc,Rock,3,dissolve\n"
    )
    world.misbehave({**REFUSED, "match": {"prompt": "Sky"}})
    film = world.folder / "out/list/film.mp4"
    with_slate = world.make(shots, code=3)["film"]
    assert with_slate["num_frames"] == 3 * 96 - 2 * 12
    old = film.read_bytes()
    done = world.run("make", shots, "--on-missing", "fail")
    assert done.code == 3
    assert "1 clips are missing" in done.out
    assert "of an earlier run" in done.out
    assert film.read_bytes() == old
    without = world.make(shots, "--on-missing", "skip", code=3)["film"]
    assert without["num_frames"] == 2 * 96 - 12
    assert len(frames_of(film)) == 2 * 96 - 12


def test_nothing_at_all_is_not_taken_for_the_film_of_before(world: World) -> None:
    film = world.folder / "out/list/film.mp4"
    world.make(world.write("shot,prompt\na,Sea\n"))
    old = film.read_bytes()
    world.misbehave({"at": "submit", "do": "status", "status": 422, "times": 0})
    assert world.make(world.write("shot,prompt\na,Another sea\n"), code=3)["film"] is None
    assert not film.exists()
    assert film.with_name("film.old.mp4").read_bytes() == old


def test_a_charged_failure_is_on_the_bill_and_not_bought_again_by_itself(world: World) -> None:
    shots = world.write(LIST)
    world.misbehave(fault("job", "fail", status=422, error="bad taste", charged=True, units=4))
    done = world.run("make", shots)
    assert done.code == 3
    assert "Paid: yes" in done.err
    assert world.charged == world.billed
    world.misbehave()
    posts = world.posts
    done = world.run("make", shots)
    assert (done.code, world.posts) == (3, posts)
    told = world.run("costs", "--json").json
    assert Decimal(told["cost_usd"]) == world.charged[1] == 3 * PRICE + Decimal("0.24")

    assert "recover --release" in done.err
    attempt = done.err.split("recover --release ")[1].split("`")[0]
    assert world.run("recover", "--release", attempt, "--reason", "worth it").code == 0
    manifest = world.make(shots)
    assert world.posts == posts + 1
    assert set(states(manifest).values()) == {"stored"}
    assert world.charged == world.billed


def test_a_list_of_which_every_shot_fails_leaves_a_bill_and_no_film(world: World) -> None:
    world.misbehave({"at": "submit", "do": "status", "status": 422, "times": 0})
    shots = world.write("shot,prompt\na,Sea\nb,Sky\n")
    manifest = world.make(shots, code=3)
    assert manifest["film"] is None
    assert manifest["totals"] == {"units": "0", "cost_usd": "0"}
    assert not (world.folder / "out/list/film.mp4").exists()
    assert world.charged == NOTHING


def test_a_refused_key_stops_its_account_and_no_other(world: World) -> None:
    shots = world.write(LIST)
    no_key = {"at": "submit", "do": "status", "status": 401, "times": 0}
    world.misbehave({**no_key, "match": {"service": "fal"}})
    done = world.run("make", shots)
    assert done.code == 3
    assert "fal" in done.err
    assert world.charged == world.billed == (Decimal(1), Decimal("0.24"))
    world.misbehave()
    assert set(states(world.make(shots)).values()) == {"stored"}


QUIET = {"SHOTREEL_START_TIMEOUT_S": "2", "SHOTREEL_QUIET_S": "1000000"}


@pytest.fixture
def unsettled(new_world: NewWorld) -> tuple[World, str]:
    """A list of which one answer was lost while the provider's listing did not work."""
    world = new_world()
    shots = world.write(LIST)
    world.misbehave(
        fault("submit", "drop_after_accept"), {"at": "listing", "do": "status", "times": 0}
    )
    done = world.run("make", shots, **QUIET)
    assert done.code == 5
    assert "main/b may have been bought" in done.err
    assert "Paid: unknown" in done.err
    assert "recover" in done.err
    return world, shots


def test_an_unknown_outcome_is_found_again_and_never_paid_twice(
    unsettled: tuple[World, str],
) -> None:
    world, shots = unsettled
    assert world.rows("SELECT shot FROM attempts WHERE state = 'unknown'") == [("b",)]
    assert world.make(shots, code=5, **QUIET)["film"]["num_frames"] == 4 * 96
    assert world.run("recover", **QUIET).code == 5
    assert world.posts == 4

    world.misbehave()
    done = world.run("recover", "--json")
    assert (done.code, [row["result"] for row in done.json["attempts"]]) == (0, ["stored"])
    manifest = world.make(shots)
    assert set(states(manifest).values()) == {"stored"}
    assert world.posts == 4
    assert world.charged == world.billed == (Decimal(13), 3 * PRICE + Decimal("0.24"))
    assert_film_is_its_clips(world.folder / "out/list", manifest)


def test_the_next_run_of_the_list_settles_it_too(unsettled: tuple[World, str]) -> None:
    world, shots = unsettled
    world.misbehave()
    assert set(states(world.make(shots)).values()) == {"stored"}
    assert world.posts == 4
    assert world.charged == world.billed


def test_an_answer_lost_for_a_moment_is_settled_within_the_run(world: World) -> None:
    shots = world.write(LIST)
    world.misbehave(fault("submit", "drop_after_accept"), fault("submit", "garbage", "Gull"))
    manifest = world.make(shots)
    assert set(states(manifest).values()) == {"stored"}
    assert world.posts == 4
    assert world.charged == world.billed


def test_recover_without_anything_to_do_says_so(world: World) -> None:
    done = world.run("recover")
    assert (done.code, done.out) == (0, "Nothing is missing.\n")
    assert world.run("recover", "--json").json == {"attempts": []}


def test_decisions_about_attempts_that_are_not_there_change_nothing(world: World) -> None:
    for arguments in (("--release", "nothing"), ("--adopt", "r", "--attempt", "nothing")):
        done = world.run("recover", *arguments)
        assert done.code == 2
        assert "no attempt nothing" in done.err
    assert world.run("recover", "--adopt", "r").code == 2
    world.make(world.write("shot,prompt\na,Sea\n"))
    ((attempt,),) = world.rows("SELECT id FROM attempts")
    done = world.run("recover", "--release", attempt)
    assert done.code == 2
    assert "stored" in done.err
