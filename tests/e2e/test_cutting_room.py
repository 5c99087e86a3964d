"""The cutting room in a real browser: what is chosen is in the film; nobody else can choose."""

from __future__ import annotations

import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import NewWorld
from tests.e2e.film import frames_of
from tests.e2e.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIST = "shot,prompt,model,num_frames,resolution,takes\n"
LIST += "a,Sea,fal-ai/magi-distilled,96,480p,2\nb,Rock,fal-ai/magi-distilled,96,480p,\n"
WAIT_MS = 90_000


@pytest.fixture(scope="module")
def made(new_world: NewWorld) -> World:
    world = new_world()
    world.make(world.write(LIST))
    return world


@pytest.fixture
def address(made: World) -> Iterator[str]:
    """Of the cutting room of the list, as the command prints it."""
    review = made.start("review", "list.csv", PYTHONUNBUFFERED="1")
    try:
        assert review.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+", review.stdout.readline())
        assert found, review.stderr and review.stderr.read()
        yield found[0]
    finally:
        review.terminate()
        try:
            review.wait(20)
        except subprocess.TimeoutExpired:
            review.kill()
        (made.folder / "list.choices.toml").unlink(missing_ok=True)


def chosen_in(world: World) -> dict[str, dict[str, object]]:
    path = world.folder / "list.choices.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def open_first_shot(page: Page) -> None:
    """By the keyboard alone: the sheet's first card is one Tab away from the link to it."""
    page.locator("#sheet .open").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()


def test_take_chosen_by_a_key_is_in_the_film_and_the_player_goes_on(
    made: World, address: str, page: Page
) -> None:
    out, charged = made.folder / "out" / "list", made.charged
    clips = out / "clips" / "main"
    page.goto(address)
    page.wait_for_function("document.getElementById('player').readyState > 0")
    page.evaluate("document.getElementById('player').currentTime = 5")
    open_first_shot(page)
    assert page.locator(".compare video").count() == 2
    with page.expect_navigation(timeout=WAIT_MS):
        page.keyboard.press("2")
    page.locator("[data-take='2'][aria-pressed='true']").wait_for(timeout=WAIT_MS)
    assert frames_of(out / "film.mp4") == frames_of(clips / "a.t2.mp4", clips / "b.mp4")
    assert chosen_in(made) == {"main/a": {"take": 2}}
    page.wait_for_function("Math.abs(document.getElementById('player').currentTime - 5) < 0.1")
    assert made.charged == charged


def test_marks_and_notes_are_kept_beside_the_list(made: World, address: str, page: Page) -> None:
    page.goto(address)
    open_first_shot(page)
    page.keyboard.press("a")
    page.get_by_text("Marked: approved").wait_for()
    page.keyboard.press("n")
    page.keyboard.type('the light "of the first"')
    page.keyboard.press("Tab")
    page.get_by_text("noted").wait_for()
    marked = {"mark": "approved", "note": 'the light "of the first"'}
    assert chosen_in(made) == {"main/a": marked}


def test_more_takes_are_made_within_the_budget_that_is_given(
    made: World, address: str, page: Page
) -> None:
    charged = made.charged[1]
    page.goto(address)
    open_first_shot(page)
    form = page.locator("form.more")
    assert "$0.16" in form.inner_text()
    form.get_by_label("Budget in USD").fill("0.10")
    form.get_by_label("Budget in USD").press("Enter")
    page.get_by_text("The plan costs $0.16").wait_for(timeout=WAIT_MS)
    assert made.charged[1] == charged
    assert chosen_in(made) == {}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A page of another origin."""
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title>", "utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


ATTACK = """async ([room, type]) => {
  const body = new Blob(['{"shot": "main/a", "take": 2}'], type ? { type } : {});
  try {
    const answer = await fetch(room, { method: "POST", mode: type ? "cors" : "no-cors", body });
    return answer.type === "opaque" ? "sent, unread" : String(answer.status);
  } catch { return "refused"; }
}"""


def test_page_of_another_origin_changes_nothing(
    made: World, address: str, elsewhere: str, page: Page
) -> None:
    """Even one that has come to know the address."""
    page.goto(elsewhere)
    room = address.replace("report.html", "choose")
    for kind in ("", "text/plain", "application/json"):
        assert page.evaluate(ATTACK, [room, kind]) in ("sent, unread", "refused", "403")
    assert chosen_in(made) == {}


def test_foreign_name_wrong_secret_and_other_types_are_refused(made: World, address: str) -> None:
    room = address.replace("report.html", "choose")
    asked = {"shot": "main/a", "take": 2}
    url = urlsplit(address)
    with httpx.Client(trust_env=False) as client:
        assert client.get(address, headers={"Host": f"evil.example:{url.port}"}).status_code == 403
        assert client.get(f"http://{url.netloc}/report.html").status_code == 404
        assert client.get(address.replace("report.html", "..%2f..%2flist.csv")).status_code == 404
        foreign = {"Origin": "http://evil.example"}
        assert client.post(room, json=asked, headers=foreign).status_code == 403
        assert client.post(room, content=b'{"shot": "main/a", "take": 2}').status_code == 415
        assert client.post(room, json={"shot": "main/zz", "take": 1}).status_code == 409
        assert client.post(room, json={"shot": "main/a", "take": 9}).status_code == 409
    assert chosen_in(made) == {}


def test_page_from_disk_exports_what_was_chosen(made: World, page: Page) -> None:
    page.goto((made.folder / "out" / "list" / "report.html").as_uri())
    open_first_shot(page)
    page.keyboard.press("2")
    page.keyboard.press("g")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export what was chosen").click()
    text = Path(caught.value.path()).read_text("utf-8")
    assert tomllib.loads(text) == {"main/a": {"takes": 2, "take": 2, "mark": "again"}}
    (made.folder / "list.choices.toml").write_text(text, "utf-8")
    try:
        assert made.run("plan", "list.csv", "--json").json["to_buy"] == 0
    finally:
        (made.folder / "list.choices.toml").unlink()
