"""Stills first: a picture for cents; what a person approves becomes a clip that begins with it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from blocks import settings
from blocks.errors import AwaitsApprovalError, InputError
from flows.planning.stills_price import stills_words
from flows.shots import read_shots
from flows.shots.choices import Choice, choices_path, write_choices
from flows.shots.job import approval_of, still_of
from tests.generate.studio import Made, Studio, write
from tests.web import web

CLIP, STILL = "fal-ai/magi-distilled/image-to-video", "fal-ai/nano-banana-pro"
HEAD = "shot,prompt,model,image_prompt,image_model,image_max_usd"
ROWS = (f"a,it rises,{CLIP},a sea at dawn,{STILL},0.50", f"b,it falls,{CLIP},a gull,{STILL},0.50")


def approve(shots: str, *names: str, still: int = 1, approved: bool = True) -> None:
    """The choices beside the list: so many stills, of which the last is chosen, and approved."""
    path = choices_path(shots)
    assert path
    chosen = {f"main/{name}": Choice(stills=still, still=still) for name in names}
    write_choices(path, chosen)
    if approved:
        rows = {shot.name: still_of(shot, live=False) for shot in read_shots(shots)}
        found = {n: replace(c, approved=approval_of(rows[n])) for n, c in chosen.items()}
        write_choices(path, found)


def bought(studio: Studio) -> list[str]:
    return sorted(charge["endpoint"] for charge in studio.told("charges")["charges"])


def waits(made: Made, name: str) -> bool:
    return isinstance(made.outcomes[name], AwaitsApprovalError)


@pytest.fixture
def shots(tmp_path: Path) -> str:
    return write(tmp_path / "list.csv", HEAD, *ROWS)


def test_only_an_approved_still_becomes_a_clip_that_begins_with_it(
    studio: Studio, shots: str
) -> None:
    planned = studio.plan(shots)
    assert [line.need for line in planned.every] == ["buy", "buy", "waits", "waits"]
    assert planned.waits_usd == Decimal("0.64")
    assert "$1.00, 61.0% of stills and clips, which is more than 5%" in stills_words(planned)
    made = studio.make(shots)
    assert waits(made, "a") and waits(made, "b")
    assert bought(studio) == [STILL, STILL]
    approve(shots, "a")
    made = studio.make(shots)
    assert made.clip("a") and waits(made, "b")
    assert bought(studio) == [CLIP, STILL, STILL]
    request = next(r for r in studio.told("requests")["requests"] if r["endpoint"] == CLIP)
    url = request["inputs"]["image_url"]
    assert url.endswith(".png")
    with Image.open(BytesIO(web.get(url).content)) as sent:
        assert sent.format == "PNG"
    assert {item.in_film for item in made.items if item.model == STILL} == {"still"}
    stills = list((settings.home() / "clips").glob("*/*.png"))
    assert len(stills) == 2
    for still in stills:  # as earlier versions have kept them
        still.rename(still.with_suffix(".mp4"))
    approve(shots, "a", "b")
    made = studio.make(shots)
    assert made.clip("a") and made.clip("b")
    assert bought(studio) == [CLIP, CLIP, STILL, STILL]
    assert not list((settings.home() / "clips").glob("*/*.png"))


def test_stills_for_cents_are_said_to_be_a_small_part_of_the_price(
    studio: Studio, tmp_path: Path
) -> None:
    cheap = write(tmp_path / "cheap.csv", HEAD, ROWS[0].replace("0.50", "0.01"))
    told = "Spent before an approval: $0.01, 3.0% of stills and clips."
    assert stills_words(studio.plan(cheap)) == told


def test_another_still_needs_another_approval_and_buys_one_clip_again(
    studio: Studio, shots: str
) -> None:
    approve(shots, "a", "b")
    studio.make(shots)
    approve(shots, "a", still=2, approved=False)
    made = studio.make(shots)
    assert waits(made, "a") and made.clip("b")
    assert bought(studio) == [CLIP, CLIP, STILL, STILL, STILL]
    approve(shots, "a", still=2)
    made = studio.make(shots)
    assert made.clip("a") and made.clip("b")
    assert bought(studio) == [CLIP, CLIP, CLIP, STILL, STILL, STILL]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (f"a,x,{CLIP},a sea,,", "row 2, image_model: is empty"),
        (f"a,x,{CLIP},a sea,{CLIP},", "makes no pictures"),
        (f"a,x,{STILL},,,", "makes pictures; name it in the column image_model"),
        (f"a,x,fal-ai/magi-distilled,a sea,{STILL},", "takes no image"),
        (f"a,x,{CLIP},a sea,no/such,", "is no model that shotreel has a card of"),
    ],
)
def test_wrong_still_is_an_error_of_the_list(row: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read_shots(write(tmp_path / "list.csv", HEAD, row))
    assert told in refused.value.message


def test_clip_comes_from_its_still_or_from_the_shot_before_wherever_that_is_named(
    tmp_path: Path,
) -> None:
    model = CLIP.replace("magi-distilled", "kling-video/v3/pro")
    elements = '"[{""frontal_image_url"":""@previous""}]"'
    rows = ("a,x,fal-ai/magi-distilled,,,,,", f"b,x,{model},a sea,{STILL},0.50,3,{elements}")
    with pytest.raises(InputError) as refused:
        read_shots(write(tmp_path / "list.csv", f"{HEAD},max_usd,elements", *rows))
    told = 'row 3, image_prompt: "a sea" is set, and the row goes on from @previous'
    assert told in refused.value.message
