"""The sandbox answers as a real ComfyUI 0.3.64 did: the same keys, of the same types.

`recorded.jsonl` holds what the server answered; paths of its machine and long traces are cut.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.comfyui.conftest import Run, Server

LINES = (Path(__file__).parent / "recorded.jsonl").read_text("utf-8").splitlines()
RECORDED: dict[str, dict[str, Any]] = {line.pop("k"): line for line in map(json.loads, LINES)}
GRAPH = next(iter(RECORDED["history_ok"]["r"].values()))["prompt"][2]


def shape(value: object) -> object:
    """Keys and types; an object whose keys are ids is one of them, a list its distinct items."""
    if isinstance(value, dict):
        if value and all(len(key) == 36 or key.isdigit() for key in value):
            return {"<id>": shape(next(iter(value.values())))}
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        kinds: list[object] = []
        for item in map(shape, value):
            if item not in kinds:
                kinds.append(item)
        return kinds
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def graph(**changes: Any) -> dict[str, Any]:
    """The recorded graph; `width=0` changes an input of node 1, `_3=...` a whole node."""
    changed: dict[str, Any] = json.loads(json.dumps(GRAPH))
    for name, value in changes.items():
        if name.startswith("_"):
            changed[name[1:]] = value
        elif value is None:
            del changed["1"]["inputs"][name]
        else:
            changed["1"]["inputs"][name] = value
    return changed


def posted(server: Server, prompt: Any = None, **more: Any) -> Any:
    body = {"prompt": prompt or graph(), "client_id": "c", "extra_data": {"shot": "a1"}, **more}
    return server.post("/prompt", body)


def test_a_prompt_and_its_history(server: Server) -> None:
    status, body, headers = RECORDED["post_prompt"]["r"]
    answer = posted(server)
    assert (answer.status_code, shape(answer.json())) == (status, shape(body))
    assert answer.headers["content-type"].startswith("application/json")
    prompt_id = answer.json()["prompt_id"]
    entry = {prompt_id: server.ended(prompt_id)}
    assert shape(entry) == shape(RECORDED["history_ok"]["r"])
    recorded = next(iter(RECORDED["history_ok"]["r"].values()))
    assert entry[prompt_id]["outputs"] == recorded["outputs"]
    assert headers["Content-Type"]


def test_what_is_not_known_is_an_empty_object(server: Server) -> None:
    assert [200, server.get("/history/nope").json()] == RECORDED["history_unknown"]["r"]
    status, body = RECORDED["get_prompt"]["r"]
    answer = server.get("/prompt")
    assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("unknown_node", graph(_1={"class_type": "Nope", "inputs": {}})),
        ("missing_input", graph(width=None)),
        ("too_small", graph(width=0)),
        ("no_outputs", {"1": GRAPH["1"]}),
        (
            "bad_link",
            graph(_2={"class_type": "CreateVideo", "inputs": {"images": ["9", 0], "fps": 24.0}}),
        ),
    ],
)
def test_a_wrong_graph_is_refused_in_the_same_words(server: Server, name: str, prompt: Any) -> None:
    server.misbehave(at="nodes", do="missing", match={"model": "Nope"}, times=0)
    status, body = RECORDED[name]["r"][:2]
    answer = posted(server, prompt)
    assert answer.status_code == status
    found = answer.json()
    assert found["error"] == body["error"]
    if name == "bad_link":  # the recorded graph lacked another node
        assert shape(found["node_errors"]["2"]) == shape(body["node_errors"]["2"])
    else:
        assert shape(found) == shape(body)
        assert told(found) == told(body)


def told(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (error["type"], error["message"], error["details"])
        for node in body["node_errors"].values()
        for error in node["errors"]
    ]


def test_no_prompt_and_no_json(server: Server) -> None:
    status, body = RECORDED["no_prompt"]["r"]
    answer = server.post("/prompt", {})
    assert (answer.status_code, answer.json()) == (status, body)
    broken = server.client.post("/prompt", content=b"{")
    assert (broken.status_code, broken.text) == (
        RECORDED["badjson"]["status"],
        RECORDED["badjson"]["body"],
    )


def test_the_same_id_twice_is_executed_twice(run: Run) -> None:
    server = run(latency_s=0.3, concurrency=1)
    prompt_id = next(iter(RECORDED["history_ok"]["r"]))
    for _ in range(2):
        assert posted(server, prompt_id=prompt_id).status_code == 200
    queue = server.get("/queue").json()
    recorded = RECORDED["queue_dup"]["r"]
    assert queue.keys() == recorded.keys()
    for half in ("queue_running", "queue_pending"):
        assert [item[1] for item in queue[half]] == [prompt_id]
        assert [type(part) for part in queue[half][0][3:]] == [dict, list]
        assert len(queue[half][0]) == len(recorded[half][0])
    server.ended(prompt_id)
    while server.get("/queue").json()["queue_running"]:
        pass
    assert server.ended(prompt_id)["outputs"]["3"]["images"][0]["filename"] == "t_00002_.mp4"
    assert len(server.told("requests")["requests"]) == 2


def test_an_identical_graph_is_answered_from_the_cache_with_the_old_file(server: Server) -> None:
    first = server.ended(posted(server).json()["prompt_id"])
    prompt_id = posted(server).json()["prompt_id"]
    again = server.ended(prompt_id)
    assert again["outputs"] == first["outputs"]
    recorded = next(iter(RECORDED["history_cached"]["r"].values()))
    assert shape(again["status"]) == shape(recorded["status"])
    assert again["status"]["messages"][1][1]["nodes"] == ["1", "2", "3"]


def test_an_error_at_work(server: Server) -> None:
    entry = server.ended(posted(server, graph(width=65, height=65)).json()["prompt_id"])
    recorded = next(iter(RECORDED["history_error"]["r"].values()))
    assert shape({k: entry[k] for k in recorded}) == shape(recorded)
    ours, theirs = entry["status"]["messages"][-1][1], recorded["status"]["messages"][-1][1]
    for name in ("node_id", "node_type", "exception_type", "exception_message"):
        assert ours[name] == theirs[name]


def test_queue_delete_and_interrupt(run: Run) -> None:
    server = run(latency_s=30, concurrency=1)
    running, pending = (posted(server, graph(color=n)).json()["prompt_id"] for n in (1, 2))
    deleted = server.post("/queue", {"delete": [pending]})
    assert [deleted.status_code, deleted.text] == RECORDED["delete_pending"]["r"]
    assert [200, server.get(f"/history/{pending}").json()] == RECORDED["history_deleted"]["r"]
    server.post("/interrupt", {"prompt_id": pending})
    assert len(server.get("/queue").json()["queue_running"]) == 1
    answer = server.post("/interrupt", {"prompt_id": running})
    assert [answer.status_code, answer.text] == RECORDED["interrupt"]["r"]
    entry = server.ended(running)
    recorded = next(iter(RECORDED["history_interrupted"]["r"].values()))
    assert shape({k: entry[k] for k in recorded}) == shape(recorded)
    forgotten = server.post("/history", {"delete": [running]})
    status, text = RECORDED["history_delete"]["r"]
    assert (forgotten.status_code, forgotten.text) == (status, text)
    assert server.get(f"/history/{running}").json() == {}


def test_a_file_is_served_whole_in_part_and_not_at_all(server: Server) -> None:
    server.ended(posted(server).json()["prompt_id"])
    place = {"filename": "t_00001_.mp4", "subfolder": "video", "type": "output"}
    whole = server.get("/view", **place)
    part = server.client.get("/view", params=place, headers={"Range": "bytes=0-99"})
    recorded = RECORDED["view_range"]
    assert (part.status_code, len(part.content)) == (recorded["status"], recorded["n"])
    for name in ("Content-Type", "Accept-Ranges"):
        assert part.headers[name] == recorded["h"][name]
    assert part.headers["Content-Range"] == f"bytes 0-99/{len(whole.content)}"
    assert part.headers["Etag"]
    missing = server.get("/view", filename="nope.mp4", type="output")
    assert missing.status_code == RECORDED["view_missing"]["r"][0]
    outside = server.get("/view", filename="../secret", type="output")
    assert outside.status_code == RECORDED["view_traversal"]["r"][0]


def test_a_file_that_is_being_written_is_served_in_part(run: Run) -> None:
    server = run(latency_s=30)
    posted(server)
    part = server.get("/view", filename="t_00001_.mp4", subfolder="video")
    assert (part.status_code, len(part.content)) == (200, 48)


def test_the_same_upload_is_kept_once_and_another_of_its_name_is_renamed(server: Server) -> None:
    def upload(content: bytes, **fields: str) -> Any:
        data = {"type": "input", "subfolder": "sub", **fields}
        files = {"image": ("in.png", content, "image/png")}
        return server.client.post("/upload/image", data=data, files=files).json()

    recorded = RECORDED["upload"]["body"]
    assert upload(b"one") == upload(b"one") == recorded
    assert upload(b"two")["name"] == "in (1).png"
    assert upload(b"two", overwrite="true") == recorded


def test_what_a_node_takes(server: Server) -> None:
    recorded = RECORDED["object_info_SaveVideo"]["r"][1]["SaveVideo"]
    found = server.get("/object_info/SaveVideo").json()["SaveVideo"]
    assert found.keys() == recorded.keys()
    assert found["input_order"] == recorded["input_order"]
    for name in ("format", "codec"):
        ours, theirs = (info["input"]["required"][name] for info in (found, recorded))
        assert (ours[0], ours[1]["options"]) == (theirs[0], theirs[1]["options"])
    server.misbehave(at="nodes", do="missing", match={"model": "Nope"}, times=0)
    assert [200, server.get("/object_info/Nope").json()] == RECORDED["object_info_unknown"]["r"]


def test_every_route_is_there_under_api_too(server: Server) -> None:
    assert server.get("/api/queue").json() == {"queue_running": [], "queue_pending": []}
    assert server.get("/api/system_stats").json()["system"]["comfyui_version"]
