"""When a request is looked at: early enough for the film, seldom enough for everyone else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blocks.providers.pace import LOOKS_PER_S, Pace, pause_s

FAL = (1.0, 5.0)


def looks(ready_s: float, following: int = 1, quickest_s: float = 0.0) -> list[float]:
    """When a request that takes so long is looked at; the last look finds it ready."""
    at = [0.0]
    while at[-1] < ready_s:
        at.append(at[-1] + pause_s(at[-1], FAL, following, quickest_s))
    return at


@given(st.floats(0, 3600), st.integers(0, 10_000), st.floats(0, 3600))
def test_a_pause_is_never_shorter_than_the_provider_wants(
    waited_s: float, following: int, quickest_s: float
) -> None:
    assert FAL[0] <= pause_s(waited_s, FAL, following, quickest_s) <= max(5, following / 50)


@given(st.floats(10, 600), st.floats(0, 600))
def test_a_look_is_late_by_a_tenth_at_most(ready_s: float, quickest_s: float) -> None:
    late_s = looks(ready_s, quickest_s=min(quickest_s, ready_s))[-1] - ready_s
    assert late_s <= max(FAL[0], ready_s / 10) + 0.01


def test_many_requests_together_are_looked_at_so_many_times_a_second() -> None:
    pauses = [pause_s(at, FAL, 1000, quickest_s=600) for at in range(500)]
    assert 1000 / min(pauses) <= LOOKS_PER_S + 0.01


def test_knowing_the_quickest_spares_looks() -> None:
    assert len(looks(60, quickest_s=58)) < len(looks(60))


def test_the_quickest_of_a_model_is_what_it_took_at_least() -> None:
    pace = Pace()
    for took_s in (60.0, 50.0, 70.0):
        pace.ended("one", took_s)
    assert pace.next_s("one", 43.0, FAL) == 2.0
    assert pace.next_s("another", 43.0, FAL) == 4.3
