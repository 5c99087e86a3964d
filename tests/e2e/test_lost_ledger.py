"""The ledger's file is lost, between runs and in the middle of one."""

from __future__ import annotations

import time
from decimal import Decimal

from tests.e2e.conftest import NewWorld
from tests.e2e.world import World

LIST = "shot,prompt,seed,resolution\na,Sea,1,480p\nb,Rock,2,480p\nc,Sky,3,480p\n"


def lose(world: World) -> None:
    for file in world.home.glob("ledger.sqlite*"):
        file.unlink()


def test_clips_that_a_lost_ledger_has_paid_for_are_written_down_again_and_the_words_agree(
    world: World,
) -> None:
    shots = world.write(LIST)
    world.make(shots)
    lose(world)
    planned = world.run("plan", shots, "--json").json
    assert planned["to_buy"] == 0
    lose(world)
    again = world.run("make", shots)
    assert again.code == 0, again.err
    assert world.posts == 3
    assert "does not know" in again.err
    assert "Cost    $0.48" in again.out
    assert "$0.00 of it in this run" in again.out
    assert world.billed == world.charged == (Decimal(6), Decimal("0.48"))
    assert world.rows("SELECT DISTINCT state FROM attempts") == [("stored",)]
    assert world.run("make", shots).code == 0
    assert world.billed == (Decimal(6), Decimal("0.48"))


def test_ledger_whose_file_is_removed_while_a_run_buys_stops_the_run_with_words(
    new_world: NewWorld,
) -> None:
    world = new_world(latency_s=3.0)
    shots = world.write(LIST)
    process = world.start("make", shots)
    limit = time.monotonic() + 90
    while world.posts < 3 and time.monotonic() < limit:
        time.sleep(0.1)
    lose(world)
    done = world.ended(process)
    assert done.code not in (0, 3)
    assert "removed" in done.err
    assert "$0.00" not in done.out
    again = world.run("make", shots)
    assert again.code == 0, again.err
    assert world.posts == 3, "nothing that was sent is bought again"
    assert world.billed == world.charged == (Decimal(6), Decimal("0.48"))
