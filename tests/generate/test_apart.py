"""One clip's trouble, of whatever kind, is no other clip's; and no single answer is proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import ShotreelError
from tests.generate.studio import Studio, write


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
