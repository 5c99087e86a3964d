"""The cutting room in a real browser: what is chosen is in the film; nobody else can choose.

The film is stitched by what the product stitches with; only Prefect's run around it is left out.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from PIL import Image

from blocks.errors import BudgetError
from blocks.files import sha256_file
from flows.caller import Caller
from flows.commands.review import Maker
from flows.deliver import Made
from flows.generate.all_clips import waiting
from flows.output.folder import LaidOut
from flows.planning.plan import Line, awaits_approval
from flows.shots import read_shots
from flows.shots.choices import Choice, choices_path, read_choices, write_choices
from flows.shots.job import jobs_of, stills_of
from flows.studio.cutting_room import CuttingRoom
from tests.e2e.film import frames_of
from tests.page.stage import Stage, quote

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LIST = "sequence,shot,prompt,takes,seed\nsea,a,a wave,2,\nsea,b,a gull,,5\n"
STILLS = (
    "sequence,shot,prompt,model,image_prompt,image_model\n"
    "sea,a,it rises,fal-ai/magi-distilled/image-to-video,a sea at dawn,fal-ai/nano-banana-pro\n"
)


class Room:
    """A stage whose film is made again from its list, and the cutting room of it."""

    def __init__(self, folder: Path) -> None:
        self.list = folder / "list.csv"
        self.list.write_text(LIST, "utf-8")
        self.stage = Stage(folder, str(self.list))
        self.make()
        path = choices_path(str(self.list))
        assert path
        self.choices = path
        self.budgets_usd: list[Decimal] = []
        self.may_make = threading.Event()
        self.may_make.set()
        self.served = CuttingRoom(str(self.list), path, self.stage.place.out, self.remake)

    def make(self) -> None:
        jobs = jobs_of(read_shots(str(self.list)), {}, live=False)
        self.stage.lines = [Line(job, quote(), "stored") for job in jobs]
        self.stage.buy()
        self.stage.stitch()
        self.stage.write()

    async def remake(self, budget_usd: Decimal, *, stills: bool) -> str:
        self.budgets_usd.append(budget_usd)
        await asyncio.to_thread(self.may_make.wait)
        await asyncio.to_thread(self.make)
        return "made"

    @property
    def chosen(self) -> dict[str, dict[str, object]]:
        return tomllib.loads(self.choices.read_text("utf-8")) if self.choices.exists() else {}

    def film_is(self, *clips: str) -> bool:
        out = self.stage.place.out
        paths = (out / "clips" / "sea" / f"{name}.mp4" for name in clips)
        return frames_of(self.stage.place.film) == frames_of(*paths)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def address(room: Room) -> Iterator[str]:
    with serving(room) as address:
        yield address


@contextmanager
def serving(room: Room) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(room.served.app(), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}{room.served.path}"
        server.should_exit = True
        thread.join(10)


def until(page: Page, true: str) -> None:
    """Asked from outside: the page's own policy forbids the browser's way to wait for it."""
    ends = time.monotonic() + 30
    while not page.evaluate(f"[document.getElementById('player')].every((player) => {true})"):
        assert time.monotonic() < ends, true
        page.wait_for_timeout(50)


def open_first_shot(page: Page) -> None:
    page.locator("#sheet .open").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()


def test_take_chosen_by_a_key_is_in_the_film_and_the_player_goes_on(
    room: Room, address: str, page: Page
) -> None:
    assert room.film_is("a.t1", "b")
    page.goto(address)
    until(page, "player.readyState > 0")
    open_first_shot(page)
    assert page.locator(".compare video").count() == 2
    page.evaluate("document.getElementById('player').currentTime = 1.5")
    page.keyboard.press("2")
    page.locator("[data-take='2'][aria-pressed='true']").wait_for()
    assert room.film_is("a.t2", "b")
    assert room.chosen == {"sea/a": {"take": 2}}
    assert room.budgets_usd == [0]
    until(page, "Math.abs(player.currentTime - 1.5) < 0.1")


def test_marks_and_notes_are_kept_beside_the_list(room: Room, address: str, page: Page) -> None:
    page.goto(address)
    open_first_shot(page)
    page.keyboard.press("a")
    page.get_by_text("Marked: approved").wait_for()
    page.keyboard.press("n")
    page.keyboard.type('the light "of the first"')
    page.keyboard.press("Tab")
    page.get_by_text("noted", exact=True).wait_for()
    assert room.chosen == {"sea/a": {"mark": "approved", "note": 'the light "of the first"'}}
    assert room.budgets_usd == []


def test_shot_that_is_marked_out_leaves_the_film_and_comes_back(
    room: Room, address: str, page: Page
) -> None:
    page.goto(address)
    open_first_shot(page)
    page.keyboard.press("o")
    page.locator("[aria-keyshortcuts=o][aria-pressed=true]").wait_for()
    assert room.film_is("b")
    page.keyboard.press("o")
    page.locator("[aria-keyshortcuts=o][aria-pressed=false]").wait_for()
    assert room.film_is("a.t1", "b")


def test_more_takes_show_their_price_and_need_a_budget(
    room: Room, address: str, page: Page
) -> None:
    page.goto(address)
    open_first_shot(page)
    form = page.locator("form.purchase")
    form.get_by_label("More takes").fill("2")
    assert "$0.64" in form.inner_text()
    form.get_by_label("Budget in USD").press("Enter")
    assert room.budgets_usd == []


def test_keys_pressed_while_something_is_made_come_after_it_and_buy_nothing_twice(
    room: Room, address: str, page: Page
) -> None:
    page.goto(address)
    open_first_shot(page)
    room.may_make.clear()
    budget = page.locator("form.purchase").get_by_label("Budget in USD")
    budget.fill("0.32")
    budget.press("Enter")
    page.get_by_text("Being made").wait_for()
    budget.press("Enter")
    page.get_by_text("ask for more once it is here").wait_for()
    page.get_by_role("button", name="again (g)").focus()
    page.keyboard.press("g")
    page.get_by_text("as soon as what is being made is here").wait_for()
    room.may_make.set()
    page.locator("[data-take='3'][aria-pressed='true']").wait_for()
    page.locator("[aria-keyshortcuts=g][aria-pressed=true]").wait_for()
    assert room.budgets_usd == [Decimal("0.32")]
    assert room.chosen == {"sea/a": {"takes": 3, "take": 3, "mark": "again"}}


class StillsRoom(Room):
    """A list whose two stills are here and whose clip waits."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.list = folder / "stills.csv"
        self.list.write_text(STILLS, "utf-8")
        path = choices_path(str(self.list))
        assert path
        self.choices = path
        write_choices(path, {"sea/a": Choice(stills=2, still=1)})
        self.stage = Stage(folder / "stills", str(self.list))
        self.served = CuttingRoom(str(self.list), path, self.stage.place.out, self.remake)
        self.bought_stills: list[bool] = []
        self.show()

    def show(self) -> None:
        jobs = jobs_of(read_shots(str(self.list)), {}, live=False)
        self.stage.lines = [Line(job, quote(), "waits") for job in jobs]
        self.stage.errors = {job.fingerprint: waiting(job) for job in jobs if awaits_approval(job)}
        self.stage.stills = [Line(still, quote(), "stored") for still in stills_of(jobs)]
        for line in self.stage.stills:
            target = self.stage.place.still(line.job, ".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (320, 180), (line.job.take * 60, 90, 120)).save(target)
            named = target.relative_to(self.stage.place.out).as_posix()
            self.stage.laid_out[line.job.fingerprint] = LaidOut(named, sha256_file(target))
        self.stage.write()

    async def remake(self, budget_usd: Decimal, *, stills: bool) -> str:
        self.budgets_usd.append(budget_usd)
        self.bought_stills.append(stills)
        await asyncio.to_thread(self.show)
        return "made"

    @property
    def awaits(self) -> list[bool]:
        jobs = jobs_of(read_shots(str(self.list)), {}, live=False)
        return [awaits_approval(job) for job in jobs]


@pytest.fixture
def stills_room(tmp_path: Path) -> StillsRoom:
    return StillsRoom(tmp_path)


def is_seen(page: Page, picture: str) -> None:
    image = page.locator(f"dialog {picture}").first
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320


def test_still_is_chosen_and_approved_by_keys_and_another_asked_for(
    stills_room: StillsRoom, page: Page
) -> None:
    room = stills_room
    with serving(room) as address:
        page.goto(address)
        page.locator("#sheet img[src^='data:image/webp']").wait_for()
        open_first_shot(page)
        is_seen(page, ".body > img")
        is_seen(page, "figure img")
        page.keyboard.press("2")
        page.locator("[data-still='2'][aria-pressed=true]").wait_for()
        page.keyboard.press("a")
        page.get_by_text("Still 2 is chosen and approved").wait_for()
        assert (room.chosen["sea/a"]["still"], room.awaits) == (2, [False])
        page.keyboard.press("m")
        page.keyboard.type("0.32")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.get_by_text("Still 2 is chosen and approved").wait_for()
        page.keyboard.press("a")
        page.get_by_text("The mark is gone").wait_for()
        assert room.awaits == [True]
        page.keyboard.press("s")
        page.keyboard.press("Tab")
        page.keyboard.type("0.15")
        page.keyboard.press("Enter")
        page.locator("[data-still='3'][aria-pressed=true]").wait_for()
    assert room.chosen["sea/a"]["stills"] == 3
    assert (room.budgets_usd, room.bought_stills) == (
        [Decimal("0.32"), Decimal("0.15")],
        [False, True],
    )


def test_page_from_disk_exports_the_approval_of_a_still_and_keeps_what_was_chosen_before(
    stills_room: StillsRoom, page: Page
) -> None:
    noted = {"sea/a": Choice(stills=2, still=1, mark="again", note="too dark")}
    write_choices(stills_room.choices, noted)
    stills_room.show()
    page.goto(stills_room.stage.place.report.as_uri())
    open_first_shot(page)
    is_seen(page, ".body > img")
    page.keyboard.press("2")
    page.keyboard.press("a")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export what was chosen").click()
    stills_room.choices.write_text(Path(caught.value.path()).read_text("utf-8"), "utf-8")
    assert stills_room.awaits == [False]
    chosen = read_choices(stills_room.choices)["sea/a"]
    assert (chosen.stills, chosen.still, chosen.note) == (2, 2, "too dark")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A page of another origin."""
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title>", "utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


# Without a console error: what a page may not read is rejected, and caught there.
ATTACK = """async ([room, type]) => {
  const body = new Blob(['{"shot": "sea/a", "take": 2}'], type ? { type } : {});
  const answer = await fetch(room, { method: "POST", mode: "no-cors", body }).catch(() => null);
  return answer ? answer.type : "refused";
}"""


def test_page_of_another_origin_changes_nothing(
    room: Room, address: str, elsewhere: str, browser: Browser
) -> None:
    """Even one that has come to know the address."""
    page = browser.new_page()
    page.goto(elsewhere)
    choose = address.replace("report.html", "choose")
    for kind in ("", "text/plain", "application/json"):
        assert page.evaluate(ATTACK, [choose, kind]) in ("opaque", "refused")
    page.close()
    assert (room.chosen, room.budgets_usd) == ({}, [])


def test_foreign_name_wrong_secret_and_other_types_are_refused(room: Room, address: str) -> None:
    choose = address.replace("report.html", "choose")
    asked = {"shot": "sea/a", "take": 2}
    url = urlsplit(address)
    with httpx.Client(trust_env=False) as client:
        assert client.get(address).status_code == 200
        assert client.get(address, headers={"Host": f"evil.example:{url.port}"}).status_code == 403
        assert client.get(f"http://{url.netloc}/report.html").status_code == 404
        assert client.get(address.replace("report.html", "..%2flist.csv")).status_code == 404
        foreign = {"Origin": "http://evil.example"}
        assert client.post(choose, json=asked, headers=foreign).status_code == 403
        assert client.post(choose, content=b'{"shot": "sea/a", "take": 2}').status_code == 415
        strange: list[object] = [{"shot": "sea/zz", "take": 1}, {"shot": "sea/a", "take": 9}, []]
        for wrong in strange:
            assert client.post(choose, json=wrong).status_code == 409
    assert (room.chosen, room.budgets_usd) == ({}, [])


def test_page_from_disk_exports_what_was_chosen(room: Room, page: Page) -> None:
    page.goto(room.stage.place.report.as_uri())
    open_first_shot(page)
    page.keyboard.press("2")
    page.keyboard.press("g")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export what was chosen").click()
    text = Path(caught.value.path()).read_text("utf-8")
    assert tomllib.loads(text) == {"sea/a": {"takes": 2, "take": 2, "mark": "again"}}
    room.choices.write_text(text, "utf-8")
    assert [shot.take for shot in read_shots(str(room.list))] == [2, 1]


def test_answer_comes_with_the_page_and_the_next_film_waits_for_the_end_of_the_one_before() -> None:
    order: list[str] = []

    async def scene() -> None:
        handed_over = asyncio.Event()

        async def run(caller: Caller, *, budget_usd: Decimal, stills: bool) -> Made:
            order.append(f"begins with {budget_usd}")
            if not budget_usd:
                caller.shown()
                await handed_over.wait()
            order.append("ends")
            raise BudgetError("Nothing is left.", remedy="")

        maker = Maker(run)
        assert await maker.remake(Decimal(0), stills=False) == "It is made."
        following = asyncio.create_task(maker.remake(Decimal(1), stills=True))
        await asyncio.sleep(0)
        handed_over.set()
        with pytest.raises(BudgetError):
            await following

    with ThreadPoolExecutor(1) as threads:  # in this one the browser's own loop is running
        threads.submit(lambda: asyncio.run(scene())).result()
    assert order == ["begins with 0", "ends", "begins with 1", "ends"]
