"""The account against the sandbox's ComfyUI: every verb, and what can go wrong with it."""

from __future__ import annotations

import asyncio
import io
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import httpx
import pytest
from PIL import Image

from blocks.errors import InputError
from blocks.providers.base import (
    Failed,
    Findings,
    Gone,
    Order,
    Polled,
    Ready,
    Refused,
    Unknown,
    Waiting,
)
from blocks.providers.catalogue import MODELS, sent_model
from blocks.providers.comfyui import wire
from blocks.providers.comfyui.account import ComfyUI, ComfyUIAccount
from blocks.providers.download import Fetched, Vanished, download
from blocks.providers.model import Model
from tests.comfyui.conftest import BLANK, Run, Server, followed, order, sent
from tests.web import web

NOW = datetime.now(UTC)
PICTURE_MODEL = "comfyui/magi-image-to-video.json"


def made(server: Server, of: Order) -> Polled:
    async def act(comfyui: ComfyUI) -> Polled:
        return await followed(comfyui, await sent(comfyui, of))

    return server.with_account(act)


def test_a_prompt_ends_in_a_clip_of_the_size_frames_and_rate_that_were_asked_for(run: Run) -> None:
    server = run(render="animatic")
    outcome = made(server, order(aspect_ratio="9:16"))
    assert isinstance(outcome, Ready)
    with av.open(io.BytesIO(web.get(outcome.media_url).content), "r") as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height) == (240, 432)
        assert stream.average_rate == 12
        assert len(list(file.decode(video=0))) == 8


def test_a_clip_comes_home_through_the_download_that_resumes(
    server: Server, tmp_path: Path
) -> None:
    server.misbehave(at="media", do="short")

    async def act(comfyui: ComfyUI) -> list[str]:
        ready = await followed(comfyui, await sent(comfyui, order()))
        assert isinstance(ready, Ready)
        part = tmp_path / "part"
        tries = [
            await download(comfyui.client, ready.media_url, part, comfyui.trusted_hosts)
            for _ in range(2)
        ]
        assert isinstance(tries[1], Fetched)
        with av.open(str(part)) as file:
            assert len(list(file.decode(video=0))) == 8
        return [type(one).__name__ for one in tries]

    assert server.with_account(act) == ["Again", "Fetched"]
    assert server.told("media-downloads")["downloads"][1]["range"] is not None


def test_nothing_is_charged(server: Server) -> None:
    made(server, order())
    assert server.told("charges")["charges"] == []
    quote = server.with_account(lambda comfyui: comfyui.price(MODELS[BLANK], {}))
    assert (quote.units, quote.cost_usd, quote.source) == (Decimal(0), Decimal(0), "no_price")


