"""`shotreel make`: a shot list becomes a film and a bill."""

from __future__ import annotations

import csv
import hashlib
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flows.output.editors import ADAPTERS, is_installed
from tests.e2e.conftest import NewWorld
from tests.e2e.film import assert_clock_is_right, frames_of, size_of
from tests.e2e.prefect_server import PrefectServer
from tests.e2e.world import FAL, WAVESPEED, World

LIST = f"""\
sequence;shot;prompt;model;num_frames;num_inference_steps;seed;takes;x_mood
Nacht;ä-öffnung;Ein Leuchtturm im Sturm, „weit“ gefilmt;;96;;7;;dark
Nacht;二;波が岩に砕ける;{FAL};120;32;8;;
Nacht;same;Gull;;;;5;;
day;010;Boat;{WAVESPEED};;;9;;
day;020;Two ways to see a wave;;;4;11;2;
Nacht;🎬;Gull;;;;5;;
day;030;Open seed;;;;;;
"""
NAMES = ["Nacht/ä-öffnung", "Nacht/二", "Nacht/same", "Nacht/🎬", "day/010", "day/020", "day/030"]
UNITS = {
    "Nacht/ä-öffnung": 4,
    "Nacht/二": 10,  # five seconds at 32 steps
    "Nacht/same": 4,
    "day/010": 1,
    "day/020": 8,  # two takes
    "day/030": 4,
}
TOTAL = (Decimal(31), Decimal("2.64"))  # 30 x $0.08 and a WaveSpeed clip at the sandbox's $0.24
ZERO = Decimal(0)


class Film(NamedTuple):
    """A world in which the list was made, as `shotreel make "list.csv"` makes it."""

    world: World
    out: Path
    manifest: dict[str, Any]
    told: str

    def clip(self, sequence: str, shot: str) -> Path:
        return self.out / "clips" / sequence / f"{shot}.mp4"


@pytest.fixture(scope="module")
def film(new_world: NewWorld) -> Iterator[Film]:
    world = new_world()
    world.write(LIST, "Über Nacht.csv")
    done = world.run("make", "Über Nacht.csv")
    assert done.code == 0, done.err
    out = world.folder / "out" / "Über-Nacht"
    yield Film(world, out, json.loads((out / "manifest.json").read_text()), done.out)


def test_files_are_where_the_contract_says(film: Film) -> None:
    there = {path.relative_to(film.out).as_posix() for path in film.out.rglob("*.*")}
    assert there == {
        "film.mp4",
        "costs.csv",
        "manifest.json",
        "report.html",
        "film.otio",
        *(f"film.{suffix}" for suffix in ADAPTERS if is_installed()),
        "poster.jpg",
        "contact-sheet.jpg",
        "provenance.json",
        "seams.csv",
        "sequences/Nacht.mp4",
        "sequences/day.mp4",
        *(f"clips/{name}.mp4" for name in NAMES if name != "day/020"),
        "clips/day/020.t1.mp4",
        "clips/day/020.t2.mp4",
    }


def test_manifest_has_the_keys_and_types_of_the_contract(film: Film) -> None:
    assert list(film.manifest) == ["film", "shots", "totals"]
    assert {k: type(v) for k, v in film.manifest["film"].items()} == {
        "path": str,
        "num_frames": int,
        "duration_s": float,
        "sha256": str,
    }
    assert film.manifest["totals"] == {"units": str(TOTAL[0]), "cost_usd": str(TOTAL[1])}
    types = {
        "sequence": str,
        "shot": str,
        "take": int,
        "state": str,
        "model": str,
        "fingerprint": str,
        "inputs": dict,
        "seed": int,
        "schema_sha256": str,
        "request_id": str,
        "units": str,
        "cost_usd": str,
        "cost_source": str,
        "sha256": str,
        "num_frames": int,
        "duration_s": float,
        "path": str,
    }
    for shot in film.manifest["shots"]:
        assert {key: type(value) for key, value in shot.items()} == types
        assert list(shot) == list(types)
    assert {shot["state"] for shot in film.manifest["shots"]} == {"stored"}


