"""The examples of the READMEs do what the words beside them say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from prefect.automations import Automation

from blocks.providers.comfyui.workflow import Sidecar
from flows.shots import read_shots
from tests.docs.pages import README, Page, page
from tests.e2e.world import World
from tests.zygote import ROOT, clean_environment

(HARBOUR,) = README.blocks("csv")
TIMEOUT_S = 300


def typed(where: Page, *firsts: str) -> list[list[str]]:
    """The arguments of each `shotreel` command of a page that begins with one of these."""
    return [words[1:] for words in where.commands if words[0] == "shotreel" and words[1] in firsts]


def tables(where: Page) -> list[list[str]]:
    return where.cells("Beside the film")


def test_the_whole_list_is_read() -> None:
    shots = read_shots(HARBOUR)
    assert len(shots) == 6
    assert [shot.takes for shot in shots] == [1, 2, 1, 1, 1, 1]


def test_the_list_is_planned_and_becomes_what_is_said_to_be_beside_it(world: World) -> None:
    world.write(HARBOUR, "harbour.csv")
    planned, made = typed(README, "plan", "make")[:2]
    assert world.run(*planned, "--json").json["to_buy"] == 7
    done = world.run(*made)
    assert done.code == 0, done.err
    assert world.posts == 7
    folder = world.folder / "out" / "harbour"
    for where in (README, page("flows/output")):
        for name in re.findall(r"`([^`]+)`", "".join(row[0] for row in tables(where))):
            # The list has no dialogue, hence no subtitles.
            if "<" not in name and not name.endswith((".srt", ".vtt")):
                assert (folder / name).exists(), name
    assert (folder / "clips" / "night" / "020.t2.mp4").exists()
    assert world.run(*planned, "--json").json["to_buy"] == 0
    for arguments in typed(page("flows/costs"), "costs"):
        assert world.run(*arguments).code == 0, arguments
    assert world.run(*typed(page("blocks/ledger"), "recover")[0]).code == 0


def test_the_program_makes_the_film_and_is_given_it(world: World) -> None:
    (program,) = page("flows").blocks("python")
    world.write("prompt,seed\nThe sea,1\n")
    script = world.folder / "script.py"
    script.write_text(f"{program}\n\nprint(film_of('list.csv'))\n", "utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=world.folder,
        env=clean_environment() | world.env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    told, code = done.stdout.splitlines()[-2:]
    assert told.startswith(f"{Path('out', 'film', 'film.mp4')} ")
    assert code == "0"


def test_prefect_takes_the_automation() -> None:
    (text,) = page("flows/costs").blocks("yaml")
    found = yaml.safe_load(text)
    found["actions"][0]["block_document_id"] = "00000000-0000-0000-0000-000000000000"
    automation = Automation.model_validate(found)
    assert automation.actions[0].type == "send-notification"


def test_the_sidecar_is_one(tmp_path: Path) -> None:
    (text,) = page("blocks/providers").blocks("json")
    sidecar = Sidecar.model_validate(json.loads(text))
    assert sidecar.columns["image"].required


def test_the_first_command_makes_the_film_of_the_picture() -> None:
    first, second = README.blocks("sh")
    (shots,) = (word for word in first.split() if word.endswith(".csv"))
    assert len(read_shots(str(ROOT / shots))) == 9
    for block in (first, second):
        checked = subprocess.run(["bash", "-n", "-c", block], check=False, env=dict(os.environ))
        assert checked.returncode == 0
