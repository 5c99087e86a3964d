"""Clips of many models in one list, bought from the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from blocks.errors import PriceError
from blocks.providers.catalogue import MODELS
from blocks.sandbox import Sandbox
from tests.cards.catalogues import card_of, keep, wavespeed_items
from tests.generate.studio import Studio, write

VEO, KLING = "fal-ai/veo3.1", "fal-ai/kling-video/v3/pro/image-to-video"
SEEDANCE, MAGI_2 = "bytedance/seedance-2.0/reference-to-video", "sand-ai/magi-2/text-to-video"
WAN, ADDED = "wavespeed-ai/wan-2.2/t2v-720p", "lightricks/ltx-2-fast/text-to-video"
BETWEEN = "kwaivgi/kling-video-o1/image-to-video"
"""Takes 7 s between two pictures, and with one alone 5 or 10."""


@pytest.fixture
def studio(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with Sandbox(folder / "sandbox", latency_s=0.1, render="thumb") as sandbox:
        monkeypatch.setenv("SHOTREEL_SANDBOX_URL", sandbox.url)
        yield Studio(sandbox)


def test_list_of_eight_models_comes_home_and_the_bill_adds_up(studio: Studio, folder: Path) -> None:
    Image.new("RGB", (320, 180), "navy").save(folder / "a.png")
    Image.new("RGB", (320, 180), "teal").save(folder / "b.png")
    added = next(item for item in wavespeed_items() if item["model_id"] == ADDED)
    keep(card_of(added), folder)
    shots = write(
        folder / "list.csv",
        "shot,model,prompt,image,last_image,references,duration_s,sound,max_usd,size,safety_tolerance",
        "a,,A lighthouse,,,,,,,,",
        f"b,{VEO},Dawn,,,,4,no,2,,2",
        f"c,{KLING},Rain,a.png,,,3,,2,,",
        f"d,{SEEDANCE},@Image1 meets @Image2,,,a.png | b.png,,,3,,",
        f"e,{MAGI_2},Fog,,,,4,,,,",
        f"f,{WAN},Sea,,,,5,,,720*1280,",
        f"g,{ADDED},Sky,,,,6,,,,",
        f"h,{BETWEEN},Go,a.png,b.png,,7,,,,",
    )
    made = studio.make(shots)
    clips = {name: made.clip(name) for name in "abcdefgh"}
    frames = {name: clip.num_frames for name, clip in clips.items()}
    assert frames == {"a": 96, "b": 96, "c": 72, "d": 120, "e": 100, "f": 120, "g": 144, "h": 168}
    told = studio.told("charges")
    assert sum(item.cost_usd for item in made.bill.values()) == Decimal(told["cost_usd"])
    sent = {row["endpoint"]: row["inputs"] for row in studio.told("requests")["requests"]}
    assert len(sent[SEEDANCE]["image_urls"]) == 2
    assert sent[SEEDANCE]["end_user_id"].startswith("shotreel-")
    assert sent[VEO]["safety_tolerance"] == "2"
    assert sent[WAN]["size"] == "720*1280"
    assert studio.plan(shots).count("buy") == 0


def test_the_very_body_that_is_posted_is_quoted_once_its_files_are_there(
    studio: Studio, folder: Path
) -> None:
    """How long a sound is, and so what the clip costs, a service measures at its URL."""
    Image.new("RGB", (320, 180), "navy").save(folder / "a.png")
    model = MAGI_2.replace("text", "image")
    studio.make(write(folder / "list.csv", "prompt,model,image,duration_s", f"Fog,{model},a.png,4"))
    [posted] = studio.told("requests")["requests"]
    assert posted["inputs"]["image"].startswith("http")
    quotes = [each["inputs"] for each in studio.told("quotes")["quotes"]]
    assert posted["inputs"] == quotes[-1]
    assert "image" not in quotes[0], "the plan was priced before the upload"


def test_price_that_nobody_can_promise_is_refused_without_a_ceiling(
    studio: Studio, folder: Path
) -> None:
    shots = write(folder / "list.csv", "prompt,model", f"Dawn,{VEO}")
    with pytest.raises(PriceError) as refused:
        studio.make(shots)
    assert "max_usd" in refused.value.remedy
    assert studio.told("posts")["total"] == 0


def test_ceiling_is_set_aside_whole_and_what_was_counted_is_the_next_price(
    studio: Studio, folder: Path
) -> None:
    first = write(folder / "list.csv", "prompt,model,max_usd", f"Dawn,{VEO},1.5")
    planned = studio.plan(first)
    assert (planned.lines[0].quote.source, planned.cost_usd) == ("ceiling", Decimal("1.5"))
    studio.make(first)
    both = write(folder / "list.csv", "prompt,model,max_usd", f"Dusk,{VEO},1.5", f"Dawn,{VEO},1.5")
    dusk, dawn = studio.plan(both).lines
    assert dawn.need == "stored"
    paid_usd = Decimal(studio.told("charges")["cost_usd"])
    assert (dusk.quote.source, dusk.quote.cost_usd) == ("counted", paid_usd)


def test_charge_above_its_ceiling_stops_the_model_at_once(studio: Studio, folder: Path) -> None:
    rows = [f"Dawn {number},{VEO},0.5,{number}" for number in range(4)]
    shots = write(folder / "list.csv", "prompt,model,max_usd,seed", *rows)
    studio.misbehave(at="job", do="units", units=11, times=0)
    made = studio.make(shots, budget_usd=Decimal(2))
    assert any(isinstance(each, Exception) for each in made.outcomes.values())
    assert studio.told("posts")["total"] == 1, "one clip goes first, and no other after it"
    assert Decimal(studio.told("charges")["cost_usd"]) == Decimal("0.55")


def test_ceiling_below_a_known_price_is_an_error(studio: Studio, folder: Path) -> None:
    shots = write(folder / "list.csv", "prompt,max_usd", "Sea,0.3")
    with pytest.raises(PriceError, match=r"costs \$0\.32 .* more than its max_usd of \$0\.3"):
        studio.plan(shots)


@pytest.mark.parametrize("card", ["fal-ai/kling-video/v2.6/pro/image-to-video", VEO])
def test_no_price_of_a_label_is_taken_for_a_price(card: str) -> None:
    """5 s with sound at "$0.07 a second" are $0.70, not $0.35: no label is counted by."""
    assert MODELS[card].units is None
