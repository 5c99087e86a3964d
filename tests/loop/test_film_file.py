"""The film's own file: what it gives, what comes before it, and what is wrong in it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from blocks.errors import BudgetError, InputError, PriceError
from flows.cli import main
from flows.commands.run_options import decide
from flows.output.record import options_of, remember_options
from flows.planning.film_budget import check_film
from flows.shots import ShotListError, film_of, read_list, read_shots
from flows.stitch.finish import AS_IT_IS, Finish
from tests.generate.studio import Studio, write
from tests.loop.test_takes import charges

FAL = "fal-ai/magi-distilled"
FILE = f"""
name = "Harbour"
title = "Harbour at Dawn"
loudness = "off"
fit = "crop"
max_usd = 0.50
budget_usd = 20

[defaults]
model = "{FAL}"
resolution = "480p"
num_frames = 96
transition = "dissolve"

[sequences.storm]
budget_usd = 1

[variables]
light = "low winter sun"

[characters.hero]
words = "a tall woman in a red coat"
image = "hero.png"
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (64, 36), "navy").save(tmp_path / "hero.png")
    (tmp_path / "film.toml").write_text(FILE)
    return tmp_path


def test_rows_have_what_the_film_gives_and_their_own_first(film: Path) -> None:
    rows = "a,the sea,,,", f"b,the gull,{FAL},720p,", "c,the rock,,,8"
    source = write(film / "film.csv", "shot,prompt,model,resolution,duration_s", *rows)
    shots = read_shots(source)
    assert [shot.inputs["resolution"] for shot in shots] == ["480p", "720p", "480p"]
    assert [shot.inputs["num_frames"] for shot in shots] == [96, 96, 192]
    assert [shot.transition for shot in shots] == ["dissolve"] * 3
    assert [shot.max_usd for shot in shots] == [Decimal("0.50")] * 3
    assert film_of(source).key == "Harbour"


def test_what_a_run_says_of_a_clip_s_price_comes_before_the_film_and_after_the_row(
    film: Path,
) -> None:
    source = write(film / "film.csv", "shot,prompt,max_usd", "a,the sea,", "b,the gull,0.20")
    shots = read_list(source, Decimal(3)).shots
    assert [shot.max_usd for shot in shots] == [Decimal(3), Decimal("0.20")]


def test_model_that_does_not_take_a_default_goes_without_it(film: Path) -> None:
    source = write(film / "film.csv", "prompt,model", "the sea,wavespeed-ai/magi-1-24b")
    assert "resolution" not in read_shots(source)[0].inputs


def test_words_and_pictures_are_what_is_sent(film: Path) -> None:
    source = write(
        film / "film.csv",
        "prompt,image,model",
        f'"{{hero}} in {{light}}, {{{{kept}}}}",@hero,{FAL}/image-to-video',
    )
    shot = read_shots(source)[0]
    assert shot.inputs["prompt"] == "a tall woman in a red coat in low winter sun, {kept}"
    assert list(shot.files.values()) == [str(film / "hero.png")]


