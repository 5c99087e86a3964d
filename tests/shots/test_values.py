"""Ranges, choices and takes are those of the model that a row names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blocks.providers.model import Choice
from flows.shots import read_shots

Problems = Callable[[str], list[str]]
V2 = "wavespeed-ai/magi-1-24b@v2"


@pytest.fixture
def workflow(folder: Path) -> Callable[..., str]:
    """A list with a workflow beside it, whose seed is bound to this range, or to none."""

    def write(rows: str, seed: dict[str, int] | None, **columns: Any) -> str:
        graph = {
            "1": {"class_type": "Sampler", "inputs": {"text": "", "seed": 0, "format": "webm"}},
            "2": {"class_type": "SaveVideo", "inputs": {"filename_prefix": "x", "v": ["1", 0]}},
        }
        sidecar: dict[str, Any] = {"columns": {"prompt": {"to": "1.text"}}}
        if seed:
            sidecar["columns"]["seed"] = {"to": "1.seed", **seed}
        (folder / "sea.json").write_text(json.dumps(graph))
        (folder / "sea.shotreel.json").write_text(json.dumps(sidecar))
        (folder / "list.csv").write_text(rows)
        return str(folder / "list.csv")

    return write


@pytest.mark.parametrize("seed", [9223372036854775808, 18446744073709551615, 10**30])
def test_a_seed_is_taken_up_to_the_end_of_the_workflows_range(
    seed: int, workflow: Callable[..., str], problems_of: Problems
) -> None:
    rows = f"prompt,model,seed\nSea,comfyui/sea.json,{seed}\n"
    [shot] = read_shots(workflow(rows, {"min": 0, "max": seed}))
    assert shot.seed == seed
    [line] = problems_of(workflow(rows, {"min": 0, "max": seed - 1}))
    assert line.endswith(f"is not a whole number from 0 to {seed - 1}")


def test_an_open_seed_is_drawn_from_a_range_beyond_the_usual_one(
    workflow: Callable[..., str],
) -> None:
    low, high = 2**63, 2**64 - 1
    [shot] = read_shots(workflow("prompt,model\nSea,comfyui/sea.json\n", {"min": low, "max": high}))
    assert (shot.made_by.open_seeds().low, shot.made_by.open_seeds().high) == (low, high)


@pytest.mark.parametrize(
    ("cell", "seed"), [("-1", None), ("", None), ("0", 0), ("9999999999", 9999999999)]
)
def test_seeds_of_the_older_service_are_those_of_its_page(cell: str, seed: int | None) -> None:
    [shot] = read_shots(f"prompt,model,seed\nSea,{V2},{cell}\n")
    assert shot.seed == seed


@pytest.mark.parametrize(
    ("options", "cell", "sent"),
    [
        (("512P", "768P"), "768p", "768P"),
        (("768p",), "768P", "768p"),
        (("5", "10"), "5.0", "5"),
        (("5", "10"), "10", "10"),
        ((5, 10), "5.0", 5),
        (("X264 (.mp4)",), "x264 (.MP4)", "X264 (.mp4)"),
        (("2.5", "5"), "2.50", "2.5"),
        (("auto", "AUTO"), "AUTO", "AUTO"),
    ],
)
def test_a_choice_is_sent_in_the_options_own_spelling(
    options: Any, cell: str, sent: str | int
) -> None:
    found = Choice(options).read(cell)
    assert found == sent
    assert type(found) is type(sent)


@pytest.mark.parametrize(
    ("options", "cell"),
    [
        (("5", "10"), "5.4"),
        (("5", "10"), "5.01"),
        ((4, 8), "6"),
        (("auto", "AUTO"), "Auto"),
        (("720p",), "720"),
        (("5",), "nan"),
    ],
)
def test_no_value_is_taken_for_the_one_beside_it(options: Any, cell: str) -> None:
    with pytest.raises(ValueError, match=cell):
        Choice(options).read(cell)


def test_takes_of_a_workflow_without_a_seed_are_wrong(
    workflow: Callable[..., str], problems_of: Problems
) -> None:
    rows = "prompt,model,takes\nSea,comfyui/sea.json,2\n"
    [line] = problems_of(workflow(rows, None))
    assert line.startswith('row 2, takes: "2" is more than it can give: comfyui/sea.json takes no')
    [line] = problems_of(workflow(rows, {"min": 7, "max": 7}))
    assert line.endswith("has 1 seeds")
    [shot] = read_shots(workflow(rows, {"min": 0, "max": 9}))
    assert shot.takes == 2
