"""What is wrong is said in words, before anything is bought: exit codes 1, 2 and 4."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.world import NOTHING, Done, World
from tests.zygote import ROOT, clean_environment

GOOD = "shot,prompt,seed\na,Sea,1\n"

# What a list holds, and what a user has to be told about it.
WRONG_LISTS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "unknown column": (b"shot,promt\na,Sea\n", ("promt", "prompt")),
    "nearest column": (b"prompt,sed\nSea,1\n", ("sed", "did you mean seed?")),
    "unknown model": (
        b"prompt,model\nSea,fal-ai/magi-destilled\n",
        ("row 2", "model", "fal-ai/magi-destilled", "did you mean fal-ai/magi-distilled?"),
    ),
    "too few frames": (b"prompt,num_frames\nSea,95\n", ("row 2", "num_frames", "95", "96 to 192")),
    "too many frames": (b"prompt,num_frames\nSea,193\n", ("row 2", "193", "96 to 192")),
    "steps between": (b"prompt,num_inference_steps\nSea,17\n", ("17", "4, 8, 16, 32")),
    "resolution": (b"prompt,resolution\nSea,4k\n", ("row 2", "resolution", "4k", "480p, 720p")),
    "negative takes": (b"prompt,takes\nSea,-1\n", ("row 2", "takes", "-1")),
    "missing image": (
        b"prompt,model,image\nSea,wavespeed-ai/magi-1-24b,nowhere.png\n",
        ("row 2", "image", "nowhere.png"),
    ),
    "empty file": (b"", ("empty",)),
    "no shots": (b"shot,prompt\n\n\n", ("no shots",)),
    "no prompt": (b"shot,prompt\na,\n", ("row 2", "prompt")),
    "same name twice": (b"shot,prompt\na,Sea\na,Sky\n", ("row 3", '"a"', "row 2")),
    "escaping shot": (b"shot,prompt\n../../a,Sea\n", ("row 2", "shot", "../../a")),
    "escaping sequence": (b"sequence,shot,prompt\n..,a,Sea\n", ("row 2", "sequence", "..")),
    "absolute shot": (b"shot,prompt\n/etc/passwd,Sea\n", ("row 2", "/etc/passwd")),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 40, ("list.csv",)),
    "50 MB in a cell": (b"shot,prompt\na," + b"x" * 50_000_000, ("list.csv",)),
    "all at once": (
        b"shot,prompt,num_frames,colour\na,Sea,1,red\na,,96,blue\n",
        ("num_frames", "colour", "row 2", "row 3", "4 problems"),
    ),
}


def assert_nothing_was_bought(world: World, done: Done, code: int) -> None:
    assert done.code == code, done.err
    assert done.out == ""
    assert world.posts == 0
    assert not (world.folder / "out").exists()


def all_ended(world: World, commands: dict[str, tuple[str, ...]]) -> dict[str, Done]:
    """Every command, two at a time."""
    with ThreadPoolExecutor(2) as threads:
        ended = threads.map(lambda arguments: world.run(*arguments), commands.values())
        return dict(zip(commands, ended, strict=True))


@pytest.fixture(scope="module")
def checked(new_world: NewWorld) -> tuple[World, dict[str, Done]]:
    """A world in which every wrong list was given to `make --json`."""
    world = new_world()
    commands: dict[str, tuple[str, ...]] = {}
    for name, (content, _) in WRONG_LISTS.items():
        folder = world.folder / name.replace(" ", "-")
        folder.mkdir()
        (folder / "list.csv").write_bytes(content)
        commands[name] = ("make", str(folder / "list.csv"), "--json")
    return world, all_ended(world, commands)


@pytest.mark.parametrize("name", WRONG_LISTS)
def test_a_wrong_list_is_explained_and_buys_nothing(
    checked: tuple[World, dict[str, Done]], name: str
) -> None:
    world, done = checked
    assert_nothing_was_bought(world, done[name], 2)
    for word in WRONG_LISTS[name][1]:
        assert word in done[name].err
    assert len(done[name].err) < 5_000
    assert "nothing was bought" in done[name].err.lower()


ARGUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a wrong list, planned": (("plan", "prompt,sed\nSea,1\n", "--json"), ("seed",)),
    "no such file": (("make", "nowhere.csv"), ("nowhere.csv", "does not exist")),
    "a folder": (("make", "."), ("is not a file",)),
    "live without a budget": (
        ("make", "list.csv", "--live"),
        ("budget", "--budget", "SHOTREEL_BUDGET_USD", "Nothing was bought"),
    ),
    "live without a key": (
        ("make", "list.csv", "--live", "--budget", "1"),
        ("FAL_KEY", "fal.ai/dashboard/keys", "export FAL_KEY="),
    ),
    "live without the other key": (
        ("make", "wavespeed.csv", "--live", "--budget", "1"),
        ("WAVESPEED_API_KEY", "wavespeed.ai/accesskey", "export WAVESPEED_API_KEY="),
    ),
    "budget in words": (("make", "list.csv", "--budget", "ten"), ("'ten'", "USD")),
    "negative budget": (("make", "list.csv", "--budget=-1"), ("'-1'", "USD")),
    "endless budget": (("make", "list.csv", "--budget", "Infinity"), ("'Infinity'", "USD")),
    "budget of a fantasy": (("make", "list.csv", "--budget", "1e11"), ("'1e11'", "USD")),
    "no budget at all": (("make", "list.csv", "--budget", "NaN"), ("'NaN'", "USD")),
    "unknown option": (("make", "list.csv", "--lvie"), ("--lvie",)),
    "no list": (("make",), ("SHOTS",)),
}


@pytest.fixture(scope="module")
def given(new_world: NewWorld) -> tuple[World, dict[str, Done]]:
    """A world in which every command with wrong arguments was run."""
    world = new_world()
    world.write(GOOD)
    world.write("prompt,model\nSea,wavespeed-ai/magi-1-24b\n", "wavespeed.csv")
    return world, all_ended(world, {name: command for name, (command, _) in ARGUMENTS.items()})


@pytest.mark.parametrize("name", ARGUMENTS)
def test_wrong_arguments_are_explained_and_buy_nothing(
    given: tuple[World, dict[str, Done]], name: str
) -> None:
    world, done = given
    assert_nothing_was_bought(world, done[name], 2)
    for word in ARGUMENTS[name][1]:
        assert word in done[name].err


SETTINGS = {
    "SHOTREEL_SANDBOX_URL": "https://queue.fal.run",
    "SHOTREEL_START_TIMEOUT_S": "soon",
    "SHOTREEL_QUIET_S": "-3",
    "SHOTREEL_BUDGET_USD": "ten",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_named_and_buys_nothing(world: World, name: str) -> None:
    done = world.run("make", world.write(GOOD), "--json", **{name: SETTINGS[name]})
    assert_nothing_was_bought(world, done, 2)
    assert name in done.err or "--budget" in done.err
    assert world.charged == NOTHING


def test_a_budget_below_the_plan_buys_nothing(world: World) -> None:
    shots = world.write("shot,prompt\na,Sea\nb,Sky\n")
    done = world.run("make", shots, "--budget", "0.63", "--json")
    assert_nothing_was_bought(world, done, 4)
    assert "$0.64" in done.err
    assert "$0.63" in done.err
    assert world.run("make", shots, SHOTREEL_BUDGET_USD="0.63").code == 4
    world.make(shots, "--budget", "$0.64")
    assert world.charged == world.billed == (Decimal(8), Decimal("0.64"))


def test_a_finished_list_runs_again_with_no_budget_left(world: World) -> None:
    shots = world.write(GOOD)
    world.make(shots, "--budget", "0.32")
    world.make(shots, "--budget", "0")
    assert world.posts == 1


def test_prefect_that_does_not_answer_is_said(world: World) -> None:
    done = world.run("make", world.write(GOOD), PREFECT_API_URL="http://127.0.0.1:9/api")
    assert_nothing_was_bought(world, done, 1)
    assert "Prefect" in done.err
    assert "http://127.0.0.1:9/api" in done.err


def test_nothing_is_read_from_a_pipe_that_never_ends(world: World) -> None:
    subprocess.run(["mkfifo", str(world.folder / "pipe.csv")], check=True)
    assert_nothing_was_bought(world, world.run("make", "pipe.csv"), 2)


ANSWER = """
import sys
from flows.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print(end.code, sorted({"asyncio", "pandas", "prefect"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ("command", "imported"),
    [
        (("--help",), "0 []"),
        (("make", "prompt,seed\nSea,x\n"), "2 ['asyncio']"),
        (("plan", "prompt,seed\nSea,x\n"), "2 ['asyncio']"),
    ],
)
def test_what_needs_neither_prefect_nor_pandas_does_not_wait_for_them(
    tmp_path: Path, command: tuple[str, ...], imported: str
) -> None:
    env = {**clean_environment(), "PYTHONPATH": str(ROOT)}
    asked = [sys.executable, "-c", ANSWER, *command]
    done = subprocess.run(asked, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == imported, done.stderr
