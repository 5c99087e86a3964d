"""A marked and a signed film in a real browser: it starts, seeks to a seam, and ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows.output.credentials import credentials
from flows.stitch import Clip
from tests.output.conftest import Issue, needs
from tests.stitch.making import stitch

if TYPE_CHECKING:
    from playwright.sync_api import Page

PLAY = """async () => {
    const video = document.querySelector("video");
    const until = (what, act) => new Promise((done, fail) => {
        video.addEventListener(what, done, {once: true});
        video.addEventListener("error", () => fail(video.error.message), {once: true});
        act();
    });
    await until("loadeddata", () => { video.src = "film.mp4"; });
    const start = video.currentTime;
    await until("seeked", () => { video.currentTime = 0.75; });
    const sought = video.currentTime;
    await until("ended", () => { video.currentTime = 1.3; video.muted = true; video.play(); });
    return [start, sought, video.duration, video.videoWidth];
}"""


@pytest.mark.parametrize("with_seal", [False, True], ids=["marked", "signed"])
def test_a_browser_plays_it_from_0_to_its_end(
    tmp_path: Path, clips: list[Clip], issue: Issue, page: Page, with_seal: bool
) -> None:
    if with_seal:
        needs("c2pa")
    seal = credentials(issue().env) if with_seal else None
    film = stitch(clips, tmp_path / "film.mp4", cache=tmp_path / "cache", seal=seal)
    assert film.unsealed == ""
    (tmp_path / "player.html").write_text("<!doctype html><video></video>")
    page.goto((tmp_path / "player.html").as_uri())
    start, sought, duration_s, width = page.evaluate(PLAY)
    assert (start, sought, width) == (0, 0.75, 192)
    assert abs(duration_s - 1.5) < 0.001
