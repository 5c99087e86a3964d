"""Workflow files: what a list can choose, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blocks.providers.catalogue import MODELS, find_model, sent_model
from blocks.providers.comfyui.models import FOLDER
from blocks.providers.comfyui.workflow import Workflow, WorkflowError
from blocks.providers.model import Choice, Whole
from flows.planning.plan import Draw
from flows.shots import Shot, read_shots
from flows.shots.job import jobs_of
from flows.shots.problem import ShotListError

BLANK = "comfyui/blank.json"
T2V = "comfyui/magi-text-to-video.json"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list's folder, which is not the working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "lists").mkdir()
    return tmp_path / "lists"


def copy(folder: Path, name: str = "mine", of: str = "blank") -> tuple[Path, Path]:
    """A workflow of one's own: a shipped one under another name."""
    files = (folder / f"{name}.json", folder / f"{name}.shotreel.json")
    for path, suffix in zip(files, (".json", ".shotreel.json"), strict=True):
        path.write_bytes((FOLDER / f"{of}{suffix}").read_bytes())
    return files


def edit(path: Path, *keys: str, value: Any) -> None:
    """Set one value deep in a JSON file; None takes it away."""
    found = json.loads(path.read_text())
    inner = found
    for key in keys[:-1]:
        inner = inner[key]
    if value is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    path.write_text(json.dumps(found))


def shots_of(folder: Path, model: str, columns: str = "", cells: str = "") -> list[Shot]:
    path = folder / "list.csv"
    path.write_text(f"prompt;model{columns}\nA fox;{model}{cells}\n")
    return read_shots(str(path))


def test_a_shipped_workflow_is_filled_with_the_shot() -> None:
    [shot] = read_shots(
        f"prompt;model;num_frames;frames_per_second;resolution;aspect_ratio;num_inference_steps\n"
        f"A fox;{T2V};48;30;480p;9:16;16\n"
    )
    assert isinstance(shot.made_by, Workflow)
    nodes = shot.made_by.filled({**shot.inputs, "seed": 7}, "shotreel/a1")
    assert nodes["1"]["inputs"]["prompt"] == "A fox"
    magi = nodes["4"]["inputs"]
    said = {k: magi[k] for k in ("magi_seed", "num_frames", "num_steps", "fps")}
    assert said == {"magi_seed": 7, "num_frames": 48, "num_steps": 16, "fps": 30}
    assert (magi["video_size_w"], magi["video_size_h"]) == (480, 848)
    saved = {"video": ["4", 0], "output_path": "output/shotreel-a1.mp4", "fps": ["4", 1]}
    assert nodes["5"]["inputs"] == saved
    assert shot.made_by.filled({**shot.inputs, "seed": 8}, "b")["1"] == nodes["1"]


def test_what_a_column_defaults_to_is_what_the_workflow_holds() -> None:
    defaults = MODELS[T2V].defaults
    assert defaults == {
        "num_frames": 96,
        "frames_per_second": 24,
        "num_inference_steps": 64,
        "resolution": "720p",
        "aspect_ratio": "16:9",
    }


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("num_frames", "100", "is not a whole number from 24 to 480 in steps of 24"),
        ("resolution", "1080p", "is not one of 480p, 720p"),
        ("seed", "100001", "is not a whole number from 0 to 100000"),
        ("image", "sea.png", f"is set, but {T2V} takes no image"),
    ],
)
def test_a_value_that_the_workflow_does_not_take_is_named(
    column: str, value: str, allowed: str
) -> None:
    with pytest.raises(ShotListError, match=allowed):
        read_shots(f"prompt;model;{column}\nA fox;{T2V};{value}\n")


def test_image_to_video_needs_its_picture() -> None:
    with pytest.raises(ShotListError, match=r"image.*is empty"):
        read_shots("prompt;model\nA fox;comfyui/magi-image-to-video.json\n")


def test_one_s_own_workflow_is_found_beside_the_list_then_in_the_working_folder(
    folder: Path,
) -> None:
    copy(Path.cwd())
    [from_working_folder] = shots_of(folder, "comfyui/mine.json")
    beside, _ = copy(folder)
    edit(beside, "1", "inputs", "batch_size", value=24)
    [shot] = shots_of(folder, "comfyui/mine.json")
    assert (from_working_folder.inputs["num_frames"], shot.inputs["num_frames"]) == (96, 24)


def test_a_copy_of_a_shipped_one_comes_before_it(folder: Path) -> None:
    workflow, _ = copy(folder, "blank")
    edit(workflow, "1", "inputs", "batch_size", value=24)
    [shot] = shots_of(folder, BLANK)
    assert shot.inputs["num_frames"] == 24
    [shipped] = read_shots(f"prompt;model\nA fox;{BLANK}\n")
    assert shipped.inputs["num_frames"] == 96


@pytest.mark.parametrize("which", ["workflow", "sidecar"])
def test_another_byte_in_either_file_is_another_clip(folder: Path, which: str) -> None:
    files = copy(folder)

    def fingerprint() -> str:
        [job] = jobs_of(shots_of(folder, "comfyui/mine.json"), {}, live=True)
        return job.fingerprint

    before = fingerprint()
    assert before == fingerprint()
    path = files[which == "sidecar"]
    path.write_bytes(path.read_bytes() + b"\n")
    assert fingerprint() != before


