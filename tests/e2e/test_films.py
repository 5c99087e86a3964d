"""One film, one sum, wherever it is told: through changed, renamed and dropped shots, and beside
another film whose list has the same name."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pandas as pd

from tests.e2e.world import World

HEADER = "sequence,shot,prompt,seed,transition,transition_s,x_reel\n"
LIST = HEADER + "s,a,Sea,1,,,R1\ns,b,Rock,2,,,R1\nt,c,Sky,3,,,\nt,d,Moon,4,,,\n"
USD = Decimal


def films(world: World) -> dict[str, Decimal]:
    told = world.run("costs", "--by", "film", "--json").json
    return {row["key"]: USD(row["cost_usd"]) for row in told["rows"]}


def plan(world: World, shots: str) -> str:
    """What it says, whatever the width of the terminal."""
    return " ".join(world.run("plan", shots).out.split())


def table(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "costs.csv", dtype={"cost_usd": str, "x_reel": str})


def test_film_that_was_changed_in_every_way_has_one_sum_everywhere(world: World) -> None:
    world.make(world.write(LIST))
    world.make(world.write(LIST.replace("Rock", "Cliff")))
    # Turned back, a sequence renamed, a shot dropped, a new one, another transition.
    last = HEADER + "s,a,Sea,1,,,R1\ns,b,Rock,2,dissolve,0.5,R1\nu,c,Sky,3,,,\nu,e,Star,5,,,\n"
    world.write(last)
    told = plan(world, "list.csv")
    assert "1 new, 1 changed, 1 removed, 1 renamed, 1 with another transition" in told
    for words in ("u/e.t1: new", "t/d.t1: removed", "u/c.t1: was t/c.t1"):
        assert words in told
    assert "s/b.t1: begins with dissolve over 0.5 s, was cut" in told
    done = world.run("make", "list.csv")
    assert done.code == 0, done.err
    assert world.posts == 6
    _, charged = world.charged
    out = world.folder / "out/list"
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    place = str((world.folder / "list.csv").resolve())
    costs = table(out)
    assert charged == USD("1.92")
    assert films(world) == {place: charged}
    assert USD(manifest["totals"]["cost_usd"]) == charged
    each = [*manifest["shots"], *manifest["besides"]]
    assert sum(USD(shot["cost_usd"]) for shot in each) == charged
    assert sum(map(USD, costs["cost_usd"])) == charged
    by = {key: sum(map(USD, rows["cost_usd"])) for key, rows in costs.groupby("in_film")}
    assert by == {"yes": USD("1.28"), "superseded": USD("0.32"), "dropped": USD("0.32")}
    assert costs["x_reel"].tolist()[:2] == ["R1", "R1"]
    assert set(costs["film"]) == {place}
    assert "$1.92 for 24 units" in done.out
    assert "$0.32 of it in this run" in done.out
    assert "$0.32 of it for clips that others have replaced" in done.out
    assert "$0.32 of it for shots that the list no longer has" in done.out
    page = (out / "report.html").read_text("utf-8")
    assert '"cost_nano_usd":1920000000' in page
    assert "no clip came of it" not in "".join(done.out)
    one = world.run("costs", "--film", "list.csv", "--by", "month", "--json").json
    assert USD(one["cost_usd"]) == charged
    none = world.run("costs", "--film", "list", "--until", "2020-01-01", "--json").json
    assert (none["rows"], none["cost_usd"]) == ([], "0")


def test_files_of_shots_that_the_list_no_longer_has_leave_the_folder(world: World) -> None:
    world.make(world.write(LIST))
    out = world.folder / "out/list"
    (out / "clips/t/mine.mp4").write_bytes(b"a cut of one's own")
    (out / "sequences/mine.mp4").write_bytes(b"too")
    world.write(HEADER + "s,a,Sea,1,,,\nu,b,Rock,2,,,\n")
    done = world.run("make", "list.csv")
    assert done.code == 0, done.err
    assert {path.relative_to(out).as_posix() for path in out.rglob("*.mp4")} == {
        "film.mp4",
        "sequences/s.mp4",
        "sequences/u.mp4",
        "sequences/mine.mp4",
        "clips/s/a.mp4",
        "clips/u/b.mp4",
        "clips/t/mine.mp4",
    }
    for gone in ("clips/s/b.mp4", "clips/t/c.mp4", "clips/t/d.mp4", "sequences/t.mp4"):
        assert gone in done.out
    assert "kept in the store" in done.out
    world.make(world.write(LIST))
    assert world.posts == 4, "what was taken out of the folder is not bought again"


def test_two_customers_lists_of_one_name_are_two_films(world: World) -> None:
    places = []
    for customer, prompt in (("a", "Sea"), ("b", "Rock")):
        (world.folder / customer).mkdir()
        shots = world.write(f"{HEADER}s,1,{prompt},1,,,\ns,2,Sky,2,,,\n", f"{customer}/film.csv")
        world.make(shots, "--out", f"out-{customer}")
        places.append(str((world.folder / shots).resolve()))
    # The sky is the same clip: the film that bought it pays for it.
    assert films(world) == {places[0]: USD("0.64"), places[1]: USD("0.32")}
    other = table(world.folder / "out-b")
    assert other["cost_usd"].tolist() == ["0.32", "0"]
    assert other["cost_source"].tolist() == ["provider", "shared"]
    assert set(other["in_film"]) == {"yes"}
    manifest = json.loads((world.folder / "out-b/manifest.json").read_text("utf-8"))
    assert manifest["totals"]["cost_usd"] == "0.32"
    assert "besides" not in manifest
    told = plan(world, "b/film.csv")
    assert "0 new, 0 changed, 0 removed, 2 as they were" in told
    (world.folder / "b/film.toml").write_text('name = "Rock and sky"\n', "utf-8")
    world.make("b/film.csv", "--out", "out-b")
    assert films(world) == {places[0]: USD("0.64"), "Rock and sky": USD("0.32")}


def test_plan_writes_money_in_one_way_and_adds_up_no_units_of_two_providers(world: World) -> None:
    model = "wavespeed-ai/magi-1-24b"
    shots = world.write(f"sequence,shot,prompt,model\ns,a,Sea,\ns,b,Rock,{model}\nt,c,Sky,\n")
    told = world.run("plan", shots).out
    assert "8 fal + 1 wavespeed units, $0.88" in told
    rows = {line.split()[0]: line for line in told.splitlines() if "to buy" in line}
    assert [rows[name].split()[-1] for name in ("s/a", "s/b", "t/c")] == ["0.32", "0.24", "0.32"]
    [s] = [line.split() for line in told.splitlines() if line.startswith("s  ")]
    assert s[-6:] == ["4", "fal", "+", "1", "wavespeed", "0.56"]
