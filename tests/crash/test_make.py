"""The complete `shotreel make`, killed once at every point, and run again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.points import POINTS, Point


@pytest.mark.studio
@pytest.mark.parametrize("point", POINTS.values(), ids=lambda point: point.name)
def test_a_film_that_was_killed_is_made_by_the_next_run(
    point: Point, make: Callable[[Point], None]
) -> None:
    make(point)
