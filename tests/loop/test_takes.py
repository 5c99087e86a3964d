"""Which clip a row means: by its seed, by its place among its like, and by the take that is chosen.

Purchases are counted by the service on the other side.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from flows.outlook import outlook_of
from flows.planning.forecast import Outlook
from flows.shots import ShotListError, film_of, read_shots
from tests.generate.studio import Studio

FAL = "fal-ai/magi-distilled"
HEAD = "shot,prompt,model,num_frames,resolution,seed,takes,take\n"


def row(shot: str, prompt: str, seed: str = "", takes: str = "", take: str = "") -> str:
    return f"{shot},{prompt},{FAL},96,480p,{seed},{takes},{take}\n"


def charges(studio: Studio) -> int:
    return len(studio.told("charges")["charges"])


def chosen(studio: Studio, text: str) -> dict[str, str]:
    plan = studio.plan(text)
    return {x.job.shot.shot: x.job.fingerprint for x in plan.lines if x.is_chosen}


def test_a_takes_number_is_no_part_of_what_is_bought(studio: Studio) -> None:
    studio.make(HEAD + row("a", "the sea", seed="11", takes="3"))
    assert charges(studio) == 3
    plan = studio.plan(HEAD + row("a", "the sea", seed="13") + row("b", "the sea", seed="12"))
    assert [line.need for line in plan.lines] == ["stored", "stored"]


def test_asking_for_the_seed_that_was_drawn_buys_nothing(studio: Studio) -> None:
    studio.make(HEAD + row("a", "the sea", takes="2") + row("b", "the sea", takes="2"))
    assert charges(studio) == 4
    seeds = {r["inputs"]["seed"] for r in studio.told("requests")["requests"]}
    text = HEAD + "".join(row(f"s{n}", "the sea", seed=str(n)) for n in seeds)
    again = studio.make(text)
    assert charges(studio) == 4
    assert len({again.clip(shot).sha256 for shot in again.outcomes}) == 4


def test_another_prompt_of_the_same_seed_is_another_clip(studio: Studio) -> None:
    studio.make(HEAD + row("a", "the sea", seed="11", takes="2"))
    assert studio.plan(HEAD + row("a", "the land", seed="12")).count("buy") == 1


def test_rows_with_the_same_words_and_no_seed_are_two_clips(studio: Studio) -> None:
    text = HEAD + row("a", "the sea") + row("b", "the sea")
    made = studio.make(text)
    assert charges(studio) == 2
    assert made.clip("a").sha256 != made.clip("b").sha256
    assert studio.plan(text).count("stored") == 2


def test_rows_with_the_same_words_and_the_same_seed_share_a_clip(studio: Studio) -> None:
    made = studio.make(HEAD + row("a", "the sea", seed="7") + row("b", "the sea", seed="7"))
    assert charges(studio) == 1
    assert made.clip("a").sha256 == made.clip("b").sha256


def test_choosing_a_take_buys_nothing_and_keeps_all(studio: Studio) -> None:
    studio.make(HEAD + row("a", "the sea", takes="3"))
    text = HEAD + row("a", "the sea", takes="3", take="2")
    plan = studio.plan(text)
    assert plan.count("stored") == 3
    assert [line.job.take for line in plan.lines if line.is_chosen] == [2]


def test_what_goes_on_from_a_shot_follows_the_take_that_is_chosen(studio: Studio) -> None:
    head = "shot,prompt,model,image,num_frames,resolution,takes,take\n"
    chain = head + f"a,the sea,{FAL},,96,480p,2,{{take}}\nb,the gull,{FAL}/image-to-video,"
    chain += "@previous,96,480p,,\n"
    studio.make(chain.format(take=""))
    assert charges(studio) == 3
    plan = studio.plan(chain.format(take="2"))
    assert [line.need for line in plan.lines] == ["stored", "stored", "buy"]
    assert plan.lines[2].job.previous is not None
    assert plan.lines[2].job.previous.take == 2
    assert studio.plan(chain.format(take="1")).count("stored") == 3


def test_successor_of_a_shot_whose_drawn_seed_is_written_down_is_kept(studio: Studio) -> None:
    head = "shot,prompt,model,image,num_frames,resolution,seed\n"
    chain = head + f"a,the sea,{FAL},,96,480p,{{seed}}\nb,the gull,{FAL}/image-to-video,"
    chain += "@previous,96,480p,5\n"
    studio.make(chain.format(seed=""))
    seed = next(
        r["inputs"]["seed"]
        for r in studio.told("requests")["requests"]
        if r["inputs"]["prompt"] == "the sea"
    )
    studio.make(chain.format(seed=seed))
    assert charges(studio) == 2


@pytest.mark.parametrize(("takes", "take"), [("", "2"), ("2", "3"), ("2", "0"), ("2", "x")])
def test_take_that_a_shot_has_not_is_an_error_of_its_row(takes: str, take: str) -> None:
    with pytest.raises(ShotListError, match=f'row 2, take: "{take}"'):
        read_shots(HEAD + row("a", "the sea", takes=takes, take=take))


OLD = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("UPDATE attempts SET for_all_alike = 1")
connection.commit()
"""


def test_rows_that_shared_a_clip_before_an_upgrade_keep_it(studio: Studio) -> None:
    """As the migration leaves a ledger in which every row of a kind had the first one's clip."""
    from blocks.settings import home

    studio.make(HEAD + row("a", "the sea"))
    ledger = home() / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", OLD, str(ledger)], check=True)
    both = HEAD + row("a", "the sea") + row("b", "the sea")
    assert studio.plan(both).count("buy") == 0
    studio.make(both)
    assert charges(studio) == 1


def test_row_that_joins_another_of_its_kind_is_a_clip_of_its_own(studio: Studio) -> None:
    studio.make(HEAD + row("a", "the sea"))
    plan = studio.plan(HEAD + row("a", "the sea") + row("b", "the sea"))
    assert [line.need for line in plan.lines] == ["stored", "buy"]


def test_plan_says_with_whom_a_clip_is_shared(studio: Studio, tmp_path: Path) -> None:
    """With another shot of the list, and with another film by its name."""
    text = HEAD + row("a", "the sea", seed="7") + row("b", "the sea", seed="7")
    (tmp_path / "one.toml").write_text('name = "The first"\n')
    (tmp_path / "one.csv").write_text(text)
    (tmp_path / "two.csv").write_text(text)
    one, two = (str(tmp_path / f"{name}.csv") for name in ("one", "two"))
    studio.make(one, film=film_of(one))
    told = {
        source: [(s.name, s.shot, s.film) for s in outlook(source).shared] for source in (one, two)
    }
    assert told[one] == [("main/b", "main/a", "")]
    assert told[two] == [("main/a", "", "The first"), ("main/b", "main/a", "")]


def outlook(source: str) -> Outlook:
    return asyncio.run(outlook_of(read_shots(source), film_of(source), live=False))
