"""A page that somebody else wrote, in a browser of the machine where Prefect's server runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from flows.studio import api
from flows.studio.keeper import environment, parts_of
from flows.studio.place import State, StudioPlace
from tests.browser import CHROMIUM
from tests.e2e.prefect_server import stop
from tests.e2e.world import absent, free_port
from tests.web import web
from tests.zygote import clean_environment

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = "evil.example"
START_S = 120

# What a page can send to another origin without being asked about it first, and more.
ATTACK = """
async ({api, deployment}) => {
  const wanted = {
    name: 'evil', enabled: true,
    trigger: {type: 'event', posture: 'Reactive', threshold: 1, within: 0,
              expect: ['prefect.deployment.ready']},
    actions: [{type: 'run-deployment', source: 'inferred',
               parameters: {live: true, budget_usd: 5}, job_variables: {command: 'touch /tmp/x'}}]};
  const run = {name: 'evil', state: {type: 'SCHEDULED'}};
  const bodies = [
    body => new Blob([body]),
    body => new Blob([body], {type: 'text/plain'}),
    body => new TextEncoder().encode(body),
    body => new Blob([body], {type: 'application/json'}),
  ];
  for (const mode of ['no-cors', 'cors'])
    for (const made of bodies)
      for (const [path, body] of [['automations/', wanted],
                                  [`deployments/${deployment}/create_flow_run`, run]])
        try { await fetch(api + path, {method: 'POST', mode, credentials: 'include',
                                       body: made(JSON.stringify(body))}); } catch {}
  for (const enctype of ['text/plain', 'application/x-www-form-urlencoded']) {
    const frame = document.body.appendChild(document.createElement('iframe'));
    const form = frame.contentDocument.createElement('form');
    Object.assign(form, {method: 'POST', enctype, action: api + 'automations/'});
    const field = frame.contentDocument.createElement('input');
    Object.assign(field, {name: JSON.stringify(wanted).slice(0, -1) + ',"x":"', value: '"}'});
    form.append(field);
    frame.contentDocument.body.append(form);
    form.submit();
  }
  navigator.sendBeacon(api + 'automations/', new Blob([JSON.stringify(wanted)]));
  const read = [];
  for (const path of ['admin/version', 'csrf-token?client=evil'])
    try {
      const answer = await fetch(api + path);
      if (answer.ok) read.push(await answer.text());
    } catch {}
  const opened = [];
  for (const protocols of [[], ['prefect']])
    for (const path of ['events/in', 'events/out', 'logs/out'])
      opened.push(await new Promise(done => {
        const socket = new WebSocket(api.replace('http', 'ws') + path, protocols);
        socket.onopen = () => done(true);
        socket.onerror = () => done(false);
      }));
  await new Promise(done => setTimeout(done, 1000));
  return {read, opened};
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """Prefect's server exactly as the studio starts it."""
    place = StudioPlace(tmp_path_factory.mktemp("home"))
    place.make()
    state = State("starting", free_port(), free_port(), str(place.home), "test")
    part = parts_of(place, state, environment(place, state, clean_environment()))["server"]
    place.log("server").parent.mkdir()
    with place.log("server").open("wb") as log:
        process = subprocess.Popen(
            part.command, cwd=part.folder, env=part.env, stdout=log, stderr=log
        )
    try:
        limit = time.monotonic() + START_S
        while not answers(state):
            said = place.log("server").read_text("utf-8", "replace")
            assert process.poll() is None and time.monotonic() < limit, said
            time.sleep(0.2)
        yield state
    finally:
        stop(process)


def answers(state: State) -> bool:
    try:
        return web.get(f"{state.api_url}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def deployment(server: State) -> str:
    with api.server(server.api_url) as client:
        flow = client.post("/flows/", json={"name": "make-film"}).json()
        wanted = {"name": "make-film", "flow_id": flow["id"], "enforce_parameter_schema": False}
        return str(client.post("/deployments/", json=wanted).raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of a web site that has nothing to do with the server."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title><body>")

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield int(site.server_address[1])
        site.shutdown()


@pytest.fixture
def page() -> Iterator[Page]:
    """Of a browser to which EVIL is this machine, as its owner's name server would say."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        absent("no browser: install chromium")
    from playwright.sync_api import sync_playwright

    arguments = ["--disable-gpu", f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"]
    arguments += ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser.new_page()
        browser.close()


def made(state: State) -> list[Any]:
    """What a page could have made."""
    with api.server(state.api_url) as client:
        return [
            *api.read(client, "/automations/filter", {}),
            *api.read(client, "/flow_runs/filter", {}),
        ]


def attack(page: Page, site: str, state: State, deployment: str, host: str) -> list[int]:
    """The statuses of its POSTs. It reads nothing, hears nothing, and makes nothing."""
    statuses: list[int] = []
    page.on(
        "response",
        lambda answer: statuses.append(answer.status) if answer.request.method == "POST" else None,
    )
    page.goto(site)
    base = f"http://{host}:{state.port}/api/"
    got = page.evaluate(ATTACK, {"api": base, "deployment": deployment})
    assert made(state) == []
    assert got["read"] == [] and not any(got["opened"]), got
    return statuses


def test_a_foreign_page_can_neither_ask_nor_read_nor_listen(
    page: Page, server: State, deployment: str, elsewhere: int
) -> None:
    site = f"http://127.0.0.1:{elsewhere}/"
    statuses = attack(page, site, server, deployment, "127.0.0.1")
    assert len(statuses) > 8 and set(statuses) <= {400, 403}, statuses


def test_a_page_whose_name_points_here_is_not_the_servers_own(
    page: Page, server: State, deployment: str
) -> None:
    answer = page.goto(f"http://{EVIL}:{server.port}/")
    assert answer and answer.status == 403
    statuses = attack(page, page.url, server, deployment, EVIL)
    assert len(statuses) > 8 and set(statuses) == {403}, statuses


def test_a_person_starts_a_run_from_the_servers_own_pages(
    page: Page, server: State, deployment: str
) -> None:
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"http://{host}:{server.port}/v2/deployments/deployment/{deployment}")
        page.get_by_role("button", name="Run", exact=True).click()
        with page.expect_response(lambda answer: "create_flow_run" in answer.url) as sent:
            page.get_by_text("Quick run").click()
        assert sent.value.status == 201, sent.value.text()
    runs = made(server)
    assert len(runs) == 2
    with api.server(server.api_url) as client:
        for run in runs:
            client.delete(f"/flow_runs/{run['id']}").raise_for_status()


def test_no_other_page_shows_the_servers_pages_in_a_frame(
    page: Page, server: State, elsewhere: int
) -> None:
    page.goto(f"http://127.0.0.1:{elsewhere}/")
    page.evaluate(
        """url => new Promise(done => {
          const frame = document.createElement('iframe');
          Object.assign(frame, {src: url, onload: done});
          document.body.append(frame);
        })""",
        f"{server.ui_url}/v2/deployments",
    )
    assert page.frames[1].url.startswith("chrome-error:")
