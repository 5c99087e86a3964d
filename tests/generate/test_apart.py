"""One clip's trouble, of whatever kind, is no other clip's; and no single answer is proof."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from blocks.errors import ShotreelError, UnreachableError
from flows.generate import settle
from flows.run import opening
from tests.generate.studio import Studio, write
from tests.web import web


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/x.mp4", "http://[::1/x.mp4", "http://a..b/x.mp4"]
)
def test_media_url_that_no_socket_takes_leaves_the_other_clips_alone(
    studio: Studio, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.generate.fetch.PATIENCE_S", 1.0)
    studio.misbehave(at="result", do="private_url", url=url, match={"prompt": "Rock"}, times=0)
    made = studio.make(write(tmp_path / "l.csv", "shot,prompt,seed", "a,Sea,1", "b,Rock,2"))
    assert made.clip("a").num_frames == 96
    assert isinstance(made.error("b"), ShotreelError)
    assert studio.told("posts")["total"] == 2


@pytest.mark.parametrize("statuses", [(403, 401), (402, 402), (413, 405)])
def test_no_of_whatever_kind_that_came_after_the_work_is_found_out(
    studio: Studio, tmp_path: Path, statuses: tuple[int, int]
) -> None:
    for service, status in zip(("fal", "wavespeed"), statuses, strict=True):
        after = {"do": "status_after_accept", "status": status, "body": {"detail": "no"}}
        studio.misbehave(at="submit", match={"service": service}, **after)
    rows = ("a,Sea,1,fal-ai/magi-distilled", "b,Rock,2,wavespeed-ai/magi-1-24b")
    made = studio.make(write(tmp_path / "l.csv", "shot,prompt,seed,model", *rows))
    assert made.clip("a").num_frames == made.clip("b").num_frames == 96
    assert [post["accepted"] for post in studio.told("posts")["posts"]] == [1, 1]


def test_shot_whose_room_only_unknown_outcomes_hold_ends_with_words_and_buys_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_QUIET_S", "10000")
    monkeypatch.setattr(settle, "UNREAD_LEAST_S", 1.0)
    monkeypatch.setitem(opening.SANDBOX_LIMITS, "fal", {"max_in_flight": 2})
    studio.misbehave(at="submit", do="drop_after_accept", times=0)
    studio.misbehave(at="listing", do="status", status=500, times=0)
    made = studio.make("shot,prompt,seed\na,Sea,1\nb,Rock,2\nc,Sky,3\n")
    errors = [made.error(name) for name in "abc"]
    assert sorted(type(error).__name__ for error in errors) == [
        "OutcomeUnknownError",
        "OutcomeUnknownError",
        "UnreachableError",
    ]
    (stuck,) = (error for error in errors if isinstance(error, UnreachableError))
    assert "2 requests hold whose outcome is unknown" in stuck.message
    assert studio.told("posts")["total"] == 2


def test_a_bill_that_cannot_be_read_for_the_moment_proves_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing shows nothing, and the bill, which would name the charge, answers with errors."""
    monkeypatch.setenv("SHOTREEL_QUIET_S", "1")
    monkeypatch.setattr(settle, "UNREAD_LEAST_S", 2.0)
    studio.misbehave(at="submit", do="drop_after_accept", times=0)
    studio.misbehave(at="listing", do="hidden", times=0)
    studio.misbehave(at="billing", do="status", status=500, times=0)
    rows = ("a,Sea,1,fal-ai/magi-distilled", "b,Rock,2,wavespeed-ai/magi-1-24b")
    made = studio.make("\n".join(("shot,prompt,seed,model", *rows, "")))
    for name in "ab":
        assert "the bill cannot be read: HTTP 500" in str(made.error(name))
    assert [post["accepted"] for post in studio.told("posts")["posts"]] == [1, 1]


def test_a_failure_of_which_one_source_spoke_is_unpaid_once_another_says_so(
    studio: Studio, tmp_path: Path
) -> None:
    shots = write(tmp_path / "l.csv", "shot,prompt,seed", "a,Sea,1")
    studio.misbehave(at="job", do="fail", status=503, error_type="runner_disconnected")
    studio.misbehave(at="poll", do="not_found", times=0)
    assert studio.make(shots).error("a").paid == "unknown"
    assert studio.told("posts")["total"] == 1
    assert web.delete(f"{studio.sandbox.url}/sandbox/faults").status_code == 200
    made = studio.make(shots)
    assert made.clip("a").num_frames == 96
    assert studio.told("posts")["total"] == 2
    assert Decimal(studio.told("charges")["cost_usd"]) == made.bill["a"].cost_usd
