"""A shot that goes on from the one before: what it shows first, and what makes it new."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blocks import settings
from blocks.media.probe import last_frame
from flows.shots.job import Job
from tests.generate.conftest import Open
from tests.generate.studio import Studio
from tests.web import web

FAL = "fal-ai/magi-distilled"
SMALL = "96,480p"
CHAIN = (
    "shot,prompt,model,image,num_frames,resolution\n"
    f"a,{{parent}},{FAL},,{SMALL}\n"
    "b,the gull,wavespeed-ai/magi-1-24b,@previous,,\n"
    f"c,the rock,{FAL}/image-to-video,@previous,{SMALL}\n"
    f"x,the moon,{FAL},,{SMALL}\n"
)


def first_frame(path: Path) -> NDArray[Any]:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def picture(path: Path, size: tuple[int, int]) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize(size))


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_first_frame_is_the_last_one_of_the_shot_before(open_studio: Open, tmp_path: Path) -> None:
    made = open_studio(render="animatic").make(CHAIN.format(parent="the sea"))
    for parent, child in (("a", "b"), ("b", "c")):
        last_frame(made.clip(parent).path, tmp_path / "last.png")
        shown = first_frame(made.clip(child).path)
        expected = picture(tmp_path / "last.png", (shown.shape[1], shown.shape[0]))
        assert difference(shown, expected) < 6
        other = first_frame(made.clip("x").path)
        if other.shape == shown.shape:
            assert difference(other, expected) > 12


def test_video_goes_on_from_the_clip_before(studio: Studio) -> None:
    made = studio.make(
        "shot,prompt,model,video,start_frame\n"
        f"a,the sea,{FAL},,\n"
        f"b,the gull,{FAL}/extend-video,@previous,60\n"
    )
    request = next(
        r for r in studio.told("requests")["requests"] if r["endpoint"].endswith("extend-video")
    )
    assert request["inputs"]["start_frame"] == 60
    sent = BytesIO(_read(request["inputs"]["video_url"]))
    assert sent.getvalue() == made.clip("a").path.read_bytes()


def _read(url: str) -> bytes:

    return web.get(url).content


def test_changed_parent_makes_its_successors_new_and_nothing_else(studio: Studio) -> None:
    studio.make(CHAIN.format(parent="the sea"))
    same = studio.plan(CHAIN.format(parent="the sea"))
    assert [line.need for line in same.lines] == ["stored"] * 4
    changed = studio.plan(CHAIN.format(parent="the storm"))
    assert [line.need for line in changed.lines] == ["buy", "buy", "buy", "stored"]


def test_shot_without_a_parent_fails_alone_with_its_successors(studio: Studio) -> None:
    studio.misbehave(
        at="submit", do="status", status=422, body={"detail": "no"}, match={"prompt": "the sea"}
    )
    made = studio.make(CHAIN.format(parent="the sea"))
    assert "refused" in made.error("a").message
    for name in ("b", "c"):
        assert "no clip" in made.error(name).message
        assert made.error(name).paid == "no"
    assert made.clip("x")
    assert len(studio.told("charges")["charges"]) == 1


def test_independent_shots_do_not_wait_for_a_chain(studio: Studio) -> None:
    made = studio.make(CHAIN.format(parent="the sea"))
    accepted = [r["inputs"]["prompt"] for r in studio.told("requests")["requests"]]
    assert set(accepted[:2]) == {"the sea", "the moon"}
    assert accepted[2:] == ["the gull", "the rock"]
    assert made.clip("c")


def test_one_upload_serves_every_shot_that_uses_the_file(studio: Studio, tmp_path: Path) -> None:
    Image.new("RGB", (64, 36), "navy").save(tmp_path / "sea.png", "PNG")
    rows = "".join(f"s{i},wave {i},{FAL}/image-to-video,sea.png\n" for i in range(5))
    path = tmp_path / "list.csv"
    path.write_text("shot,prompt,model,image\n" + rows, "utf-8")
    studio.make(str(path))
    urls = {r["inputs"]["image_url"] for r in studio.told("requests")["requests"]}
    assert len(urls) == 1


@pytest.mark.parametrize("cell", ["https://example.com/a.mp4", "no.mp4"])
def test_model_without_a_video_input_refuses_one(studio: Studio, cell: str) -> None:
    from flows.shots import ShotListError, read_shots

    with pytest.raises(ShotListError, match="takes no video"):
        read_shots(f"prompt,model,video\nthe sea,{FAL},{cell}\n")


KLING = "fal-ai/kling-video/v3/pro/image-to-video"
BETWEEN = "shot,prompt,model,image,last_image,duration_s,max_usd,num_frames,resolution\n"
BETWEEN += f"a,the sea,{FAL},,,,,{SMALL}\n"
BEGINS = f"{BETWEEN}b,the gull,{KLING},@previous,,3,1,,\n"
RETURNS = f"{BETWEEN}b,the gull,{KLING},@previous,@previous,3,1,,\n"


def rename_as_earlier(job: Job) -> int | None:
    """Give shot b the name that an earlier version gave, which did not say where the clip before
    goes; the seed that it was bought with."""
    assert job.previous
    chained = job.previous.chain_key
    earlier = job.known_as(seed=None, take=1, twin=1, previous=chained, tells_places=False)
    with closing(sqlite3.connect(settings.home() / "ledger.sqlite")) as ledger:
        ledger.execute("UPDATE attempts SET fingerprint = ? WHERE shot = 'b'", (earlier,))
        ledger.commit()
        (seed,) = ledger.execute("SELECT seed FROM attempts WHERE shot = 'b'").fetchone()
    return int(seed) if seed is not None else None


def test_clip_that_also_ends_where_the_one_before_ended_is_another_clip(studio: Studio) -> None:
    made = studio.make(RETURNS)
    assert len(studio.told("charges")["charges"]) == 2
    assert [line.need for line in studio.plan(BEGINS).lines] == ["stored", "buy"]
    rename_as_earlier(made.plan.lines[1].job)
    assert studio.plan(RETURNS).count("stored") == 2


WAN = "fal-ai/wan/v2.7/image-to-video"
ONE_PLACE = {
    place: f"shot,prompt,model,num_frames,resolution,{place},max_usd,seed\n"
    f"a,the sea,{FAL},{SMALL},,,\nb,the gull,{WAN},,,@previous,1,"
    for place in ("image", "last_image", "video")
}


def test_clip_before_that_goes_to_another_place_makes_another_clip(studio: Studio) -> None:
    """Of a model that takes it at its beginning, at its end, or whole."""
    names = {
        place: studio.plan(shots).lines[1].job.fingerprint for place, shots in ONE_PLACE.items()
    }
    assert len(set(names.values())) == 3


@pytest.mark.parametrize("seed", ["", "drawn"])
def test_clip_whose_earlier_name_did_not_say_its_place_is_not_bought_again(
    studio: Studio, seed: str
) -> None:
    """Nor is it taken for one that goes on from elsewhere."""
    ends = ONE_PLACE["last_image"]
    drawn = rename_as_earlier(studio.make(ends).plan.lines[1].job)
    named = str(drawn) if seed else ""
    assert [line.need for line in studio.plan(ends + named).lines] == ["stored", "stored"]
    whole = studio.plan(ONE_PLACE["video"] + named)
    assert [line.need for line in whole.lines] == ["stored", "buy"]
