"""A server behind a password: it is sent where it belongs, and shown nowhere."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from blocks import settings
from blocks.errors import InputError
from blocks.providers.base import Again, Paused, Polled, Ready, Submitted, Ticket
from blocks.providers.catalogue import MODELS
from blocks.providers.comfyui.account import ComfyUI, ComfyUIAccount
from flows.planning.plan import Plan
from tests.comfyui.conftest import BLANK, Server, followed, order, sent
from tests.generate.studio import Studio, write
from tests.web import web

PASSWORD = "s3cret/p@ss w0rd"
QUOTED = "s3cret%2Fp%40ss%20w0rd"
PAIR = b64encode(f"me:{PASSWORD}".encode()).decode()
SECRETS = (PASSWORD, QUOTED, PAIR)


@pytest.fixture
def guarded(server: Server) -> Iterator[str]:
    """The port of a proxy before the sandbox that wants the password."""

    class Doorman(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Basic {PAIR}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passed = {n: v for n, v in self.headers.items() if n in ("Range", "Content-Type")}
            url = server.sandbox.url + self.path
            answer = web.request(self.command, url, content=body, headers=passed, timeout=30)
            self.send_response(answer.status_code)
            for name in ("content-type", "content-range", "content-length", "etag"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - the handler's name

        def log_message(self, *args: object) -> None:
            pass

    doorman = ThreadingHTTPServer(("127.0.0.1", 0), Doorman)
    Thread(target=doorman.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{doorman.server_address[1]}"
    doorman.shutdown()
    doorman.server_close()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text


def test_a_clip_comes_home_from_behind_a_password_that_nothing_keeps(
    server: Server,
    guarded: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHOTREEL_SANDBOX_URL", f"http://me:{QUOTED}@{guarded}")
    monkeypatch.chdir(tmp_path)
    shots = write(tmp_path / "list.csv", "shot,model,prompt,num_frames", f"a,{BLANK},blue,8")
    studio = Studio(server.sandbox)
    assert isinstance(studio.plan(shots), Plan)
    assert studio.make(shots).clip("a").num_frames == 8
    kept = [f.read_bytes() for f in (tmp_path / "home").rglob("*") if f.is_file()]
    assert any(b"/view?filename=" in content for content in kept)
    for secret in SECRETS:
        assert not any(secret.encode() in content for content in kept)
        assert secret not in log()


def test_an_account_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_URL", f"http://me:{QUOTED}@gpu:8188/comfy")
    for block in (ComfyUIAccount(), ComfyUIAccount(url=f"http://me:{QUOTED}@gpu:8188/comfy")):
        assert (block.url, block.user) == ("http://gpu:8188/comfy", "me")
        assert block.password.get_secret_value() == PASSWORD
        for shown in (repr(block), str(block), block.model_dump_json()):
            assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize("url", ["me:hunter2@gpu:8188", "ftp://me:hunter2@gpu", "me:hun@ter2@gpu"])
def test_a_url_that_cannot_be_used_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("COMFYUI_URL", url)
    with pytest.raises(InputError) as told:
        settings.url("COMFYUI_URL")
    assert "hun" not in str(told.value)
    assert "gpu" in str(told.value)


def test_a_password_with_a_slash_is_asked_for_in_another_form() -> None:
    with pytest.raises(InputError, match="@ behind its host") as told:
        ComfyUIAccount(url="http://me:hun/ter2@gpu:8188")
    assert "ter2" not in str(told.value) + str(told.value.remedy)


@pytest.mark.parametrize("pair", ["", "me:wrong-word@"])
def test_a_server_that_wants_a_password_is_said_to_want_one(
    server: Server, guarded: str, pair: str
) -> None:
    closed = Server(server.sandbox)
    closed.url = f"http://{pair}{guarded}/comfyui"

    async def act(comfyui: ComfyUI) -> tuple[Submitted, Polled]:
        with pytest.raises(InputError, match="HTTP 401, it wants a name and a password") as told:
            await comfyui.preflight([MODELS[BLANK]])
        assert "wrong-word" not in str(told.value) + str(told.value.remedy)
        return await comfyui.submit(order()), await comfyui.poll(MODELS[BLANK], Ticket("x"))

    submitted, polled = closed.with_account(act)
    closed.client.close()
    assert isinstance(submitted, Paused)
    assert isinstance(polled, Again)
    for outcome in (submitted, polled):
        assert outcome.reason.startswith("HTTP 401, it wants a name and a password")


def test_another_server_at_the_address_is_said_to_be_another(server: Server) -> None:
    other = Server(server.sandbox)
    other.url = server.sandbox.url + "/nowhere"

    async def act(comfyui: ComfyUI) -> Submitted:
        with pytest.raises(InputError, match="HTTP 404, there is no ComfyUI at this address"):
            await comfyui.preflight([MODELS[BLANK]])
        return await comfyui.submit(order())

    submitted = other.with_account(act)
    other.client.close()
    assert isinstance(submitted, Paused)
    assert "there is no ComfyUI at this address" in submitted.reason


def test_the_password_goes_to_its_own_server_alone(server: Server, guarded: str) -> None:
    inside = Server(server.sandbox)
    inside.url = f"http://me:{QUOTED}@{guarded}/comfyui"

    async def act(comfyui: ComfyUI) -> Polled:
        assert comfyui.media_auth("http://127.0.0.1:9/view") == {}
        assert comfyui.media_auth(f"http://{guarded}/x") == {"Authorization": f"Basic {PAIR}"}
        return await followed(comfyui, await sent(comfyui, order()))

    ready = inside.with_account(act)
    inside.client.close()
    assert isinstance(ready, Ready)
    assert ready.media_url.startswith(f"http://{guarded}/comfyui/view?")
