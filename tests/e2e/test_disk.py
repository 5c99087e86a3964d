"""A disk that is full, a folder that is closed, a ledger that is broken: said before buying."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.world import Done, World

LIST = "shot,prompt,seed\na,Sea,1\n"


def assert_said_before_buying(world: World, done: Done, *words: str) -> None:
    assert done.code == 1, done.err
    assert done.out == ""
    assert world.posts == 0
    assert "nothing was bought" in done.err.lower()
    for word in words:
        assert word in done.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 32 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "shotreel-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk, and not in every container")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def full_disk(small_disk: Path) -> Path:
    (small_disk / "filler").write_bytes(bytes(32 * 2**20 - 64 * 2**10))
    return small_disk


def test_a_full_disk_under_the_home_is_said(world: World, full_disk: Path) -> None:
    done = world.run("make", world.write(LIST), "--json", SHOTREEL_HOME=str(full_disk / "home"))
    assert_said_before_buying(world, done)


def test_a_nearly_full_clip_store_is_said(world: World, small_disk: Path) -> None:
    store = str(small_disk / "clips")
    done = world.run("make", world.write(LIST), "--json", SHOTREEL_CLIPS_URL=store)
    assert_said_before_buying(world, done, "MiB are free", "clip store")


def test_a_full_disk_under_the_output_is_said(world: World, full_disk: Path) -> None:
    done = world.run("make", world.write(LIST), "--json", "--out", str(full_disk / "film"))
    assert_said_before_buying(world, done, "output folder", "--out")


def test_an_output_that_is_no_folder_is_said(world: World) -> None:
    (world.folder / "file").write_text("a file")
    done = world.run("make", world.write(LIST), "--json", "--out", "file/film")
    assert_said_before_buying(world, done, "output folder", "--out")


@pytest.mark.parametrize("name", ["SHOTREEL_HOME", "SHOTREEL_CLIPS_URL"])
def test_a_home_that_is_no_folder_is_said(world: World, name: str) -> None:
    (world.folder / "file").write_text("a file")
    place = str(world.folder / "file" / "below")
    done = world.run("make", world.write(LIST), "--json", **{name: place})
    assert_said_before_buying(world, done, name)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that cannot be written, not by root either."""
    folder = tmp_path / "closed"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "shotreel-test", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("root cannot mount a read-only folder here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("option", ["SHOTREEL_HOME", "SHOTREEL_CLIPS_URL", "--out"])
def test_a_folder_that_cannot_be_written_is_said(world: World, closed: Path, option: str) -> None:
    shots, place = world.write(LIST), str(closed / "place")
    if option == "--out":
        done = world.run("make", shots, "--json", "--out", place)
    else:
        done = world.run("make", shots, "--json", **{option: place})
    assert_said_before_buying(world, done, option)


@pytest.mark.parametrize("harm", ["no database", "damaged", "cut short", "read-only", "newer"])
def test_a_broken_ledger_is_said_and_kept(world: World, harm: str) -> None:
    shots = world.write(LIST)
    world.make(shots)
    posts = world.posts
    ledger = world.home / "ledger.sqlite"
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        if harm == "newer":
            connection.execute("INSERT INTO ledger_schema VALUES (99)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = ledger.read_bytes()
    broken = {
        "no database": b"this is no database, and it is long enough to be taken for one" * 20,
        "damaged": whole[:4096] + bytes(len(whole) - 4096),
        "cut short": whole[: len(whole) // 3],
    }
    if harm == "read-only":
        if os.geteuid() == 0:
            pytest.skip("root may write to a file that is read-only")
        ledger.chmod(0o444)
    elif harm in broken:
        ledger.write_bytes(broken[harm])
    before = ledger.read_bytes()
    for command in (["make", world.write(LIST + "b,Sky,2\n"), "--json"], ["costs", "--json"]):
        done = world.run(*command)
        assert (done.code, done.out) == (1, "")
        assert "ledger" in done.err
    assert world.posts == posts
    assert ledger.read_bytes() == before
