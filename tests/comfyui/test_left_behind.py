"""A clip that was finished before its server forgot it: it is brought home, not made again."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from blocks.providers.base import Findings, Gone, Order, Polled, Ready, Ticket, Unknown
from blocks.providers.catalogue import MODELS, sent_model
from blocks.providers.comfyui import wire
from blocks.providers.comfyui.account import ComfyUI
from blocks.providers.comfyui.finished import HEAD_BYTES, is_finished
from blocks.providers.download import Fetched, download
from blocks.providers.model import Model, Value
from tests.comfyui.conftest import BLANK, SMALL, Server, order, sent

MODEL_NAMES = (BLANK, "comfyui/magi-text-to-video.json")


def forget(server: Server) -> None:
    server.misbehave(at="poll", do="restart")
    assert server.get("/queue").json() == {"queue_running": [], "queue_pending": []}
    assert server.get("/history").json() == {}


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_file_under_the_chosen_name_is_asked_for_before_it_is_made_again(
    server: Server, tmp_path: Path, name: str
) -> None:
    model: Model = MODELS[name]
    more: dict[str, Value] = {"resolution": "480p", "num_frames": 24} if name != BLANK else {}

    async def act(comfyui: ComfyUI) -> object:
        ticket = await sent(comfyui, Order("a1", model, {**SMALL, **more}, 600))
        server.ended(ticket.request_id)
        forget(server)
        ready = await comfyui.poll(sent_model(name), ticket)
        assert isinstance(ready, Ready)
        return await download(
            comfyui.client, ready.media_url, tmp_path / "part", comfyui.trusted_hosts
        )

    assert isinstance(server.with_account(act), Fetched)
    with av.open(str(tmp_path / "part")) as file:
        assert len(list(file.decode(video=0))) == (8 if name == BLANK else 24)


def test_one_whose_answer_was_lost_too_is_found_by_its_file(server: Server) -> None:
    server.misbehave(at="submit", do="drop_after_accept")

    async def act(comfyui: ComfyUI) -> Findings:
        assert isinstance(await comfyui.submit(order()), Unknown)
        server.ended(wire.prompt_id("a1"))
        forget(server)
        return await comfyui.find(order(model=sent_model(BLANK)), datetime.now(UTC))

    [found] = server.with_account(act).candidates
    assert found.ticket == Ticket(wire.prompt_id("a1"))


def test_a_file_that_is_no_whole_clip_is_not_taken_for_it(server: Server) -> None:
    async def act(comfyui: ComfyUI) -> Polled:
        ticket = await sent(comfyui, order())
        server.ended(ticket.request_id)
        forget(server)
        server.misbehave(at="media", do="corrupt", times=0)
        return await comfyui.poll(MODELS[BLANK], ticket)

    assert isinstance(server.with_account(act), Gone)


def video(container: str, codec: str) -> bytes:
    with io.BytesIO() as file:
        with av.open(file, "w", format=container) as output:
            stream = output.add_stream(codec, rate=24)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for level in range(12):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), level * 20, np.uint8))
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return file.getvalue()


def whole(content: bytes) -> bool:
    async def read(first: int) -> bytes:
        return content[first : first + HEAD_BYTES]

    return asyncio.run(is_finished(len(content), read))


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("matroska", "libx264")]
)
def test_a_video_is_told_from_one_that_a_crash_cut_off(container: str, codec: str) -> None:
    content = video(container, codec)
    assert whole(content)
    for size in (0, 7, 48, len(content) // 2, len(content) - 1):
        assert not whole(content[:size])


def test_a_stream_without_a_length_and_other_bytes_are_no_finished_video() -> None:
    live = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"x" * 100
    for content in (live, b"", b"\0" * 100, b"RIFF" + b"x" * 60, b"\xff" * 64, b"\0\0\0\x08ftyp"):
        assert not whole(content)
