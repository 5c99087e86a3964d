"""The maker's loop as a user goes through it: the film shows the takes that are chosen."""

from __future__ import annotations

import tomllib
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from typing import Any

from PIL import Image

from tests.e2e.film import frames_of
from tests.e2e.prefect_server import PrefectServer, until
from tests.e2e.world import World

LIST = "shot,prompt,num_frames,resolution\na,Sea,96,480p\nb,Rock,96,480p\n"
CLIP_USD = Decimal("0.16")
DEFAULTS = '[defaults]\nmodel = "fal-ai/magi-distilled"\n'


def chosen_clips(world: World, manifest: dict[str, Any], *takes: tuple[str, int]) -> list[str]:
    """The frames of these takes' own files, one after another."""
    out = world.folder / "out" / "film"
    paths = {(row["shot"], row["take"]): out / row["path"] for row in manifest["shots"]}
    return frames_of(*(paths[take] for take in takes))


def test_again_and_choose_put_the_take_into_the_film(world: World) -> None:
    film = world.folder / "out" / "film" / "film.mp4"
    world.write(DEFAULTS, "film.toml")
    shots = world.write(LIST, "film.csv")
    world.make(shots, "--fit", "crop")
    assert world.charged[1] == 2 * CLIP_USD
    world.write('fit = "blur"\n' + DEFAULTS, "film.toml")

    done = world.run("again", shots, "a", "--json")
    assert done.code == 0, done.err
    assert world.charged[1] == 3 * CLIP_USD
    assert frames_of(film) == chosen_clips(world, done.json, ("a", 2), ("b", 1))
    # The film's file came before what the last run was told.
    assert [note.read_text() for note in (world.home / "options").iterdir()] == ["{}"]
    first = chosen_clips(world, done.json, ("a", 1))
    assert first != chosen_clips(world, done.json, ("a", 2))

    assert world.run("choose", shots, "main/a", "1").code == 0
    manifest = world.make(shots)
    assert world.charged[1] == 3 * CLIP_USD
    assert frames_of(film) == chosen_clips(world, manifest, ("a", 1), ("b", 1))

    done = world.run("again", shots, "a", "b", "--max-usd", "0.10")
    assert (done.code, "more than its max_usd of $0.10" in done.err) == (1, True), done.err
    assert "take = 1" in (world.folder / "film.choices.toml").read_text("utf-8")
    assert "b" not in (world.folder / "film.choices.toml").read_text("utf-8").partition("\n\n")[2]
    assert world.charged[1] == 3 * CLIP_USD


def test_settings_of_the_film_make_the_same_film_again(world: World) -> None:
    world.write('title = "Harbour"\n', "film.toml")
    shots = world.write(LIST, "film.csv")
    titled = world.make(shots)["film"]["num_frames"]
    assert titled > 192
    ended = world.make(shots, "--end-title", "Fin")["film"]
    assert ended["num_frames"] > titled
    again = world.run("make", shots, "--json")
    assert again.json["film"]["sha256"] == ended["sha256"]
    assert "as in the last run of this film: end title Fin" in again.err
    plain = world.make(shots, "--title", "", "--forget-options")["film"]
    assert plain["num_frames"] == 192


FROM_IMAGE, STILL = "fal-ai/magi-distilled/image-to-video", "fal-ai/nano-banana-pro"
STILLS = (
    "shot,prompt,model,resolution,image_prompt,image_model,image_max_usd\n"
    f"a,it rises,{FROM_IMAGE},480p,a sea at dawn,{STILL},0.50\n"
    f"b,it falls,{FROM_IMAGE},480p,a gull,{STILL},0.50\n"
)


def test_a_run_that_may_ask_makes_stills_and_then_clips_of_those_that_a_person_approves(
    world: World, prefect_server: PrefectServer
) -> None:
    shots = world.write(STILLS, "stills-first.csv")
    named = {"name": {"any_": ["stills-first"]}, "state": {"type": {"any_": ["PAUSED"]}}}
    with ThreadPoolExecutor() as beside:
        made = beside.submit(world.run, "make", shots, "--approve-above", "9", "--json")
        (run,) = until(
            lambda: made.done() or prefect_server.ask("flow_runs/filter", flow_runs=named)
        )
        asked = run["state"]["state_details"]["run_input_keyset"]["description"]
        (form,) = until(
            lambda: prefect_server.ask(f"flow_runs/{run['id']}/input/filter", prefix=asked)
        )
        assert "Look at 2 stills" in form["value"] and "$0.32" in form["value"]
        assert endpoints(world) == [STILL] * 2
        pictures = list((world.folder / "out" / "stills-first" / "stills").glob("*/*"))
        assert [path.name for path in sorted(pictures)] == ["a.1.png", "b.1.png"]
        answer = {"decision": "approve", "drop": "main/b"}
        prefect_server.ask(f"flow_runs/{run['id']}/resume", run_input=answer)
        done = made.result()
    assert done.code == 3, done.err
    assert endpoints(world) == [FROM_IMAGE, STILL, STILL]
    assert "1 clip is not bought" in done.err and "main/b" in done.err
    assert "main/a" not in done.err
    chosen = tomllib.loads((world.folder / "stills-first.choices.toml").read_text("utf-8"))
    assert {name: choice["mark"] for name, choice in chosen.items()} == {"main/a": "approved"}
    shown = prefect_server.ask("artifacts/filter", flow_runs={"id": {"any_": [run["id"]]}})
    (sheet,) = (each["data"] for each in shown if each["key"] == "stills")
    with Image.open(BytesIO(b64decode(sheet.partition(",")[2]))) as picture:
        assert picture.format == "JPEG"
    assert world.charged == world.billed


def endpoints(world: World) -> list[str]:
    return sorted(charge["endpoint"] for charge in world.told("charges")["charges"])
