from __future__ import annotations

import asyncio
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from blocks.sandbox.edge_code import clip_code, read_edge_code
from blocks.sandbox.models import picture_size
from blocks.sandbox.render import render_clip, render_thumb

from .conftest import MODEL, PROMPT, Run, decoded


def clip(path: Path, seed: int = 1, **options: Any) -> bytes:
    usual: dict[str, Any] = {
        "prompt": PROMPT,
        "num_frames": 96,
        "rate": 24,
        "width": 848,
        "height": 480,
        "label": "magi-distilled",
    }
    render_clip(path / "clip.mp4", seed=seed, **(usual | options))
    return (path / "clip.mp4").read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3], ids=["city", "sea", "ridges"])
def test_a_clip_is_coded_as_the_services_code_theirs(tmp_path: Path, seed: int) -> None:
    content = clip(tmp_path, seed, width=432, height=240)
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(io.BytesIO(content), "r") as file:
        stream = file.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate or 0) == 24
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
        packets = [packet for packet in file.demux(stream) if packet.size]
        assert [packet.is_keyframe for packet in packets].count(True) == 1
        assert any(packet.pts != packet.dts for packet in packets), "no B-frames"
    frames = decoded(content)
    assert [read_edge_code(luma) for luma in frames] == [(clip_code(seed), i) for i in range(96)]
    for before, after in pairwise(frames):
        assert np.abs(before.astype(int) - after.astype(int)).max() > 20


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    first = clip(tmp_path, 5, num_frames=12)
    assert clip(tmp_path, 5, num_frames=12) == first
    assert clip(tmp_path, 8, num_frames=12) != first
    assert clip(tmp_path, 5, num_frames=12, prompt="Another") != first


@pytest.mark.parametrize(
    ("values", "image", "size"),
    [
        ({}, None, (1280, 720)),
        ({"aspect_ratio": "9:16"}, None, (720, 1280)),
        ({"aspect_ratio": "1:1"}, (1600, 900), (720, 720)),
        ({"resolution": "480p"}, None, (848, 480)),
        ({"resolution": "480p", "aspect_ratio": "9:16"}, None, (480, 848)),
        ({}, (1600, 900), (1280, 720)),
        ({}, (600, 800), (720, 960)),
        ({}, (9000, 100), (1440, 720)),
    ],
)
def test_the_picture_has_the_size_that_was_asked_for(
    values: dict[str, str], image: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    assert picture_size(values, image) == size


@pytest.mark.parametrize("prompt", ["", "word " * 300, "x" * 500, "Ein Wort über das Meer — 東京"])
@pytest.mark.parametrize("size", [(432, 240), (240, 432)])
def test_any_prompt_can_be_set(tmp_path: Path, prompt: str, size: tuple[int, int]) -> None:
    width, height = size
    content = clip(tmp_path, 4, prompt=prompt, num_frames=2, width=width, height=height)
    assert [luma.shape for luma in decoded(content)] == [(height, width)] * 2


@pytest.mark.parametrize("rate", [5, 24, 30])
def test_a_thumb_has_as_many_frames_as_a_clip(tmp_path: Path, rate: int) -> None:
    render_thumb(tmp_path / "thumb.mp4", 9, 192, rate)
    frames = decoded((tmp_path / "thumb.mp4").read_bytes())
    assert [read_edge_code(luma) for luma in frames] == [(clip_code(9), i) for i in range(192)]


def test_a_crowd_of_requests_at_once_is_served(run: Run) -> None:
    client = run(latency_s=0.5)
    url = f"{client.urls['FAL_QUEUE_URL']}/{MODEL}"

    async def one(http: httpx.AsyncClient, seed: int) -> str:
        ticket = (await http.post(url, json={"prompt": PROMPT, "seed": seed})).json()
        while (await http.get(ticket["status_url"])).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return str(ticket["request_id"])

    async def everything() -> list[str]:
        limits = httpx.Limits(max_connections=50)
        options: dict[str, Any] = {"headers": {"Authorization": "Key k"}, "verify": False}
        async with httpx.AsyncClient(limits=limits, timeout=30, **options) as http:
            return await asyncio.gather(*(one(http, seed) for seed in range(40)))

    ids = asyncio.run(everything())
    assert len(set(ids)) == 40
    assert client.told("charges")["units"] == "160"
