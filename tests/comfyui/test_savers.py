"""Whose file is the clip: the one video saver, a chosen one, or one that lists nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import av
import pytest

from blocks.providers.base import Failed, Order, Polled, Ready, Ticket
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui.account import ComfyUI
from blocks.providers.comfyui.models import FOLDER
from blocks.providers.comfyui.workflow import Workflow, WorkflowError, read_workflow
from blocks.providers.model import Model, Value
from flows.shots import read_shots
from flows.shots.problem import ShotListError
from tests.comfyui.conftest import SMALL, Run, Server, followed, order, sent
from tests.web import web

BLANK = FOLDER / "blank.json"
MAGI: dict[str, Value] = {"resolution": "480p", "num_frames": 24, "num_inference_steps": 4}
PREVIEW: dict[str, Any] = {
    "4": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 2, "color": 7},
    },
    "5": {"class_type": "CreateVideo", "inputs": {"images": ["4", 0], "fps": 1}},
    "6": {
        "class_type": "SaveVideo",
        "inputs": {"video": ["5", 0], "filename_prefix": "p", "format": "auto", "codec": "auto"},
    },
}
WEBP = {
    "class_type": "SaveAnimatedWEBP",
    "inputs": {
        **{"images": ["1", 0], "filename_prefix": "x", "fps": 24},
        **{"lossless": False, "quality": 80, "method": "default"},
    },
}
COMBINE = {"images": ["1", 0], "frame_rate": 24, "filename_prefix": "x", "save_output": True}


def made(server: Server, of: Order) -> Polled:
    async def act(comfyui: ComfyUI) -> Polled:
        return await followed(comfyui, await sent(comfyui, of))

    return server.with_account(act)


def workflow(folder: Path, changes: dict[str, Any], saver: Any = None) -> Workflow:
    """The blank workflow with other nodes; None takes one away."""
    graph = {**json.loads(BLANK.read_text()), **changes}
    graph = {name: node for name, node in graph.items() if node is not None}
    sidecar = json.loads((FOLDER / "blank.shotreel.json").read_text())
    (folder / "mine.json").write_text(json.dumps(graph))
    sidecar |= {"saver": saver} if saver else {}
    (folder / "mine.shotreel.json").write_text(json.dumps(sidecar))
    return read_workflow("comfyui/mine.json", folder / "mine.json")


def num_frames_of(ready: Polled) -> int:
    assert isinstance(ready, Ready), ready
    with av.open(io.BytesIO(web.get(ready.media_url).content), "r") as file:
        return len(list(file.decode(video=0)))


def test_the_shipped_magi_workflows_end_in_a_clip_of_the_public_pack(run: Run) -> None:
    server = run()
    for name, more in (("text", {}), ("image", {"image": "example.png"})):
        model: Model = MODELS[f"comfyui/magi-{name}-to-video.json"]
        of = Order(f"of-{name}", model, {**SMALL, **MAGI, **more}, 600)
        assert num_frames_of(made(server, of)) == 24
    history = server.get("/history").json()
    assert [entry["outputs"] for entry in history.values()] == [{}, {}]
    [one, two] = server.told("requests")["requests"]
    paths = [r["inputs"]["prompt"]["5"]["inputs"]["output_path"] for r in (one, two)]
    assert len(set(paths)) == 2
    assert all(path.startswith("output/shotreel-") for path in paths)


def test_frames_of_the_pack_fail_in_the_core_s_nodes_at_the_end_of_the_work(
    server: Server, tmp_path: Path
) -> None:
    magi = json.loads((FOLDER / "magi-text-to-video.json").read_text())
    graph = {n: magi[n] for n in ("1", "2", "4")}
    graph["5"] = {"class_type": "CreateVideo", "inputs": {"images": ["4", 0], "fps": 24}}
    graph["6"] = PREVIEW["6"]
    prompt_id = server.post("/prompt", {"prompt": graph}).json()["prompt_id"]
    name, told = server.ended(prompt_id)["status"]["messages"][-1]
    assert (name, told["node_id"], told["exception_type"]) == (
        "execution_error",
        "6",
        "ValueError",
    )
    assert "Unexpected numpy array shape" in told["exception_message"]


def test_two_nodes_that_save_a_video_are_named_with_what_chooses(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError) as told:
        workflow(tmp_path, PREVIEW)
    words = str(told.value)
    assert "nodes 3 (SaveVideo) and 6 (SaveVideo) all save a video" in words
    assert '"saver": {"node": "6"}' in words


@pytest.mark.parametrize(("saver", "num_frames"), [("3", 8), ("6", 2)])
def test_the_chosen_node_s_file_is_the_clip_wherever_it_stands_in_the_history(
    server: Server, tmp_path: Path, saver: str, num_frames: int
) -> None:
    mine = workflow(tmp_path, PREVIEW, {"node": saver})
    assert num_frames_of(made(server, order(model=mine))) == num_frames
    [entry] = server.get("/history").json().values()
    assert set(entry["outputs"]) == {"3", "6"}


def test_a_saver_that_keeps_nothing_does_not_count(tmp_path: Path) -> None:
    preview = {**COMBINE, "format": "video/h264-mp4", "save_output": False}
    assert workflow(tmp_path, {"9": {"class_type": "VHS_VideoCombine", "inputs": preview}})
    assert workflow(tmp_path, {"9": WEBP}).saver == "3"


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (WEBP, "node 9 (SaveAnimatedWEBP) saves no video"),
        ({**WEBP, "class_type": "SaveAnimatedPNG"}, "saves no video"),
        ({**WEBP, "class_type": "SaveImage"}, "saves no video"),
        ({**WEBP, "class_type": "Save Animated GIF (pack)"}, "saves no video"),
        (
            {"class_type": "VHS_VideoCombine", "inputs": {**COMBINE, "format": "image/gif"}},
            "node 9 (VHS_VideoCombine) saves image/gif, which is no video",
        ),
    ],
)
def test_a_workflow_that_ends_in_pictures_is_refused_before_anything_is_made(
    tmp_path: Path, node: dict[str, Any], told: str
) -> None:
    for saver in (None, {"node": "9"}):
        with pytest.raises(WorkflowError, match="end it with CreateVideo and SaveVideo") as error:
            workflow(tmp_path, {"3": None, "9": node}, saver)
        assert told in str(error.value)
    (tmp_path / "list.csv").write_text("prompt;model\nA fox;comfyui/mine.json\n")
    with pytest.raises(ShotListError, match="saves"):
        read_shots(str(tmp_path / "list.csv"))


def test_what_such_a_graph_comes_to_at_the_server_is_no_clip(server: Server) -> None:
    graph = json.loads(BLANK.read_text())
    prompt = {"1": graph["1"], "9": WEBP}
    prompt_id = server.post("/prompt", {"prompt": prompt}).json()["prompt_id"]
    [file] = server.ended(prompt_id)["outputs"]["9"]["images"]
    assert file["filename"] == "x_00001_.webp"
    body = server.get("/view", **file).content
    assert body[:4] == b"RIFF"

    async def act(comfyui: ComfyUI) -> Polled:
        return await comfyui.poll(MODELS["comfyui/blank.json"], Ticket(prompt_id))

    assert server.with_account(act) == Failed("the workflow ended without a video file", "no")


@pytest.mark.parametrize(
    ("saver", "told"),
    [
        ({"node": "8"}, "saver: the workflow has no 8.filename_prefix"),
        ({"node": "3", "path_input": "nope"}, "saver: the workflow has no 3.nope"),
        ({"node": "3", "subfolder": "/etc"}, "saver.subfolder"),
        ({"colour": "red"}, "saver.node: Field required"),
    ],
)
def test_a_saver_that_is_not_there_is_told(tmp_path: Path, saver: Any, told: str) -> None:
    with pytest.raises(WorkflowError, match=told):
        workflow(tmp_path, {}, saver)