def test_a_prompt_id_is_a_uuid_as_newer_servers_want_it(server: Server) -> None:
    server.misbehave(at="prompt_id", do="require_uuid", times=0)
    assert isinstance(made(server, order()), Ready)
    refused = server.post("/prompt", {"prompt": {}, "prompt_id": "shot-001-abc"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_prompt_id")
    assert str(uuid.UUID(wire.prompt_id("a1"))) == wire.prompt_id("a1") != wire.prompt_id("a2")


@pytest.mark.parametrize("when", ["queued or running", "ended"])
def test_a_lost_answer_is_found_by_our_own_id(server: Server, when: str) -> None:
    server.misbehave(at="submit", do="drop_after_accept")

    async def act(comfyui: ComfyUI) -> Findings:
        assert isinstance(await comfyui.submit(order()), Unknown)
        ours = wire.prompt_id("a1")
        if when == "ended":
            server.ended(ours)
        return await comfyui.find(order(model=sent_model(BLANK)), NOW)

    [found] = server.with_account(act).candidates
    assert (found.ticket.request_id, found.certain) == (wire.prompt_id("a1"), True)


def test_a_request_that_never_arrived_is_proved_absent(server: Server) -> None:
    server.misbehave(at="submit", do="drop_before_accept")

    async def act(comfyui: ComfyUI) -> Findings:
        assert isinstance(await comfyui.submit(order()), Unknown)
        return await comfyui.find(order(), NOW)

    assert server.with_account(act) == Findings(())


def test_a_server_that_does_not_answer_proves_nothing(server: Server) -> None:
    server.misbehave(at="poll", do="status", status=502)
    findings = server.with_account(lambda comfyui: comfyui.find(order(), NOW))
    assert not findings.candidates
    assert "502" in findings.unread


def test_a_restart_that_forgot_the_prompt_is_noticed(run: Run) -> None:
    server = run(latency_s=30)

    async def act(comfyui: ComfyUI) -> tuple[Polled, Polled]:
        ticket = await sent(comfyui, order())
        before = await comfyui.poll(MODELS[BLANK], ticket)
        server.misbehave(at="poll", do="restart")
        return before, await comfyui.poll(MODELS[BLANK], ticket)

    before, after = server.with_account(act)
    assert before == Waiting()
    assert isinstance(after, Gone)


def test_what_waits_is_told_its_place_and_what_is_cancelled_never_runs(run: Run) -> None:
    server = run(latency_s=30, concurrency=1)

    async def act(comfyui: ComfyUI) -> list[Polled]:
        tickets = [await sent(comfyui, order(f"a{n}")) for n in range(3)]
        seen = [await comfyui.poll(MODELS[BLANK], ticket) for ticket in tickets]
        for ticket in (tickets[1], tickets[0]):
            await comfyui.cancel(MODELS[BLANK], ticket)
        return seen + [await comfyui.poll(MODELS[BLANK], ticket) for ticket in tickets[:2]]

    *seen, interrupted, deleted = server.with_account(act)
    assert seen == [Waiting(), Waiting(1), Waiting(2)]
    assert isinstance(interrupted, Failed)
    assert (interrupted.charged, interrupted.transient) == ("no", False)
    assert "interrupted" in interrupted.reason
    assert isinstance(deleted, Gone)


def test_a_cancelled_prompt_leaves_another_at_work_alone(run: Run) -> None:
    server = run(latency_s=0.2)

    async def act(comfyui: ComfyUI) -> Polled:
        first = await sent(comfyui, order("a1"))
        server.ended(first.request_id)
        second = await sent(comfyui, order("a2"))
        await comfyui.cancel(MODELS[BLANK], first)
        return await followed(comfyui, second)

    assert isinstance(server.with_account(act), Ready)


def test_each_attempt_has_a_file_of_its_own_though_the_graph_is_the_same(server: Server) -> None:
    """An identical graph is answered from the cache, with a file that may be gone."""
    names = []
    for attempt in ("a1", "a2"):
        outcome = made(server, order(attempt))
        assert isinstance(outcome, Ready)
        names.append(parse_qs(urlsplit(outcome.media_url).query)["filename"])
    assert names[0] != names[1]


def test_a_picture_is_uploaded_once_and_named_by_what_the_server_calls_it(
    server: Server, tmp_path: Path
) -> None:
    paths = []
    for name, colour in (("a", "red"), ("b", "blue")):
        paths.append(tmp_path / f"{name}.png")
        Image.new("RGB", (64, 48), colour).save(paths[-1])

    async def act(comfyui: ComfyUI) -> list[str]:
        names = [await comfyui.upload(path, "image/png") for path in (*paths, paths[0])]
        magi = order(
            model=MODELS[PICTURE_MODEL],
            image=names[0],
            resolution="480p",
            num_frames=24,
            num_inference_steps=8,
        )
        assert isinstance(await followed(comfyui, await sent(comfyui, magi)), Ready)
        return names

    red, blue, again = server.with_account(act)
    assert red == again != blue
    kept = server.get("/view", filename=red, type="input").content
    assert kept == paths[0].read_bytes()
    [request] = server.told("requests")["requests"]
    assert request["inputs"]["prompt"]["3"]["inputs"]["image_path"] == red
    assert request["endpoint"] == "comfyui/MagiProcess"


def test_a_refusal_names_node_and_input(server: Server) -> None:
    async def act(comfyui: ComfyUI) -> Any:
        return await comfyui.submit(order(num_frames=5000))

    refused = server.with_account(act)
    assert refused == Refused(
        "HTTP 400: node 1 (EmptyImage), batch_size: Value 5000 bigger than max of 4096"
    )


@pytest.mark.parametrize(
    ("error_type", "error", "transient"),
    [
        ("torch.OutOfMemoryError", "Allocation on device", True),
        ("RuntimeError", "CUDA error: an illegal memory access was encountered", True),
        ("FileNotFoundError", "no config.json", False),
        ("av.error.ExternalError", "width not divisible by 2", False),
    ],
)
def test_an_error_at_work_says_where_and_whether_it_may_pass(
    server: Server, error_type: str, error: str, transient: bool
) -> None:
    server.misbehave(at="job", do="fail", error_type=error_type, error=error)
    outcome = made(server, order())
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"node 3 (SaveVideo): {error_type}: {error}"
    assert (outcome.charged, outcome.transient) == ("no", transient)


@pytest.mark.parametrize("name", ["../../x.mp4", "/etc/passwd.mp4", "a\\b.mp4", "notes.txt", ""])
def test_a_hostile_name_in_the_history_is_never_fetched(server: Server, name: str) -> None:
    server.misbehave(at="result", do="private_url", url=name)
    outcome = made(server, order())
    if name:
        assert outcome == Failed("the workflow ended without a video file", "no")
    assert server.told("media-downloads")["downloads"] == []


def test_a_file_that_is_gone_is_said_to_be_gone(server: Server, tmp_path: Path) -> None:
    server.misbehave(at="media", do="not_found")

    async def act(comfyui: ComfyUI) -> object:
        ready = await followed(comfyui, await sent(comfyui, order()))
        assert isinstance(ready, Ready)
        return await download(
            comfyui.client, ready.media_url, tmp_path / "part", comfyui.trusted_hosts
        )

    assert isinstance(server.with_account(act), Vanished)


def test_before_a_run_a_missing_node_is_named_with_where_to_get_it(server: Server) -> None:
    server.misbehave(at="nodes", do="missing", match={"model": "MagiProcess"}, times=0)

    async def act(comfyui: ComfyUI) -> None:
        await comfyui.preflight([MODELS[BLANK], MODELS[PICTURE_MODEL]])

    with pytest.raises(InputError) as told:
        server.with_account(act)
    words = str(told.value)
    assert f"{PICTURE_MODEL}: it has no MagiProcess; install the MAGI-1 custom nodes" in words
    assert BLANK not in words


def test_before_a_run_every_shipped_workflow_is_taken(server: Server) -> None:
    ours = [model for name, model in MODELS.items() if name.startswith("comfyui/")]
    assert len(ours) == 3
    server.with_account(lambda comfyui: comfyui.preflight(ours))


def test_before_a_run_a_server_that_is_not_there_is_said_to_be() -> None:
    async def act() -> None:
        async with httpx.AsyncClient() as client:
            block = ComfyUIAccount(url="http://127.0.0.1:9")
            models: list[Model] = [MODELS[BLANK]]
            await block.provider(client, "comfyui", "x").preflight(models)

    with pytest.raises(InputError, match="does not answer"):
        asyncio.run(act())
