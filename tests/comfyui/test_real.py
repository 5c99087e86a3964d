"""A real ComfyUI, where SHOTREEL_TEST_COMFYUI_URL names one: the workflow without weights.

CI has none: ComfyUI is not on PyPI, and an installation takes 7 GB.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import av
import pytest
from PIL import Image

from blocks.providers.base import Ready
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui.account import ComfyUIAccount
from blocks.providers.download import Fetched, download
from blocks.providers.http import open_client
from tests.comfyui.conftest import BLANK, followed, order, sent

URL = os.environ.get("SHOTREEL_TEST_COMFYUI_URL", "")


@pytest.mark.skipif(not URL, reason="no ComfyUI: set SHOTREEL_TEST_COMFYUI_URL to one")
def test_a_real_comfyui_makes_a_clip(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_client() as client:
            comfyui = ComfyUIAccount(url=URL).provider(client, "comfyui", "default")
            await comfyui.preflight([MODELS[BLANK]])
            mine = order(uuid4().hex)
            assert not (await comfyui.find(mine, datetime.now(UTC))).candidates
            ticket = await sent(comfyui, mine)
            ready = await followed(comfyui, ticket)
            assert isinstance(ready, Ready), ready
            [found] = (await comfyui.find(mine, datetime.now(UTC))).candidates
            assert found.ticket == ticket
            part = tmp_path / "clip.mp4"
            assert isinstance(
                await download(client, ready.media_url, part, comfyui.trusted_hosts), Fetched
            )
            with av.open(str(part)) as file:
                stream = file.streams.video[0]
                assert (stream.width, stream.height) == (432, 240)
                assert stream.average_rate == 12
                assert len(list(file.decode(video=0))) == 8
            picture = tmp_path / "red.png"
            Image.new("RGB", (64, 48), "red").save(picture)
            assert (await comfyui.upload(picture, "image/png")).endswith(".png")

    asyncio.run(run())