def test_manifest_tells_what_was_sent_and_what_came(film: Film) -> None:
    requests = {r["request_id"]: r for r in film.world.told("requests")["requests"]}
    for shot in film.manifest["shots"]:
        sent = requests[shot["request_id"]]["inputs"]
        assert {**shot["inputs"]} == sent
        assert shot["seed"] == sent["seed"]
        content = (film.out / shot["path"]).read_bytes()
        assert shot["sha256"] == hashlib.sha256(content).hexdigest()
        assert shot["num_frames"] == len(frames_of(film.out / shot["path"]))
        assert shot["duration_s"] == shot["num_frames"] / 24
    made = film.manifest["film"]
    assert made["path"] == "film.mp4"
    assert made["sha256"] == hashlib.sha256((film.out / "film.mp4").read_bytes()).hexdigest()


def test_film_shows_exactly_the_frames_of_its_clips_in_list_order(film: Film) -> None:
    night = [film.clip("Nacht", shot) for shot in ("ä-öffnung", "二", "same", "🎬")]
    day = [film.clip("day", shot) for shot in ("010", "020.t1", "030")]
    assert frames_of(film.out / "sequences/Nacht.mp4") == frames_of(*night)
    assert frames_of(film.out / "sequences/day.mp4") == frames_of(*day)
    shown = frames_of(film.out / "film.mp4")
    assert shown == frames_of(*night, *day)
    assert film.manifest["film"]["num_frames"] == len(shown) == 6 * 96 + 120
    assert film.manifest["film"]["duration_s"] == len(shown) / 24


def test_film_starts_at_0_with_an_even_interval(film: Film) -> None:
    for path in ("film.mp4", "sequences/Nacht.mp4", "sequences/day.mp4"):
        assert_clock_is_right(film.out / path)


def test_takes_are_different_clips(film: Film) -> None:
    first, second = (s for s in film.manifest["shots"] if s["shot"] == "020")
    assert (first["take"], second["take"]) == (1, 2)
    assert (first["seed"], second["seed"]) == (11, 12)
    assert first["sha256"] != second["sha256"]


def test_identical_rows_share_one_clip_that_is_paid_once(film: Film) -> None:
    one, other = (s for s in film.manifest["shots"] if s["shot"] in ("same", "🎬"))
    assert one["request_id"] == other["request_id"]
    assert one["sha256"] == other["sha256"]
    assert (one["units"], one["cost_usd"], one["cost_source"]) == ("4", "0.32", "provider")
    assert (other["units"], other["cost_usd"], other["cost_source"]) == ("0", "0", "shared")


