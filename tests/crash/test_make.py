"""The complete `shotreel make`, killed once at a point, and run again.

What is bought and kept is proven at every point by the matrix; here, that the film comes of it:
where nothing was sent, where the answer was on its way, where the clip was paid, kept and noted.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.crash.points import Point


def test_a_film_that_was_killed_is_made_by_the_next_run(
    point: Point, make: Callable[[Point], None]
) -> None:
    make(point)
