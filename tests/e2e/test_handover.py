"""What stands beside the film after `shotreel make`, and what it costs to run again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flows.studio import api
from tests.e2e.world import World
from tests.output.conftest import Issue, boxes, issue, needs

__all__ = ["issue"]

LIST = """\
sequence,shot,prompt,seed,takes
storm,010,Sea in a storm,1,2
storm,020,A boat,3,
dawn,010,Calm,4,
"""
FILES = ("film.otio", "poster.jpg", "contact-sheet.jpg", "provenance.json")


def looks(out: Path) -> dict[str, tuple[int, int]]:
    found = {name: (out / name).stat() for name in (*FILES, "film.mp4")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def artifacts(world: World, key: str) -> list[dict[str, Any]]:
    with api.server(world.env["PREFECT_API_URL"]) as client:
        return api.read(client, "/artifacts/filter", {"artifacts": {"key": {"any_": [key]}}})


def test_the_film_is_handed_over_once(world: World) -> None:
    otio = needs("opentimelineio")
    manifest = world.make(world.write(LIST))
    out = world.folder / "out" / "list"
    before = looks(out)

    timeline = otio.adapters.read_from_file(str(out / "film.otio"))
    assert timeline.duration().value == manifest["film"]["num_frames"]
    for clip in timeline.find_clips():
        assert (out / clip.media_reference.target_url).is_file()
    first = timeline.tracks[0][0]
    rows = [row for row in manifest["shots"] if row["shot"] == "010"]
    assert first.metadata["shotreel"]["request_id"] == rows[0]["request_id"]
    assert "take 2" in first.media_references()

    provenance = json.loads((out / "provenance.json").read_text("utf-8"))
    assert [shot["sha256"] for shot in provenance["shots"]] == [
        sha256(out / row["path"]) for row in manifest["shots"]
    ]
    assert provenance["film"]["sha256"] == sha256(out / "film.mp4") == manifest["film"]["sha256"]
    assert all(shot["provider"] == "sandbox/fal" for shot in provenance["shots"])
    assert all(
        shot["digital_source_type"].endswith("trainedAlgorithmicMedia")
        for shot in provenance["shots"]
    )
    for name in ("poster.jpg", "contact-sheet.jpg"):
        with Image.open(out / name) as picture:
            assert picture.format == "JPEG"
            picture.load()
    shown = artifacts(world, "contact-sheet")
    assert shown and str(shown[0]["data"]).startswith("data:image/jpeg;base64,")
    for film in (out / "film.mp4", out / "sequences" / "storm.mp4"):
        assert [box for box in boxes(film) if box[2] == b"uuid"]

    world.make(world.write(LIST))
    assert looks(out) == before
    (out / "poster.jpg").unlink()
    world.make(world.write(LIST))
    assert (out / "poster.jpg").is_file()
    assert looks(out)["film.mp4"] == before["film.mp4"]


def test_shots_of_one_name_go_into_one_bundle(world: World) -> None:
    """A bundle (.otioz) holds its media in one folder."""
    otio = needs("opentimelineio")
    shots = "sequence,shot,prompt,seed\na,1,Sea,1\na,a-1,Boat,2\nb,1,Calm,3\nb,film,Gull,4\n"
    manifest = world.make(world.write(shots))
    out = world.folder / "out" / "list"
    paths = [out / row["path"] for row in manifest["shots"]]
    assert all(path.is_file() for path in paths)
    assert len({path.name.casefold() for path in paths} | {"film.mp4"}) == 5
    assert manifest["shots"][1]["path"] == "clips/a/a-1.mp4"
    timeline = otio.adapters.read_from_file(str(out / "film.otio"))
    for clip in timeline.find_clips():
        clip.media_reference.target_url = str(out / clip.media_reference.target_url)
    otio.adapters.write_to_file(timeline, str(out / "film.otioz"))
    assert (out / "film.otioz").stat().st_size > sum(path.stat().st_size for path in paths)


def test_a_hand_over_that_fails_takes_nothing_with_it(world: World) -> None:
    out = world.folder / "out" / "list"
    (out / "contact-sheet.jpg").mkdir(parents=True)
    done = world.run("make", world.write(LIST), "--json")
    assert done.code == 1
    assert "the hand-over: " in done.err
    assert sha256(out / "film.mp4") == done.json["film"]["sha256"]
    assert (out / "film.otio").is_file()
    (out / "contact-sheet.jpg").rmdir()
    world.make(world.write(LIST))
    assert (out / "contact-sheet.jpg").is_file()


def test_a_film_is_signed_with_the_users_certificate(world: World, issue: Issue) -> None:
    c2pa = needs("c2pa")
    certificate = issue()
    world.env |= certificate.env
    manifest = world.make(world.write(LIST))
    film = world.folder / "out" / "list" / "film.mp4"
    reader = c2pa.Reader(str(film))
    assert reader.get_validation_state() == "Valid"
    assert len(json.loads(reader.json())["validation_results"]["ingredientDeltas"]) == 3
    assert manifest["film"]["sha256"] == sha256(film)
    before = looks(film.parent)
    world.make(world.write(LIST))
    assert looks(film.parent) == before
    key = certificate.key.read_text().splitlines()[1]
    for path in world.folder.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("without", ["SHOTREEL_C2PA_CERT", "SHOTREEL_C2PA_KEY"])
def test_a_bad_certificate_is_said_before_anything_is_bought(
    world: World, issue: Issue, without: str
) -> None:
    env = {**issue().env, without: str(world.folder / "none.pem")}
    done = world.run("make", world.write(LIST), "--json", **env)
    assert done.code == 2, done.err
    assert "Nothing was bought" in done.err
    assert world.posts == 0
