"""ComfyUI's replies, as pure functions see them: also those that no server should send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from blocks.providers.base import Accepted, Again, Failed, Paused, Ready, Refused, Unknown, Waiting
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui import wire
from blocks.providers.comfyui.workflow import Workflow
from blocks.providers.http import Answer
from tests.wire.replies import LOST, REFUSED_CONNECTION, answers, objects_with, reply, writable

ID = "0212ea6e-fbd0-4601-85df-5b3c7df58d97"
URL = "http://gpu:8188"
BLANK = MODELS["comfyui/blank.json"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(REFUSED_CONNECTION, Again, id="nothing-was-delivered"),
        pytest.param(LOST, Unknown, id="the-answer-was-lost"),
        pytest.param(reply(200, {"prompt_id": ID, "number": 1}), Accepted, id="queued"),
        pytest.param(reply(200, b"{"), Unknown, id="unreadable"),
        pytest.param(reply(200, {"prompt_id": 5}), Unknown, id="no-id"),
        pytest.param(reply(400, {"error": {"message": "no"}}), Refused, id="refused"),
        pytest.param(reply(413, b"too large"), Refused, id="too-large"),
        pytest.param(reply(429, {}), Again, id="a-proxy-asks-to-wait"),
        pytest.param(reply(404, b"nginx"), Paused, id="another-server"),
        pytest.param(reply(401, b""), Paused, id="a-proxy-wants-a-password"),
        pytest.param(reply(302, b""), Unknown, id="redirect"),
        pytest.param(reply(500, b"500 Internal Server Error"), Unknown, id="server-error"),
        pytest.param(reply(502, b"<html>"), Unknown, id="gateway"),
    ],
)
def test_a_submit_is_sent_again_only_where_nothing_can_have_come_of_it(
    answer: Answer, kind: type
) -> None:
    assert isinstance(wire.classify_submit(answer), kind)


def item(number: Any, prompt_id: str = "other") -> list[Any]:
    return [number, prompt_id, {}, {}, []]


@pytest.mark.parametrize(
    ("running", "pending", "place"),
    [
        ([item(1, ID)], [], Waiting()),
        ([item(1, ID)], [item(2, ID)], Waiting()),
        # A heap: the order is in the numbers. A negative one was put in front.
        ([item(1)], [item(2), item(9), item(3, ID)], Waiting(2)),
        ([item(1)], [item(2), item(-3, ID)], Waiting(1)),
        ([item(1)], [item(2)], None),
        ([], [], None),
    ],
)
def test_the_place_in_the_queue(running: Any, pending: Any, place: Any) -> None:
    answer = reply(200, {"queue_running": running, "queue_pending": pending})
    assert wire.place_in_queue(answer, ID) == place


def entry(outputs: Any, status: str = "success", *messages: Any) -> dict[str, Any]:
    return {"outputs": outputs, "status": {"status_str": status, "messages": list(messages)}}


@pytest.mark.parametrize(
    ("outputs", "filename"),
    [
        ({"3": {"images": [{"filename": "a.mp4", "subfolder": "v", "type": "output"}]}}, "a.mp4"),
        ({"3": {"gifs": [{"filename": "a.webm", "subfolder": "", "type": "output"}]}}, "a.webm"),
        ({"3": {"images": [{"filename": "a.png"}], "x": [{"filename": "b.mp4"}]}}, "b.mp4"),
        ({"3": {"gifs": [{"filename": "a.gif"}, {"filename": "b.mp4"}]}}, "b.mp4"),
        (
            {
                "2": {"images": [{"filename": "preview.mp4", "type": "temp"}]},
                "3": {"images": [{"filename": "final.mp4", "type": "output"}]},
            },
            "final.mp4",
        ),
    ],
)
def test_the_video_is_found_wherever_a_node_lists_it(outputs: Any, filename: str) -> None:
    outcome = wire.classify_entry(entry(outputs), URL)
    assert isinstance(outcome, Ready)
    assert outcome.media_url.startswith(f"{URL}/view?filename={filename}&")


@pytest.mark.parametrize(
    "file",
    [
        {"filename": "../../x.mp4"},
        {"filename": "/etc/x.mp4"},
        {"filename": "C:\\x.mp4"},
        {"filename": "x.mp4", "subfolder": "../.."},
        {"filename": "x.mp4", "subfolder": "/etc"},
        {"filename": "x.mp4", "type": "input"},
        {"filename": "x.mp4\n"},
        {"filename": "x.png"},
        {"filename": 5},
        "x.mp4",
    ],
)
def test_a_file_that_is_not_the_servers_to_give_is_no_clip(file: Any) -> None:
    assert isinstance(wire.classify_entry(entry({"3": {"images": [file]}}), URL), Failed)


def test_a_workflow_of_an_older_node_is_held_against_its_list_of_choices() -> None:
    assert isinstance(BLANK, Workflow)
    save = {"video": ["VIDEO"], "format": [["mp4", "webm"], {}], "quality": ["INT", {"min": 1}]}
    infos: dict[str, dict[str, Any]] = {
        "EmptyImage": {"input": {"required": {"height": ["INT", {"min": 1, "max": 512}]}}},
        "CreateVideo": {"input": {"required": {}}},
        "SaveVideo": {"input": {"required": save}},
    }
    assert wire.problems(BLANK, infos) == [
        "node 1 (EmptyImage), height is '720', more than 512",
        "node 3 (SaveVideo), format is 'auto', which is not one of mp4, webm",
        "node 3 (SaveVideo), quality is needed, and the workflow does not set it",
    ]


NAMES = ("prompt_id", "node_errors", "error", "errors", "extra_info", "outputs", "status")
MORE = ("status_str", "messages", "images", "filename", "queue_running", "queue_pending", ID)
WORDS = (ID, "success", "error", "execution_error", "a.mp4", "../x.mp4", 10**400)
REPLIES = answers(objects_with((*NAMES, *MORE), WORDS))


@settings(max_examples=200, deadline=None)
@given(answer=REPLIES)
def test_no_reply_breaks_anything(answer: Answer) -> None:
    submitted = wire.classify_submit(answer)
    if not isinstance(submitted, Accepted):
        assert submitted.reason.isprintable()
    wire.place_in_queue(answer, ID)
    found = wire.history_entry(answer, ID)
    if isinstance(found, dict):
        outcome = wire.classify_entry(found, URL)
        if isinstance(outcome, Failed):
            assert outcome.reason.isprintable()
    name = wire.uploaded_name(answer)
    assert name is None or writable(name[:300])


@settings(max_examples=200, deadline=None)
@given(found=objects_with((*NAMES, *MORE), WORDS))
def test_no_history_breaks_anything(found: Any) -> None:
    if isinstance(found, dict):
        wire.classify_entry(found, URL)
        assert isinstance(BLANK, Workflow)
        infos = dict.fromkeys(("EmptyImage", "CreateVideo", "SaveVideo"), found)
        wire.problems(BLANK, infos)