def test_bill_ledger_and_services_agree_to_the_cent(film: Film) -> None:
    assert film.world.charged == film.world.billed == TOTAL
    with (film.out / "costs.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert sum(Decimal(line["units"]) for line in lines) == TOTAL[0]
    assert sum(Decimal(line["cost_usd"]) for line in lines) == TOTAL[1]
    keys = ("sequence", "shot", "request_id", "units", "cost_usd", "cost_source")
    assert [[line[key] for key in keys] for line in lines] == [
        [shot[key] for key in keys] for shot in film.manifest["shots"]
    ]


@pytest.mark.parametrize("by", ["shot", "sequence", "model", "run"])
def test_costs_by_anything_are_what_the_services_charged(film: Film, by: str) -> None:
    told = film.world.run("costs", "--by", by, "--json").json
    assert set(told) >= {"currency", "units", "cost_usd", "rows"}
    assert (told["currency"], told["units"], told["cost_usd"]) == ("USD", "31", "2.64")
    rows = {r["key"]: (Decimal(r["units"]), Decimal(r["cost_usd"])) for r in told["rows"]}
    assert sum((cost for _, cost in rows.values()), ZERO) == TOTAL[1]
    assert sum(row["attempts"] for row in told["rows"]) == 7
    where = {s["request_id"]: s for s in reversed(film.manifest["shots"])}
    if by == "shot":
        assert {key: units for key, (units, _) in rows.items()} == UNITS
    if by == "sequence":
        charged = film.world.charges_by(lambda c: str(where[c["request_id"]]["sequence"]))
        assert rows == charged
    if by == "model":
        assert rows == film.world.charges_by(lambda c: str(c["endpoint"]))
    if by == "run":
        assert list(rows.values()) == [TOTAL]


def test_the_last_words_say_where_the_film_is_and_what_it_cost(film: Film) -> None:
    assert str(Path("out/Über-Nacht/film.mp4")) in film.told
    assert "$2.64 for 30 fal + 1 wavespeed units" in film.told
    assert "no money was spent" in film.told


def test_a_clip_of_another_size_is_fitted_and_the_others_are_copied(new_world: NewWorld) -> None:
    world = new_world(render="animatic")
    shots = world.write(
        "shot,prompt,resolution,aspect_ratio,seed\n"
        "wide,Sea,720p,16:9,1\nsmall,Rock,480p,16:9,2\nend,Sky,720p,16:9,3\n"
    )
    out = world.folder / "film of three"
    manifest = world.make(shots, "--out", str(out))
    wide, small, end = (out / shot["path"] for shot in manifest["shots"])
    assert size_of(wide) == size_of(end) == size_of(out / "film.mp4") != size_of(small)
    shown = frames_of(out / "film.mp4")
    assert shown[:96] == frames_of(wide)
    assert shown[192:] == frames_of(end)
    assert len(shown) == 288
    assert_clock_is_right(out / "film.mp4")
    assert [shot["cost_usd"] for shot in manifest["shots"]] == ["0.32", "0.16", "0.32"]


def test_a_list_is_read_from_a_pasted_text_and_from_a_url_too(world: World) -> None:
    text = "shot,prompt,seed\na,Pasted,1\n"
    pasted = world.make(text)
    world.write(text, "named.csv")
    named = world.make((world.folder / "named.csv").as_uri())
    assert pasted["shots"][0]["fingerprint"] == named["shots"][0]["fingerprint"]
    assert world.posts == 1


def test_a_key_in_the_link_to_a_list_is_nowhere_in_prefect(
    world: World, prefect_server: PrefectServer
) -> None:
    world.write("shot,prompt,seed\na,Linked,1\n", "linked.csv")
    handler = partial(SimpleHTTPRequestHandler, directory=str(world.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        link = f"http://127.0.0.1:{site.server_port}/linked.csv?token=hunter2"
        assert world.make(link)["shots"][0]["state"] == "stored"
        site.shutdown()
    (run,) = prefect_server.ask("flow_runs/filter", flow_runs={"name": {"any_": ["linked"]}})
    assert run["parameters"]["shots"].endswith("linked.csv")
    for file in prefect_server.home.glob("prefect.db*"):
        assert b"hunter2" not in file.read_bytes()
    for file in world.home.glob("ledger.sqlite*"):
        assert b"hunter2" not in file.read_bytes()


def test_every_seam_of_the_film_is_measured(film: Film) -> None:
    with (film.out / "seams.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shots = [shot for shot in film.manifest["shots"] if shot["take"] == 1]
    names = [f"{shot['sequence']}/{shot['shot']}" for shot in shots]
    assert len(rows) == len(names) - 1
    assert {row["kind"] for row in rows} == {"cut"}
    starts = [int(row["frame"]) for row in rows]
    ends = [sum(shot["num_frames"] for shot in shots[: n + 1]) for n in range(len(rows))]
    assert starts == ends
    assert all(float(row["colour_step"]) >= 0 for row in rows)
    assert not any(row["matched"] for row in rows)
