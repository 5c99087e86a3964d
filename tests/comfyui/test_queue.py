"""The queue as it comes: any length, cut anywhere."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.providers.base import Polled, Waiting
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui.account import ComfyUI
from blocks.providers.comfyui.queue import QueueReader
from blocks.providers.http import MAX_REPLY_BYTES
from tests.comfyui.conftest import BLANK, Run, order, sent

PICTURE = "x" * (4 * 2**20)


def test_a_queue_above_the_bound_of_a_reply_still_says_where_a_prompt_is(run: Run) -> None:
    server = run(latency_s=60, concurrency=1)
    heavy = {
        "1": {"class_type": "LoadBase64", "inputs": {"image": PICTURE}},
        "2": {
            "class_type": "SaveVideo",
            "inputs": {
                "filename_prefix": "x",
                "video": ["1", 0],
                "format": "auto",
                "codec": "auto",
            },
        },
    }
    for _ in range(5):
        assert server.post("/prompt", {"prompt": heavy}).status_code == 200
    assert len(server.get("/queue").content) > MAX_REPLY_BYTES

    async def act(comfyui: ComfyUI) -> tuple[Polled, Polled]:
        ticket = await sent(comfyui, order())
        before = await comfyui.poll(MODELS[BLANK], ticket)
        await comfyui.cancel(MODELS[BLANK], ticket)
        return before, await comfyui.poll(MODELS[BLANK], ticket)

    before, after = server.with_account(act)
    assert before == Waiting(5)
    assert not isinstance(after, Waiting)


def read(body: bytes, *cuts: int) -> QueueReader:
    reader = QueueReader()
    edges = [0, *sorted(cuts), len(body)]
    for first, last in itertools.pairwise(edges):
        reader.feed(body[first:last])
    return reader


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.lists(
    st.tuples(st.integers(-99, 99), st.uuids().map(str), JSON, JSON, st.lists(TEXTS, max_size=2)),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(
    running=ITEMS,
    pending=ITEMS,
    cuts=st.lists(st.integers(0, 400), max_size=6),
    ascii=st.booleans(),
)
def test_it_reads_what_json_reads_wherever_it_is_cut(
    running: Any, pending: Any, cuts: list[int], ascii: bool
) -> None:
    body = json.dumps(
        {"queue_running": running, "queue_pending": pending}, ensure_ascii=ascii
    ).encode()
    reader = read(body, *(cut for cut in cuts if cut < len(body)))
    assert reader.complete
    assert reader.running == [item[1] for item in running]
    assert reader.pending == [item[1] for item in sorted(pending, key=lambda item: item[0])]
    assert not read(body[:-1]).complete


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"queue_running": []}',
        b'{"queue_running": 5, "queue_pending": []}',
        b'{"queue_running": {}, "queue_pending": []}',
        b'{"a": {"queue_running": [], "queue_pending": []}}',
        b'<html>"queue_running": [ "queue_pending": [ ]]</html>',
    ],
)
def test_what_is_no_queue_is_not_read_as_an_empty_one(body: bytes) -> None:
    assert not read(body).complete
