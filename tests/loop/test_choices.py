"""What is chosen beside a list: read, written, undone, and held against the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import InputError
from flows.commands.choose import choose
from flows.planning.film_order import film_order
from flows.shots import read_shots
from flows.shots.choices import Choice, choices_of, choices_path, read_choices, write_choices
from flows.shots.choosing import shot_named, with_more
from tests.generate.studio import Studio, write
from tests.loop.test_takes import HEAD, charges, row

AWKWARD = 'a "b" \\ ünï 🎬.t\x7f'


@pytest.fixture
def source(tmp_path: Path) -> str:
    rows = row("a", "the sea", takes="2"), row("b", "the gull")
    return write(tmp_path / "film.csv", HEAD.strip(), *map(str.strip, rows))


def test_choice_is_in_the_film_and_undone_by_removing_its_file(source: str) -> None:
    choose(source, "a", 2)
    path = choices_path(source)
    assert path == Path(source).with_name("film.choices.toml")
    assert [shot.take for shot in read_shots(source)] == [2, 1]
    path.unlink()
    assert [shot.take for shot in read_shots(source)] == [1, 1]


def test_what_the_list_says_comes_first(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(source).read_text().replace("2,\n", "2,1\n", 1)
    Path(source).write_text(text)
    choose(source, "a", 2)
    assert [shot.take for shot in read_shots(source)] == [1, 1]
    assert "the list itself says take 1" in capsys.readouterr().err


@pytest.mark.parametrize("take", [0, 3])
def test_take_that_is_not_there_cannot_be_chosen(source: str, take: int) -> None:
    with pytest.raises(InputError, match="takes 1 to 2"):
        choose(source, "a", take)
    assert choices_of(source) == {}


def test_unknown_shot_is_answered_with_the_nearest(source: str) -> None:
    with pytest.raises(InputError, match="did you mean main/b"):
        choose(source, "main/bb", 1)


def test_name_in_two_sequences_needs_its_sequence() -> None:
    shots = read_shots("sequence,shot,prompt\nx,a,the sea\ny,a,the gull\n")
    with pytest.raises(InputError, match="x/a, y/a"):
        shot_named(shots, "a")
    assert shot_named(shots, "y/a").sequence == "y"


def test_file_holds_any_name_and_note_and_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "film.choices.toml"
    written = {AWKWARD: Choice(3, 2, "approved", 'two\nlines "quoted" \\'), "b": Choice(mark="out")}
    write_choices(path, written)
    assert read_choices(path) == written
    write_choices(path, {"b": Choice()})
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["main/a"]\ntke = 1', "tke: is not known; did you mean take"),
        ('["main/a"]\ntake = "1"', "take: is not a whole number from 1 to 20"),
        ('["main/a"]\ntakes = true', "takes: is not"),
        ('["main/a"]\nmark = "nice"', "mark: is not one of approved, again, out"),
        ("note = 1", "is not a table"),
        ("[[", "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(source: str, text: str, said: str) -> None:
    path = choices_path(source)
    assert path
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_shots(source)


def test_more_takes_are_bought_and_the_old_ones_kept(studio: Studio, source: str) -> None:
    studio.make(source)
    assert charges(studio) == 3
    shots = read_shots(source)
    path = choices_path(source)
    assert path
    write_choices(path, with_more(choices_of(source), [shots[1]], 2, keep=False))
    plan = studio.plan(source)
    assert [line.need for line in plan.lines] == ["stored"] * 3 + ["buy"] * 2
    studio.make(source)
    assert charges(studio) == 5
    assert [line.job.take for line in studio.plan(source).lines if line.is_chosen] == [1, 3]
    seeds = [r["inputs"]["seed"] for r in studio.told("requests")["requests"]]
    assert len(set(seeds)) == 5


def test_shot_that_is_marked_out_is_not_in_the_film_nor_bought(studio: Studio, source: str) -> None:
    studio.make(source)
    path = choices_path(source)
    assert path
    write_choices(path, {"main/b": Choice(mark="out")})
    made = studio.make(source)
    assert charges(studio) == 3
    assert [item.in_film for item in made.items] == ["yes", "other take", "out"]
    shown = [line for lines in film_order(made.plan).values() for line in lines]
    assert [line.job.shot.name for line in shown] == ["main/a"]
    text = Path(source).read_text("utf-8")
    Path(source).write_text(text.replace("the gull", "another gull"), "utf-8")
    assert [line.need for line in studio.plan(source).lines] == ["stored", "stored", "out"]
    assert studio.plan(source).cost_usd == 0
    path.unlink()
    assert studio.plan(source).count("buy") == 1


def test_keeping_leaves_the_film_as_it_is(source: str) -> None:
    shots = read_shots(source)
    kept = with_more({}, shots, 1, keep=True)
    assert [kept[shot.name].take for shot in shots] == [1, 1]
    assert [kept[shot.name].takes for shot in shots] == [3, 2]


def test_shot_has_no_end_of_takes_unnoticed(source: str) -> None:
    with pytest.raises(InputError, match="at most 20"):
        with_more({}, read_shots(source), 19, keep=False)
