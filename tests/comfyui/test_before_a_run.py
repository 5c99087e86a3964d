"""What is asked of a server before anything is made: only what is certainly wrong is an error."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import InputError
from blocks.providers.base import Polled, Ready
from blocks.providers.comfyui import wire
from blocks.providers.comfyui.account import ComfyUI
from blocks.providers.comfyui.models import FOLDER
from blocks.providers.comfyui.workflow import Workflow, read_workflow
from flows.outlook import outlook_of
from flows.shots import film_of, read_shots
from tests.comfyui.conftest import Server, followed, order, sent

BATCH = {
    "class_type": "BatchImagesNode",
    "inputs": {"images.image0": ["1", 0], "images.image1": ["1", 0]},
}
GROWS = ["COMFY_AUTOGROW_V3", {"template": {"input": {}, "prefix": "image", "min": 2}}]
CHANGES = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "mp4", "inputs": {}}, {"key": "mkv"}]}]


def workflow(folder: Path, **nodes: Any) -> Workflow:
    """The blank workflow with more nodes: `_9={...}`; a dict of inputs is put over a node's."""
    graph = json.loads((FOLDER / "blank.json").read_text())
    for name, node in nodes.items():
        if "class_type" in node:
            graph[name[1:]] = node
        else:
            graph[name[1:]]["inputs"].update(node)
    (folder / "mine.json").write_text(json.dumps(graph))
    sidecar = (FOLDER / "blank.shotreel.json").read_bytes()
    (folder / "mine.shotreel.json").write_bytes(sidecar)
    return read_workflow("comfyui/mine.json", folder / "mine.json")


def checked(server: Server, mine: Workflow) -> str:
    """The problems that the server is said to have with it."""

    async def act(comfyui: ComfyUI) -> str:
        try:
            await comfyui.preflight([mine])
        except InputError as error:
            return str(error)
        return ""

    return server.with_account(act)


def test_inputs_that_grow_are_taken_and_give_a_clip(server: Server, tmp_path: Path) -> None:
    info = server.get("/object_info/BatchImagesNode").json()["BatchImagesNode"]
    assert info["input"]["required"]["images"][0] == "COMFY_AUTOGROW_V3"
    mine = workflow(tmp_path, _9=BATCH, _2={"images": ["9", 0]})

    async def act(comfyui: ComfyUI) -> Polled:
        await comfyui.preflight([mine])
        return await followed(comfyui, await sent(comfyui, order(model=mine)))

    assert isinstance(server.with_account(act), Ready)


def test_the_server_alone_says_how_many_of_them_it_needs(server: Server, tmp_path: Path) -> None:
    one = {**BATCH, "inputs": {"images.image0": ["1", 0]}}
    mine = workflow(tmp_path, _9=one, _2={"images": ["9", 0]})
    assert checked(server, mine) == ""

    async def act(comfyui: ComfyUI) -> str:
        outcome = await comfyui.submit(order(model=mine))
        return getattr(outcome, "reason", "")

    told = server.with_account(act)
    assert "node 9 (BatchImagesNode), images.image1: Required input is missing" in told


@pytest.mark.parametrize(
    ("given", "declared"),
    [
        ({"x.image0": ["1", 0]}, {"x": GROWS}),
        ({}, {"x": GROWS}),
        ({"x": "mkv", "x.codec": "h264"}, {"x": CHANGES}),
        ({"x": "of a pack", "x.codec": "h264"}, {"x": CHANGES}),
        ({"x.a": 1, "x.b": 2}, {"x": ["SOMETHING_NEW", {}]}),
        ({"x": ["a", "b"]}, {"x": ["COMBO", {"options": ["a", "b"], "multiselect": True}]}),
    ],
)
def test_what_nobody_can_tell_beforehand_is_left_to_the_server(
    tmp_path: Path, given: dict[str, Any], declared: dict[str, Any]
) -> None:
    infos: dict[str, Any] = {
        name: {"input": {"required": {}}} for name in ("EmptyImage", "CreateVideo", "SaveVideo")
    }
    infos["CreateVideo"] = {"input": {"required": declared}}
    assert wire.problems(workflow(tmp_path, _2=given), infos) == []


def test_a_node_beside_the_clip_may_be_wrong(server: Server, tmp_path: Path) -> None:
    beside = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "none.safetensors"}}
    assert checked(server, workflow(tmp_path, _9=beside)) == ""


LOADER = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "gone.safetensors"}}


def test_a_weight_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    mine = workflow(tmp_path, _9=LOADER, _2={"model": ["9", 0]})
    told = checked(server, mine)
    assert "node 9 (CheckpointLoaderSimple), ckpt_name is 'gone.safetensors'" in told
    assert "is not one of magi-sandbox.safetensors" in told


def test_a_live_plan_asks_the_server_for_nodes_and_weights(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYUI_URL", server.url)
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("FAL_KEY", raising=False)
    monkeypatch.delenv("WAVESPEED_API_KEY", raising=False)
    shots = tmp_path / "list.csv"
    shots.write_text("prompt,model\nA fox,comfyui/mine.json\n")

    def to_buy() -> int:
        rows = read_shots(str(shots))
        return asyncio.run(outlook_of(rows, film_of(str(shots)), live=True)).plan.count("buy")

    workflow(tmp_path)
    assert to_buy() == 1
    workflow(tmp_path, _9=LOADER, _2={"model": ["9", 0]})
    with pytest.raises(InputError, match=r"ckpt_name is 'gone\.safetensors'"):
        to_buy()
    workflow(tmp_path)
    server.misbehave(at="nodes", do="missing", match={"model": "SaveVideo"}, times=0)
    with pytest.raises(InputError, match="it has no SaveVideo"):
        to_buy()
    assert server.told("posts")["posts"] == []
