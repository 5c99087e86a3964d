"""A list that an earlier version has bought: the same clips, by the same fingerprints."""

from __future__ import annotations

from pathlib import Path

from blocks.providers.catalogue import MODELS
from flows.shots import read_shots
from flows.shots.job import jobs_of

BOUGHT = {
    "a/1.t1": "b31f00e0f1847c48b820facebfd92c22925e5721636780b12f0324b3fd19a51a",
    "a/1.t2": "186f3fffead580cac83e08667e41b7cf3a3bdb67cb26a7b876ac41bf66d2f812",
    "a/2": "d50ad50070a4088be52cba42095626c2871d74e44557f0d846e0325050ef8869",
    "a/3": "c5c69cd34a00e14ae7122197bfcf0e750d3d43d9fc90e08b04189da04a246010",
    "b/1": "1f2b0ddaffe4478f89986c7e639c3953a37dfff67a1bdfbb8a4ceece5fbb20db",
    "b/2": "590ca4a9a7fcd3b44e4fb729fe65f94a3b136b87773fb0dbdbbc1a9c051f1dc3",
    "b/3": "a092373e51953e74e7d7c8b4f14d5791c97ad25868e87eb92bed7c3719f65a2a",
}
"""From the ledger of a home that was made before models were cards."""


def test_clips_that_were_bought_before_models_were_cards_are_not_bought_again() -> None:
    shots = read_shots(str(Path(__file__).with_name("upgrade.csv")))
    # Earlier versions counted the take in where a seed is given too.
    named = {
        job.name: job.known_as(seed=job.seed, take=job.take, twin=1, previous=None)
        for job in jobs_of(shots, {}, live=True)
    }
    assert named == BOUGHT


def test_requests_that_an_earlier_version_has_written_down_are_found_by_their_inputs() -> None:
    model = MODELS["fal-ai/magi-distilled/image-to-video"]
    assert model.body({"prompt": "Sea", "image": "https://files.example/a.png", "seed": 7}) == {
        "prompt": "Sea",
        "image_url": "https://files.example/a.png",
        "seed": 7,
    }
