"""One studio for all tests, as `shotreel up` brings it up, and a browser that looks at its UI."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from flows.studio.api import server
from flows.studio.place import State, StudioPlace
from tests.e2e.prefect_server import until
from tests.e2e.world import SHOTREEL, Done, free_port
from tests.web import web
from tests.zygote import clean_environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

UP_S = 400
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PICTURES = os.environ.get("SHOTREEL_TEST_PICTURES")
"""A folder where the browser's views are kept, for a person to look at."""


@dataclass
class Home:
    """A user's folder with a studio in it."""

    folder: Path
    env: dict[str, str]
    port: int
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def place(self) -> StudioPlace:
        return StudioPlace(self.folder / ".shotreel")

    @property
    def state(self) -> State:
        state = self.place.read()
        assert state is not None
        return state

    def run(self, *arguments: str, **env: str) -> Done:
        """Run `shotreel` there, as from a script: nobody is at the terminal."""
        done = subprocess.run(
            [SHOTREEL, *arguments],
            check=False,
            cwd=self.folder,
            env=clean_environment() | self.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=UP_S,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return name

    # what Prefect knows -----------------------------------------------------------------------

    @cached_property
    def prefect(self) -> httpx.Client:
        return self.stack.enter_context(server(self.state.api_url))

    def api(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.prefect.request(method, f"/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"deployments/name/{name}/{name}")
        return found

    def submit(self, name: str, run_name: str | None = None, **parameters: Any) -> str:
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        given = {"parameters": parameters} | ({"name": run_name} if run_name else {})
        return str(self.api("POST", path, given)["id"])

    def flow_run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"flow_runs/{run_id}")
        return found

    def until_state(self, run_id: str, *wanted: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            run = self.flow_run(run_id)
            assert run["state_type"] in wanted or run["state_type"] not in ENDED, run["state"]
            return run if run["state_type"] in wanted else None

        found: dict[str, Any] = until(look)
        return found

    def until_asked(self, run_id: str, *, after: str = "") -> str:
        """Waits for the form of a question that is not `after`; gives the pause's key.

        Prefect's server drops what is saved for a pause when it begins: the form comes right after.
        """

        def look() -> str:
            details = self.until_state(run_id, "PAUSED")["state"]["state_details"]
            kept = self.api(
                "POST", f"flow_runs/{run_id}/input/filter", {"prefix": "paused-", "limit": 20}
            )
            wanted = {details["run_input_keyset"][name] for name in ("schema", "description")}
            there = wanted <= {each["key"] for each in kept} and details["pause_key"] != after
            return str(details["pause_key"]) if there else ""

        found: str = until(look)
        return found

    def artifacts(self, run_id: str) -> dict[str, Any]:
        wanted = {"flow_runs": {"id": {"any_": [run_id]}}}
        return {a["key"]: a["data"] for a in self.api("POST", "artifacts/filter", wanted)}

    def logs(self, run_id: str) -> list[str]:
        wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}
        return [line["message"] for line in self.api("POST", "logs/filter", wanted)]

    # what the sandbox and the ledger know -------------------------------------------------------

    def told(self, what: str) -> dict[str, Any]:
        found: dict[str, Any] = web.get(f"{self.state.sandbox_url}/sandbox/{what}").json()
        return found

    @property
    def posts(self) -> int:
        return int(self.told("posts")["total"])

    @property
    def charged_usd(self) -> Decimal:
        return Decimal(self.told("charges")["cost_usd"])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """None as long as no run has opened the ledger."""
        ledger = self.place.home / "ledger.sqlite"
        if not ledger.exists():
            return []
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            made = "SELECT name FROM sqlite_master WHERE name = 'attempts'"
            return (
                connection.execute(query).fetchall() if connection.execute(made).fetchall() else []
            )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Up as long as the tests last; what a test stops, it brings up again."""
    home = Home(
        tmp_path_factory.mktemp("films"),
        {"SHOTREEL_SANDBOX_LATENCY_S": "0.5", "SHOTREEL_QUIET_S": "1"},
        free_port(),
    )
    try:
        done = home.run("up", "--port", str(home.port))
        log = home.place.log("keeper")
        assert done.code == 0, done.err + (log.read_text() if log.exists() else "")
        assert f"http://127.0.0.1:{home.port}" in done.out
        yield home
    finally:
        home.stack.close()
        home.run("down")


@pytest.fixture
def ui(browser: Browser, home: Home) -> Iterator[Page]:
    """The UI, cut off from the outside: Prefect's V2 UI asks a host of Amplitude's.

    That it also asks for what is not there (icons, names that are free) is how it works.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def at_home(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            route.fulfill(status=200, json={})

    page.route("**/*", at_home)
    page.set_default_timeout(60_000)
    yield page
    picture(page, "last")
    context.close()
    assert not errors, errors


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(700)
        page.screenshot(path=f"{PICTURES}/{name}.png")


def table(data: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(data)
    return found


def shot_list(name: str, count: int) -> str:
    return "sequence,shot,prompt\n" + "".join(f"{name},{n},{name} {n}\n" for n in range(count))
