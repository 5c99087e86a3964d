"""The one retry loop: how long it waits, when it ends, what it says then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import UnreachableError
from blocks.providers.base import Again
from blocks.providers.retry import LONGEST_WAIT_S, again_until, backoff


@pytest.mark.parametrize(
    ("tries", "after_s", "jitter", "wait_s"),
    [
        pytest.param(1, None, 0.0, 0.25, id="first wait, shortest"),
        pytest.param(1, None, 1.0, 0.5, id="first wait, longest"),
        pytest.param(2, None, 0.0, 0.5, id="doubled"),
        pytest.param(3, None, 0.0, 1.0, id="doubled again"),
        pytest.param(7, None, 1.0, 30.0, id="no longer than the longest"),
        pytest.param(10_000, None, 1.0, 30.0, id="also after days"),
        pytest.param(1, 7.0, 0.0, 7.0, id="what the service asks for is a floor"),
        pytest.param(9, 7.0, 0.0, 15.0, id="but no ceiling"),
        pytest.param(1, 900.0, 0.0, 900.0, id="and may be longer than the longest"),
        pytest.param(1, 0.0, 0.0, 0.25, id="0 is not at once"),
    ],
)
def test_backoff(tries: int, after_s: float | None, jitter: float, wait_s: float) -> None:
    assert backoff(tries, after_s, jitter) == wait_s


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_callers_that_failed_together_come_again_apart_but_soon(tries: int, jitter: float) -> None:
    assert backoff(tries) <= backoff(tries, None, jitter) <= 2 * backoff(tries) <= LONGEST_WAIT_S
    assert backoff(tries + 1, None, jitter) >= backoff(tries, None, jitter)


class Steps:
    """Answers one outcome after the other, the last one for ever."""

    def __init__(self, *outcomes: Again | str) -> None:
        self.outcomes = outcomes
        self.count = 0

    async def __call__(self) -> Again | str:
        self.count += 1
        return self.outcomes[min(self.count, len(self.outcomes)) - 1]


@pytest.mark.anyio
async def test_answer_ends_the_loop() -> None:
    steps = Steps(Again("HTTP 429"), "clip")
    assert await again_until(60, steps, "a/1") == "clip"
    assert steps.count == 2


@pytest.mark.anyio
async def test_first_answer_needs_no_time_left() -> None:
    assert await again_until(0, Steps("clip"), "a/1") == "clip"


@pytest.mark.anyio
async def test_loop_ends_when_its_patience_does_with_the_last_reason() -> None:
    steps = Steps(Again("HTTP 500"), Again("HTTP 502: the last straw"))
    with pytest.raises(UnreachableError) as caught:
        await again_until(0.6, steps, "a/1")
    assert "a/1" in caught.value.message
    assert "HTTP 502: the last straw" in caught.value.message
    assert f"{steps.count} tries" in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.anyio
async def test_wait_that_is_longer_than_the_patience_is_not_waited() -> None:
    steps = Steps(Again("HTTP 503", after_s=10_000))
    with pytest.raises(UnreachableError, match="gave up after 1 tries"):
        await again_until(60, steps, "a/1")
    assert steps.count == 1


@pytest.mark.anyio
async def test_what_was_paid_is_said_when_the_loop_gives_up() -> None:
    with pytest.raises(UnreachableError) as caught:
        await again_until(0, Steps(Again("no answer")), "a/1", paid="unknown", request_id="r1")
    assert (caught.value.paid, caught.value.request_id) == ("unknown", "r1")
    assert caught.value.remedy
