"""One clip's trouble, of whatever kind, is no other clip's."""

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
