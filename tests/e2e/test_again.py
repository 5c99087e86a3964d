"""Running a list again: what is there is used, what is paid is fetched, what is new is bought."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.film import assert_film_is_its_clips
from tests.e2e.world import WAVESPEED, World

HEADER = "shot,prompt,model,seed\n"
LIST = HEADER + f"a,Sea,,1\nb,Rock,{WAVESPEED},2\nc,Sky,,\n"


class Finished(NamedTuple):
    """A list that was made."""

    world: World
    shots: str
    manifest: dict[str, Any]

    @property
    def out(self) -> Path:
        return self.world.folder / "out" / "list"

    def stored(self, shot: str) -> Path:
        """The shot's file in the clip store."""
        sha256 = str(next(s["sha256"] for s in self.manifest["shots"] if s["shot"] == shot))
        return self.world.home / "clips" / sha256[:2] / f"{sha256}.mp4"

    def downloads_of(self, shot: str) -> int:
        request = next(s["request_id"] for s in self.manifest["shots"] if s["shot"] == shot)
        told = self.world.told("media-downloads")["downloads"]
        return sum(download["request_id"] == request for download in told)


@pytest.fixture
def finished(world: World) -> Finished:
    shots = world.write(LIST)
    return Finished(world, shots, world.make(shots))


def test_second_run_buys_nothing_and_changes_no_file(finished: Finished) -> None:
    def looks() -> dict[str, tuple[bytes, int]]:
        """Every file but the page, which tells of the run, with the time of its last change
        where it is a video."""
        files = set(finished.out.rglob("*.*")) - {finished.out / "report.html"}
        return {
            str(path): (path.read_bytes(), path.suffix == ".mp4" and path.stat().st_mtime_ns)
            for path in files
        }

    before = looks()
    charged = finished.world.charged
    assert finished.world.make(finished.shots) == finished.manifest
    assert looks() == before
    assert finished.world.posts == 3
    assert finished.world.charged == finished.world.billed == charged
    assert len(finished.world.told("media-downloads")["downloads"]) == 3


def test_deleted_output_comes_back_without_buying(finished: Finished) -> None:
    shutil.rmtree(finished.out)
    assert finished.world.make(finished.shots) == finished.manifest
    assert finished.world.posts == 3
    assert_film_is_its_clips(finished.out, finished.manifest)


def test_an_edited_output_clip_is_replaced_and_the_paid_one_unharmed(finished: Finished) -> None:
    clip = finished.out / "clips/main/a.mp4"
    paid = finished.stored("a").read_bytes()
    clip.chmod(0o644)
    clip.write_bytes(b"edited by hand")
    finished.world.make(finished.shots)
    assert finished.stored("a").read_bytes() == clip.read_bytes() == paid
    assert finished.world.posts == 3


def test_clips_that_the_store_lost_are_fetched_and_not_bought(finished: Finished) -> None:
    """One is deleted, one altered, one cut short."""
    stored = [finished.stored(shot) for shot in "abc"]
    whole = [path.read_bytes() for path in stored]
    for path in stored:
        path.chmod(0o644)
    stored[0].unlink()
    stored[1].write_bytes(whole[1][:-1] + b"\0\0")
    stored[2].write_bytes(whole[2][:100])
    manifest = finished.world.make(finished.shots)
    assert manifest == finished.manifest
    assert [path.read_bytes() for path in stored] == whole
    assert [finished.downloads_of(shot) for shot in "abc"] == [2, 2, 2]
    assert finished.world.posts == 3
    assert finished.world.charged == finished.world.billed


def test_a_changed_prompt_buys_exactly_one_clip(finished: Finished) -> None:
    shots = finished.world.write(LIST.replace("Sky", "Sky at night"))
    planned = finished.world.run("plan", shots, "--json").json
    assert (planned["to_buy"], planned["stored"]) == (1, 2)
    manifest = finished.world.make(shots)
    old, new = finished.manifest["shots"], manifest["shots"]
    assert [o["request_id"] == n["request_id"] for o, n in zip(old, new, strict=True)] == [
        True,
        True,
        False,
    ]
    assert finished.world.posts == 4
    assert finished.world.charged == finished.world.billed
    assert_film_is_its_clips(finished.out, manifest)


def test_moved_renamed_and_annotated_shots_buy_nothing(finished: Finished) -> None:
    """What is not sent to the provider makes no other clip: names, order, notes."""
    shots = finished.world.write(
        f"notes,seed,prompt,sequence,shot,model\nlast,2,Rock,z,1,{WAVESPEED}\n,1,Sea,z,2,\n"
    )
    manifest = finished.world.make(shots)
    assert finished.world.posts == 3
    assert_film_is_its_clips(finished.out, manifest)


def test_plan_tells_what_a_run_would_buy_and_buys_nothing(world: World) -> None:
    shots = world.write(HEADER + f"a,Sea,,1\nagain,Sea,,1\nb,Rock,{WAVESPEED},2\n")
    before = world.run("plan", shots, "--json").json
    assert before["totals"] == {"units": "5", "cost_usd": "0.56"}
    assert [shot["need"] for shot in before["shots"]] == ["buy", "shared", "buy"]
    assert world.posts == 0
    assert world.rows("SELECT * FROM attempts") == []
    assert not (world.folder / "out").exists()
    said = world.run("plan", shots)
    assert (said.code, "$0.56" in said.out, "2 to buy" in said.out) == (0, True, True)
    manifest = world.make(shots)
    assert manifest["totals"] == before["totals"]
    keys = ("sequence", "shot", "take", "model", "fingerprint")
    assert [[s[k] for k in keys] for s in before["shots"]] == [
        [s[k] for k in keys] for s in manifest["shots"]
    ]
    after = world.run("plan", shots, "--json").json
    assert after["totals"] == {"units": "0", "cost_usd": "0"}
    assert {shot["need"] for shot in after["shots"]} <= {"stored", "shared"}
    assert after["to_buy"] == 0


def test_two_runs_of_one_list_at_once_buy_each_clip_once(world: World) -> None:
    shots = world.write(LIST.replace("c,Sky,,", "c,Sky,,3"))
    outs = ("one", "two")
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(world.run, "make", shots, "--json", "--out", out) for out in outs]
        done = [run.result() for run in runs]
    assert [d.code for d in done] == [0, 0], [d.err for d in done]
    assert world.posts == 3
    assert world.charged == world.billed
    one, two = (json.loads((world.folder / out / "manifest.json").read_text()) for out in outs)
    assert one == two
    for out in outs:
        assert_film_is_its_clips(world.folder / out, one)


def test_lists_that_share_a_shot_share_its_clip(new_world: NewWorld) -> None:
    world = new_world()
    world.make(world.write(HEADER + "a,Sea,,1\nb,Rock,,2\n", "first.csv"))
    manifest = world.make(world.write(HEADER + "x,Rock,,2\ny,Sky,,3\n", "second.csv"))
    assert world.posts == 3
    # The shared clip is on the bill of the film that has bought it.
    assert Decimal(manifest["totals"]["cost_usd"]) == Decimal("0.32")
    assert world.charged[1] == world.billed[1] == Decimal("0.96")
