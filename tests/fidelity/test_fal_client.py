"""fal's official Python client works through the sandbox as through fal."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blocks.sandbox import Sandbox
from blocks.sandbox.render import render_thumb

SESSION = Path(__file__).with_name("fal_session.py")


@pytest.fixture(scope="module")
def session(
    authority: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the client has seen, and under `books` what the sandbox has counted meanwhile."""
    trusted, shown = authority
    folder = tmp_path_factory.mktemp("fal")
    picture, video = folder / "sea.png", folder / "sea.mp4"
    Image.new("RGB", (64, 36), "navy").save(picture, "PNG")
    render_thumb(video, 1, 96, 24)
    with Sandbox(
        folder / "sandbox", latency_s=0.6, concurrency=1, render="thumb", certificate=shown
    ) as sandbox:
        urls = sandbox.environment
        env = {
            **os.environ,
            "NO_PROXY": "*",
            "FAL_KEY": "id:secret",
            "SSL_CERT_FILE": str(trusted),
            "FAL_RUN_HOST": urls["FAL_RUN_URL"].removeprefix("https://"),
            "FAL_QUEUE_RUN_HOST": urls["FAL_QUEUE_URL"].removeprefix("https://"),
        }
        given = (urls["FAL_REST_URL"], urls["FAL_MEDIA_URL"], str(picture), str(video))
        done = subprocess.run(
            [sys.executable, str(SESSION), *given],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        context = ssl.create_default_context(cafile=str(trusted))

        def read(url: str) -> bytes:
            with urllib.request.urlopen(url, context=context) as reply:
                content: bytes = reply.read()
                return content

        seen: dict[str, Any] = json.loads(done.stdout)
        seen["kept"] = [read(seen["picture_url"]), read(seen["video_url"])]
        seen["sent"] = [picture.read_bytes(), video.read_bytes()]
        for book in ("charges", "requests", "posts"):
            seen[book] = json.loads(read(f"{sandbox.url}/sandbox/{book}"))
        return seen


def test_uploads_arrive_whole_and_in_parts(session: dict[str, Any]) -> None:
    assert session["kept"] == session["sent"]


def test_client_follows_a_request_from_the_queue_to_its_clip(session: dict[str, Any]) -> None:
    assert session["events"][-1] == "Completed"
    assert set(session["events"]) <= {"Queued", "InProgress", "Completed"}
    assert session["followed"]["seed"] == 7
    assert session["clip_bytes"] > 1000
    assert "Completed" in session["updates"]


def test_client_cancels_what_is_still_queued(session: dict[str, Any]) -> None:
    assert session["position"] == 0
    assert session["after_cancel"] == 499
    charged = {charge["request_id"] for charge in session["charges"]["charges"]}
    assert session["followed_id"] in charged
    assert session["cancelled_id"] not in charged


def test_client_is_told_what_is_wrong_with_its_inputs(session: dict[str, Any]) -> None:
    assert session["invalid"] == [422, ["body", "prompt"]]


def test_every_clip_is_charged_once(session: dict[str, Any]) -> None:
    clips = ("followed", "first", "subscribed", "direct")
    assert all(session[clip]["video"]["url"].startswith("https://127.0.0.1") for clip in clips)
    assert len(session["charges"]["charges"]) == len(clips)
    assert Decimal(session["charges"]["cost_usd"]) == len(clips) * Decimal("0.32")
