"""What `shotreel plan` says beside the sum: the parts, the changes, other models, the time."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blocks.providers.catalogue import counted_models
from flows.outlook import outlook_of
from flows.planning.changes import last_takes
from flows.planning.comparison import Offer, compare
from flows.planning.duration import TYPICAL_S, Limits, waits_of
from flows.planning.forecast import Outlook
from flows.planning.plan import Line
from flows.report.forecast import markdown
from flows.shots import read_shots
from flows.shots.job import InputFile, Job, files_named, jobs_of
from tests.generate.studio import LIST, Studio, write
from tests.ledger.books import quote

USD = Decimal
FAL, MAGI = "fal-ai/magi-distilled", "fal-ai/magi"
WAVESPEED, V2 = "wavespeed-ai/magi-1-24b", "wavespeed-ai/magi-1-24b@v2"
SOLD = counted_models()
PRICES = {FAL: USD("0.08"), MAGI: USD("0.20"), WAVESPEED: USD("0.30"), V2: USD("0.24")}


def jobs(*lines: str) -> list[Job]:
    rows = read_shots("\n".join(lines) + "\n")
    files = {
        (name.media, str(name)): InputFile(name, "5ha", "image/png") for name in files_named(rows)
    }
    return jobs_of(rows, files, live=False)


def offers(*lines: str) -> dict[str, Offer]:
    return {offer.model: offer for offer in compare(jobs(*lines), SOLD, PRICES)}


# --- comparison -------------------------------------------------------------------------------


def test_list_is_priced_on_every_model_by_that_models_own_units() -> None:
    found = offers("shot,prompt,num_frames,takes", "a,Sea,96,1", "b,Rock,120,2")
    assert {name: found[name].cost_usd for name in (FAL, MAGI, V2)} == {
        FAL: USD("1.12"),  # 4 + 2 x 5 units
        MAGI: USD("2.80"),
        V2: USD("0.90"),
    }
    assert (found[WAVESPEED].clips, found[WAVESPEED].cost_usd) == (1, USD("0.30"))


def test_model_that_cannot_take_a_row_says_which_and_why() -> None:
    found = offers("shot,prompt,num_frames,seed", "a,Sea,120,1", "b,Rock,,9999999999")
    [no_frames, no_seed] = found[WAVESPEED].refusals
    assert (no_frames.row, no_frames.name, no_frames.why) == (
        2,
        "main/a",
        "it does not take num_frames",
    )
    assert (no_seed.row, no_seed.why) == (
        3,
        "seed 9999999999 is not a whole number from -1 to 2147483647",
    )
    assert found[V2].refused == found[FAL].refused == 0
    needing = found[f"{FAL}/image-to-video"]
    assert (needing.clips, needing.refused) == (0, 2)
    assert needing.refusals[0].why == "it needs image"


def test_picture_and_value_that_a_model_does_not_take_are_named() -> None:
    head = "shot,prompt,model,image,num_inference_steps"
    found = offers(head, f"a,Sea,{MAGI}/image-to-video,https://a/sea.png,64")
    assert found[f"{MAGI}/image-to-video"].refused == 0
    assert (
        found[f"{FAL}/image-to-video"].refusals[0].why.startswith("num_inference_steps 64 is not")
    )
    assert found[V2].refusals[0].why == "it does not take num_inference_steps"
    picture = offers("shot,prompt,model,image", f"a,Sea,{V2},https://a/sea.png")
    assert picture[FAL].refusals[0].why == "it does not take image"
    assert picture[WAVESPEED].clips == 1


def test_cheapest_that_takes_everything_comes_first_and_unknown_prices_last() -> None:
    found = compare(jobs("prompt", "Sea"), SOLD, PRICES)
    assert [offer.model for offer in found[:4]] == [WAVESPEED, V2, FAL, MAGI]
    assert compare(jobs("prompt", "Sea"), SOLD, {})[0].cost_usd is None


def test_refusals_of_a_long_list_are_counted_and_the_first_are_named() -> None:
    lines = [f"{n},Shot {n},120" for n in range(50)]
    found = offers("shot,prompt,num_frames", *lines)[WAVESPEED]
    assert (found.refused, len(found.refusals)) == (50, 20)


# --- time -------------------------------------------------------------------------------------


def waits(per_clip_s: float | None, limits: Limits, *lines: str) -> float:
    model = (("sandbox/wavespeed", WAVESPEED), ("sandbox/fal", f"{FAL}/image-to-video"))
    planned = [Line(job, quote(), "buy") for job in jobs(*lines)]
    known = {} if per_clip_s is None else dict.fromkeys(model, per_clip_s)
    [wait] = waits_of(planned, {planned[0].job.service: limits}, known)
    assert wait.clips == len(planned)
    assert wait.known == (per_clip_s is not None)
    return wait.wait_s


def ten(model: str = WAVESPEED) -> list[str]:
    return ["shot,prompt,model", *(f"{n},Shot {n},{model}" for n in range(10))]


def test_time_is_bounded_by_what_may_be_in_flight() -> None:
    assert waits(30, Limits(2, None), *ten()) == 150
    assert waits(30, Limits(100, None), *ten()) == 30, "no clip is quicker than one"


def test_time_is_bounded_by_requests_a_minute() -> None:
    assert waits(30, Limits(100, 2), *ten()) == 270


def test_clips_that_go_on_from_each_other_take_turns() -> None:
    head = "shot,prompt,model,image"
    model = f"{FAL}/image-to-video"
    chain = [f"{n},Shot {n},{model},{'@previous' if n else 'https://a/b.png'}" for n in range(4)]
    assert waits(30, Limits(100, None), head, *chain) == 120


def test_model_without_a_history_takes_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOTREEL_SANDBOX_LATENCY_S", "7")
    assert waits(None, Limits(100, None), *ten()) == 7
    assert TYPICAL_S > 60


# --- a list that was made, over sockets ---------------------------------------------------------


def outlook(shots: str) -> Outlook:
    return asyncio.run(outlook_of(read_shots(shots), LIST, live=False))


def test_first_plan_is_all_new_and_a_second_says_what_changed(
    studio: Studio, tmp_path: Path
) -> None:
    head = "sequence,shot,prompt,num_frames,seed"
    rows = ("s,a,Sea,96,1", "s,b,Rock,96,2", "t,c,Sky,96,3", "t,d,Cloud,96,4")
    shots = write(tmp_path / "list.csv", head, *rows)
    first = outlook(shots)
    assert first.changes.since is None
    assert len(first.changes.new) == 4
    assert [(s.key, s.clips, s.to_buy, s.cost_usd) for s in first.sequences] == [
        ("s", 2, 2, USD("0.64")),
        ("t", 2, 2, USD("0.64")),
    ]
    assert not first.waits[0].known
    studio.make(shots)
    edited = ("s,a,Sea,96,1", "s,b,Cliff,120,2", "t,c,Sky,96,5", "t,e,Moon,96,6")
    after = outlook(write(tmp_path / "list.csv", head, *edited))
    assert after.changes.new == ("t/e.t1",)
    assert after.changes.removed == ("t/d.t1",)
    assert {c.name: set(c.what) for c in after.changes.changed} == {
        "s/b.t1": {"prompt", "num_frames"},
        "t/c.t1": {"seed"},
    }
    assert after.changes.unchanged == 1
    assert after.waits[0].known
    assert 0 < after.waits[0].typical_s < 30
    by_model = {offer.model: offer for offer in after.offers}
    assert by_model[FAL].cost_usd == USD("1.36"), "as if nothing of it were here"
    assert by_model[MAGI].cost_usd == USD("3.40")
    told = markdown(after)
    assert "1 new, 2 changed, 1 removed, 1 as they were." in told
    assert f"| {FAL} | 4 | 1.36 |" in told
    assert "until the last clip is there." in told


def test_shot_that_left_the_list_long_ago_is_not_told_again(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(
        '{"shots": [{"sequence": "s", "shot": "a", "take": 1}]}'
    )
    assert last_takes(tmp_path / "manifest.json") == {("s", "a", 1)}
    for broken in ("", "[]", '{"shots": 7}', '{"shots": [{}]}'):
        (tmp_path / "broken.json").write_text(broken)
        found: Any = last_takes(tmp_path / "broken.json")
        assert found is None
    assert last_takes(tmp_path / "nothing.json") is None
