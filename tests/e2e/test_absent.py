"""A service that does not answer: the run is patient for two minutes, so it has a file of its own
and waits beside the other tests."""

from __future__ import annotations

from tests.e2e.world import World, free_port


def test_a_service_that_is_not_there_is_tried_again_and_said(world: World) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    done = world.run("make", world.write("prompt\nSea\n"), SHOTREEL_SANDBOX_URL=nobody)
    assert done.code == 3
    assert "Paid: no" in done.err
