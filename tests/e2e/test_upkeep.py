"""An installation that is kept in order: what may be removed, copies, numbers for a monitor."""

from __future__ import annotations

import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from blocks.ledger import Ledger
from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import World, refused

LIST = "sequence,shot,prompt,seed\ns,a,Sea,1\ns,b,Rock,2\nt,c,Sky,3\n"
SHORTER = "sequence,shot,prompt,seed\ns,a,Sea,1\nt,c,Sky,3\n"


def clips(world: World) -> set[str]:
    return {file.stem for file in (world.home / "clips").rglob("*.mp4")}


def gc(world: World, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = world.run("gc", "--older-than", "0", "--json", *arguments)
    assert done.code == code, done.err
    return done.json


def test_gc_removes_what_costs_nothing_and_no_clip(world: World) -> None:
    manifest = world.make(world.write(LIST))
    there = clips(world)
    (world.home / "incoming" / "of-nobody.part").write_bytes(b"x")
    looked = gc(world, "--dry-run")
    assert not looked["removed"]
    assert (world.home / "incoming" / "of-nobody.part").exists()
    told = gc(world)
    assert {"stitch", "stills", "incoming"} <= set(told["made_again"])
    assert clips(world) == there == {shot["sha256"] for shot in manifest["shots"]}
    assert not list((world.home / "incoming").iterdir())
    again = world.make("list.csv")
    assert again["film"]["sha256"] == manifest["film"]["sha256"]
    assert world.posts == 3


def test_a_clip_that_a_kept_manifest_names_is_never_removed(world: World) -> None:
    world.make(world.write(LIST))
    assert gc(world, "--clips", "--yes")["clips"] == []
    assert len(clips(world)) == 3


def test_a_paid_clip_goes_only_when_a_person_says_so(world: World) -> None:
    manifest = world.make(world.write(LIST))
    (rock,) = (shot["sha256"] for shot in manifest["shots"] if shot["shot"] == "b")
    world.make(world.write(SHORTER))
    told = gc(world, "--clips", code=2)
    assert [clip["name"] for clip in told["clips"]] == ["s/b"]
    assert told["cost_again_usd"] == "0.32"
    assert rock in clips(world)
    assert gc(world, "--clips", "--dry-run")["clips"] == told["clips"]
    assert gc(world, "--clips", "--yes")["clips_removed"]
    assert len(clips(world)) == 2
    assert world.rows("SELECT state FROM attempts WHERE shot = 'b'") == [("released",)]
    assert world.charged == world.billed
    world.make(world.write(LIST))
    assert world.posts == 4
    assert world.charged == world.billed


def test_a_film_whose_folder_is_gone_keeps_no_clip(world: World) -> None:
    manifest = world.make(world.write(LIST))
    shutil.rmtree(world.folder / manifest["out"] if "out" in manifest else world.folder / "out")
    told = gc(world, "--clips", code=2)
    assert len(told["clips"]) == 3
    assert told["cost_again_usd"] == "0.96"


def test_no_clip_is_removed_while_a_run_is_under_way(world: World) -> None:
    world.make(world.write(LIST))
    shutil.rmtree(world.folder / "out")
    at_work = Ledger(f"sqlite:///{world.home}/ledger.sqlite")
    try:
        at_work.start_run("another", "another", None)
        done = world.run("gc", "--older-than", "0", "--clips", "--yes", "--json")
        assert done.code == 1
        assert "under way" in done.err
    finally:
        at_work.close()
    assert len(clips(world)) == 3


def test_a_backup_holds_what_the_ledger_holds(world: World) -> None:
    world.make(world.write(LIST))
    copy = world.folder / "copy.sqlite"
    assert world.run("backup", str(copy), "--json").json["bytes"] == copy.stat().st_size
    assert copy.stat().st_mode & 0o777 == 0o600, "prompts and request ids are in it"
    with sqlite3.connect(copy) as found:
        rows = found.execute("SELECT * FROM attempts ORDER BY id").fetchall()
    assert rows == world.rows("SELECT * FROM attempts ORDER BY id")
    assert {file.name for file in world.folder.glob("*copy*")} == {"copy.sqlite"}
    assert world.run("backup", str(copy)).code == 2
    restored = world.run("costs", "--json", SHOTREEL_LEDGER_URL=f"sqlite:///{copy}")
    assert restored.json["cost_usd"] == "0.96"


def test_a_ledger_on_postgres_is_copied_by_postgres(world: World, tmp_path: Path) -> None:
    url = "postgresql://me:a-password@db:5432/shotreel"
    done = world.run("backup", str(tmp_path / "copy"), SHOTREEL_LEDGER_URL=url)
    assert done.code == 2
    assert "pg_dump --format=custom" in done.err
    assert "postgresql://me@db:5432/shotreel" in done.err
    assert "a-password" not in done.err + done.out


def test_a_monitor_reads_the_ledger_s_sums(world: World) -> None:
    world.make(world.write(LIST))
    families = {f.name: f for f in text_string_to_metric_families(world.run("metrics").out)}
    spend = families["shotreel_spend_usd"].samples
    assert sum(Decimal(str(sample.value)) for sample in spend) == world.charged[1]
    (stored,) = families["shotreel_attempts"].samples
    assert (stored.labels["state"], stored.value) == ("stored", 3)


def test_an_event_says_what_was_bought_and_what_was_not(
    world: World, prefect_server: PrefectServer
) -> None:
    world.misbehave(refused("Rock"))
    world.make(world.write(LIST, "signalled.csv"), code=3)

    def told(kind: str) -> list[dict[str, Any]]:
        wanted = {"event": {"name": [f"shotreel.clip.{kind}"]}}
        events = prefect_server.ask("events/filter", filter=wanted)["events"]
        return [e for e in events if e["resource"]["prefect.resource.name"] == "signalled"]

    (bought,) = until(lambda: told("bought"))
    assert bought["payload"]["count"] == 2
    assert bought["payload"]["cost_usd"] == "0.64"
    (failed,) = until(lambda: told("failed"))
    assert failed["payload"]["clips"] == ["s/b"]
