"""The list that a newcomer runs first."""

from __future__ import annotations

from pathlib import Path

from blocks.providers.catalogue import MODELS
from flows.shots import list_name, read_shots

LIGHTHOUSE = Path(__file__).parents[2] / "deployments" / "shot_lists" / "lighthouse.csv"


def test_the_lighthouse_is_a_short_film_in_three_sequences() -> None:
    shots = read_shots(str(LIGHTHOUSE))
    assert list_name(str(LIGHTHOUSE)) == "lighthouse"
    assert list(dict.fromkeys(shot.sequence for shot in shots)) == ["storm", "keeper", "dawn"]
    frames = [MODELS[shot.model].clip_frames(shot.inputs) * shot.takes for shot in shots]
    assert sum(frames) == 1_008
    assert {shot.model for shot in shots} == {"fal-ai/magi-distilled", "wavespeed-ai/magi-1-24b"}
    assert [shot.shot for shot in shots if shot.takes == 2] == ["020-wave"]
