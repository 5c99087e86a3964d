"""Models without a seed: a lost answer is settled, and no clip is bought twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from blocks.sandbox import Sandbox
from tests.generate.studio import Studio, write

TEXT = "fal-ai/kling-video/v3/pro/text-to-video"
PICTURE = "fal-ai/kling-video/v3/pro/image-to-video"
MARKED = "bytedance/seedance-2.0/text-to-video"


@pytest.fixture
def studio(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    Image.new("RGB", (320, 180), "navy").save(folder / "a.png")
    monkeypatch.setenv("SHOTREEL_QUIET_S", "5")
    with Sandbox(folder / "sandbox", latency_s=0.1, render="thumb") as sandbox:
        monkeypatch.setenv("SHOTREEL_SANDBOX_URL", sandbox.url)
        yield Studio(sandbox)


def make(studio: Studio, folder: Path, model: str, takes: int) -> str:
    """Make the film of one shot with so many takes; gives the list."""
    image = ",image" if model == PICTURE else ""
    cell = ",a.png" if model == PICTURE else ""
    header = f"shot,prompt,model,takes,max_usd,duration_s{image}"
    shots = write(folder / "list.csv", header, f"a,Dawn,{model},{takes},3,5{cell}")
    studio.make(shots)
    return shots


@pytest.mark.parametrize("model", [TEXT, PICTURE, MARKED])
def test_lost_answers_of_takes_that_are_alike_are_each_found_once(
    model: str, studio: Studio, folder: Path
) -> None:
    studio.misbehave(at="submit", do="drop_after_accept", times=2)
    shots = make(studio, folder, model, takes=3)
    assert [line.need for line in studio.plan(shots).lines] == ["stored"] * 3
    assert studio.told("posts")["total"] == 3
    charges = studio.told("charges")["charges"]
    assert len({charge["request_id"] for charge in charges}) == len(charges) == 3


def test_requests_that_are_told_apart_by_a_picture_have_urls_of_their_own(
    studio: Studio, folder: Path
) -> None:
    make(studio, folder, PICTURE, takes=3)
    sent = [row["inputs"]["start_image_url"] for row in studio.told("requests")["requests"]]
    assert len(set(sent)) == 3