def test_what_is_not_defined_is_an_error_of_its_row(film: Path) -> None:
    rows = "{heroo} waits,", f"the sea,@her,{FAL}/image-to-video"
    rows = (f"{rows[0]},", rows[1])
    source = write(film / "film.csv", "prompt,image,model", *rows)
    with pytest.raises(ShotListError) as caught:
        read_shots(source)
    assert 'row 2, prompt: "{heroo}" is not defined in film.toml; did you mean hero?' in str(
        caught.value
    )
    assert 'row 3, image: "@her" is no picture of a character in film.toml' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("titel = 1", "titel: is not known; did you mean title"),
        ("on-missing = 'skip'", "on-missing: is not known; did you mean on_missing"),
        ("title = 1", "title: is not what it takes"),
        ("max_usd = '1'", "max_usd: is not an amount"),
        ("max_usd = nan", "max_usd: is not an amount"),
        ("max_usd = -1", "max_usd: is not an amount"),
        ("[defaults]\nresoluton = '480p'", "did you mean resolution"),
        ("[defaults]\nprompt = 'x'", "prompt: is not known"),
        ("[sequences.a]\nbudget = 1", "did you mean budget_usd"),
        ("variables = 1", "is not a table"),
        ("[variables]\n'a b' = 'x'", "is not a name"),
        ("[[", "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "film.toml").write_text(text)
    source = write(tmp_path / "film.csv", "prompt", "the sea")
    with pytest.raises(InputError, match=said):
        read_shots(source)


def test_options_come_first_then_the_file_then_the_defaults(film: Path) -> None:
    file = read_list(write(film / "film.csv", "prompt", "the sea")).film.finish
    assert AS_IT_IS.over(file) == Finish(
        title="Harbour at Dawn", loudness_lufs=None, fit="crop", on_missing="slate"
    )
    assert Finish(fit="pad").over(file).fit == "pad"
    # A form sends every field; what it has not changed was not chosen.
    form = Finish.model_validate({**AS_IT_IS.model_dump(mode="json"), "title": "Storm"})
    assert (form.over(file).title, form.over(file).fit) == ("Storm", "crop")


def test_options_of_the_last_run_are_kept_by_the_folder_of_its_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    options = Finish(loudness_lufs=None, title="Dawn", rate="25")
    remember_options(tmp_path / "out", options.model_dump(mode="json", include=options.chosen))
    assert Finish(**options_of(tmp_path / "out")) == options
    assert options_of(tmp_path / "out") == {"loudness_lufs": "off", "title": "Dawn", "rate": "25"}
    assert options_of(tmp_path / "elsewhere") == {}


def test_own_options_come_before_the_file_and_that_before_the_last_run(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTREEL_HOME", str(film / "home"))
    source = write(film / "film.csv", "prompt", "the sea")
    last = Finish(title="Storm", rate="25", size="1280x720", end_title="Fin")
    remember_options(film / "out", last.model_dump(mode="json", include=last.chosen))
    options = decide(source, film / "out", given={"rate": "24"}, max_usd=Decimal(2))
    chosen = options.finish.over(options.found.film.finish)
    # The file names the title, the command the rate, the last run the others.
    assert (chosen.title, chosen.rate) == ("Harbour at Dawn", "24")
    assert (chosen.size, chosen.end_title) == ("1280x720", "Fin")
    assert options.kept.keys() == {"size", "end_title"}
    assert [shot.max_usd for shot in options.found.shots] == [Decimal(2)]
    without = decide(source, film / "out", forget=True)
    assert (without.finish.size, without.kept) == ("", {})


@pytest.mark.parametrize("command", ["make", "plan", "again", "review"])
def test_every_command_that_plans_or_makes_a_film_takes_a_ceiling(command: str) -> None:
    assert "max_usd" in {each.name for each in main.commands[command].params}


def test_value_that_the_film_cannot_have_is_named() -> None:
    with pytest.raises(InputError, match="fit"):
        AS_IT_IS.over({"fit": "stretch"})


def test_clip_above_its_limit_is_not_bought(studio: Studio, film: Path) -> None:
    rows = "a,the sea,0.50", "b,the gull,0.10"
    with pytest.raises(PriceError, match=r"b costs \$0\.16.*more than its max_usd of \$0\.10"):
        studio.plan(write(film / "film.csv", "shot,prompt,max_usd", *rows))
    assert charges(studio) == 0


def test_budget_of_the_film_and_of_a_sequence_count_every_run(studio: Studio, film: Path) -> None:
    rows = [f"storm,{n},the sea {n}" for n in range(4)]
    source = write(film / "film.csv", "sequence,shot,prompt", *rows)
    plan, file = studio.plan(source), read_list(source).film
    assert plan.most_usd == Decimal("0.64")
    left_usd = check_film(plan, file, {"storm": Decimal("0.36"), "calm": Decimal(3)})
    assert left_usd == Decimal("16.64")
    with pytest.raises(BudgetError, match=r"storm.*has cost \$0\.37.*is \$1\.00"):
        check_film(plan, file, {"storm": Decimal("0.37")})
    with pytest.raises(BudgetError, match=r"this film, which has cost \$19\.50"):
        check_film(plan, file, {"calm": Decimal("19.50")})


def test_film_that_is_whole_is_made_whatever_its_budget(studio: Studio, film: Path) -> None:
    source = write(film / "film.csv", "shot,prompt", "a,the sea")
    studio.make(source)
    file = read_list(source).film
    assert check_film(studio.plan(source), file, {"main": Decimal(25)}) == 0
