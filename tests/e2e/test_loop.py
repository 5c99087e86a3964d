"""The maker's loop as a user goes through it: the film shows the takes that are chosen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.e2e.film import frames_of
from tests.e2e.world import World

LIST = "shot,prompt,num_frames,resolution\na,Sea,96,480p\nb,Rock,96,480p\n"
CLIP_USD = Decimal("0.16")


def chosen_clips(world: World, manifest: dict[str, Any], *takes: tuple[str, int]) -> list[str]:
    """The frames of these takes' own files, one after another."""
    out = world.folder / "out" / "film"
    paths = {(row["shot"], row["take"]): out / row["path"] for row in manifest["shots"]}
    return frames_of(*(paths[take] for take in takes))


def test_again_and_choose_put_the_take_into_the_film(world: World) -> None:
    film = world.folder / "out" / "film" / "film.mp4"
    world.write('[defaults]\nmodel = "fal-ai/magi-distilled"\n', "film.toml")
    shots = world.write(LIST, "film.csv")
    world.make(shots)
    assert world.charged[1] == 2 * CLIP_USD

    done = world.run("again", shots, "a", "--json")
    assert done.code == 0, done.err
    assert world.charged[1] == 3 * CLIP_USD
    assert frames_of(film) == chosen_clips(world, done.json, ("a", 2), ("b", 1))
    first = chosen_clips(world, done.json, ("a", 1))
    assert first != chosen_clips(world, done.json, ("a", 2))

    assert world.run("choose", shots, "main/a", "1").code == 0
    manifest = world.make(shots)
    assert world.charged[1] == 3 * CLIP_USD
    assert frames_of(film) == chosen_clips(world, manifest, ("a", 1), ("b", 1))

    done = world.run("again", shots, "a", "b", "--budget", "0.20")
    assert done.code == 4, done.err
    assert "take = 1" in (world.folder / "film.choices.toml").read_text("utf-8")
    assert "b" not in (world.folder / "film.choices.toml").read_text("utf-8").partition("\n\n")[2]
    assert world.charged[1] == 3 * CLIP_USD


def test_settings_of_the_film_make_the_same_film_again(world: World) -> None:
    world.write('title = "Harbour"\n', "film.toml")
    shots = world.write(LIST, "film.csv")
    first = world.make(shots)["film"]
    assert first["num_frames"] > 192
    assert world.make(shots)["film"]["sha256"] == first["sha256"]
    assert world.make(shots, "--title", "")["film"]["num_frames"] == 192