def test_a_prompt_that_was_sent_is_followed_without_its_files() -> None:
    model = sent_model("comfyui/gone.json")
    assert (model.name, model.provider) == ("comfyui/gone.json", "comfyui")


def test_open_seeds_are_drawn_where_the_node_takes_them() -> None:
    seeds = MODELS[T2V].open_seeds()
    assert seeds == Whole(1, 100_000)
    draw = Draw()
    drawn = [draw(seeds) for _ in range(1000)]
    assert len(set(drawn)) == 1000
    assert all(1 <= seed <= 100_000 for seed in drawn)
    few = Whole(1, 2)
    assert {draw(few) for _ in range(50)} == {1, 2}


@pytest.mark.parametrize(
    "name",
    ["../mine.json", "/etc/mine.json", "sub/../../mine.json", "..\\mine.json", "link.json"],
)
def test_a_path_does_not_escape(folder: Path, name: str) -> None:
    copy(folder.parent)
    (folder / "link.json").symlink_to(folder.parent / "mine.json")
    with pytest.raises(WorkflowError, match=r"escapes|not a path"):
        find_model(f"comfyui/{name}", folder)


@pytest.mark.parametrize(
    "name", ["", "mine", "mine.shotreel.json", "a\0.json", "x" * 300 + ".json"]
)
def test_a_name_that_is_no_file_is_said_to_be_none(folder: Path, name: str) -> None:
    with pytest.raises(WorkflowError):
        find_model(f"comfyui/{name}", folder)


def test_a_workflow_that_is_not_there_is_told_with_those_that_are(folder: Path) -> None:
    with pytest.raises(ShotListError, match=f"no mine.json beside the list.*{BLANK}"):
        shots_of(folder, "comfyui/mine.json")


GRAPH, SIDECAR = 0, 1


@pytest.mark.parametrize(
    ("file", "keys", "value", "told"),
    [
        (GRAPH, ("nodes",), [], "Export"),
        (
            GRAPH,
            ("1", "class_type"),
            None,
            "is not in the API format: 1.class_type: Field required",
        ),
        (GRAPH, ("2", "inputs", "images"), ["9", 0], "from node 9, which it does not have"),
        (GRAPH, ("3", "inputs", "filename_prefix"), None, "no node has a filename_prefix"),
        (
            GRAPH,
            ("1", "inputs", "batch_size"),
            9999,
            "num_frames is '9999'|num_frames is 9999|9999",
        ),
        (GRAPH, ("1", "inputs", "width"), 512, "own size 512 x 720 is not among its sizes"),
        (SIDECAR, ("columns", "num_frames", "to"), "7.x", "the workflow has no 7.x"),
        (SIDECAR, ("columns", "num_frames", "to"), "2.images", "comes from another node"),
        (SIDECAR, ("columns", "num_frames", "to"), "nonsense", "columns.num_frames"),
        (SIDECAR, ("columns", "num_frames", "max"), None, "needs min and max, or choices"),
        (SIDECAR, ("columns", "mood"), {"to": "1.width"}, "columns.mood"),
        (SIDECAR, ("sizes", "table", "720p"), {"16:9": [1280, 721]}, "multiple of 2"),
        (SIDECAR, ("sizes", "table", "720p"), {"4:3": [960, 720]}, "same aspect ratios"),
        (SIDECAR, ("colour",), "red", "colour: Extra inputs are not permitted"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_the_place(
    folder: Path, file: int, keys: tuple[str, ...], value: Any, told: str
) -> None:
    edit(copy(folder)[file], *keys, value=value)
    with pytest.raises(WorkflowError, match=told):
        find_model("comfyui/mine.json", folder)


NO_OBJECT = (b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"1": NaN}', b'{"1": 5}')


@pytest.mark.parametrize(
    ("file", "content"),
    [(GRAPH, b"{}"), *((file, raw) for file in (GRAPH, SIDECAR) for raw in NO_OBJECT)],
)
def test_what_is_no_workflow_is_an_error_of_the_list(
    folder: Path, file: int, content: bytes
) -> None:
    copy(folder)[file].write_bytes(content)
    with pytest.raises(ShotListError, match=r'row 2, model: "comfyui/mine\.json"'):
        shots_of(folder, "comfyui/mine.json")


def test_a_workflow_without_a_sidecar_says_what_is_missing(folder: Path) -> None:
    copy(folder)[SIDECAR].unlink()
    with pytest.raises(WorkflowError, match=r"has no mine\.shotreel\.json beside it"):
        find_model("comfyui/mine.json", folder)


def test_choices_may_take_the_place_of_a_range(folder: Path) -> None:
    _, sidecar = copy(folder, of="magi-text-to-video")
    steps = {"to": "4.num_steps", "choices": [8, 16, 64]}
    edit(sidecar, "columns", "num_inference_steps", value=steps)
    model = find_model("comfyui/mine.json", folder)
    assert model is not None
    assert model.inputs["num_inference_steps"] == Choice((8, 16, 64))
