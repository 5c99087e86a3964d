"""The page in a real browser, opened from disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blocks.providers.base import Failed, Ticket
from flows.output.folder import Place
from flows.report.page.write import json_for_script
from flows.stitch.seams import Match, Seam
from tests.page.stage import FRAMES, RUN, Stage, intent_of, many, write_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = '</script><img src=x onerror="document.title=1"><!-- $title \u2028 <script> &'
SHOTS = f"""sequence,shot,prompt,takes,seed,model,notes
sea,010,a wave,,1,,
sea,020,a gull,2,5,,
sea,030,it fails,,3,,
land,010,"{HOSTILE.replace('"', '""')}",,9,,"{HOSTILE.replace('"', '""')}"
land,020,a field,,4,wavespeed-ai/magi-1-24b,
"""
REASON = f"the checker said {HOSTILE}"
MATCH = Match((1.1, 1, 1), (-9, 0.5, 0.5), 36)
SEAMS = (
    Seam("sea/010", "sea/020", FRAMES, "cut", True, 9.3, 1.2, 4),
    Seam("sea/020", "land/010", 2 * FRAMES, "cut", False, -31.5, 12, 0),
    Seam("land/010", "land/020", 3 * FRAMES, "dissolve", True, -8.2, 5.1, 0, MATCH),
)
"""To be looked at, another scene, and corrected."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = Stage(tmp_path_factory.mktemp("stage"), SHOTS, {"030": (REASON, "2")})
    stage.buy()
    stage.stitch()
    stage.seams = SEAMS
    stage.write()
    return stage


@pytest.fixture
def asked(page: Page) -> list[str]:
    """What the page asks for."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    return urls


@pytest.fixture
def opened(page: Page, asked: list[str], stage: Stage) -> Page:
    page.goto(stage.place.report.as_uri())
    return page


def shown(page: Page) -> list[str]:
    """The names of the shots that the sheet shows."""
    names = page.locator(".card:visible").evaluate_all(
        "cards => cards.map(card => card.querySelector('.name').textContent)"
    )
    return list(names)


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f"#filters [name='{name}']").select_option(value)


def film_time_s(page: Page) -> float:
    return float(page.locator("#player").evaluate("video => video.currentTime"))


def until(page: Page, condition: str) -> None:
    """Asked from outside: the page's own policy forbids the browser's way to wait for it."""
    for _ in range(300):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def test_it_opens_from_disk_and_asks_for_nothing_but_its_own_folder(
    opened: Page, asked: list[str], stage: Stage
) -> None:
    until(opened, "document.getElementById('player').readyState >= 2")
    folder = stage.place.out.as_uri() + "/"
    assert asked
    assert all(url.startswith(("data:image/", folder)) for url in asked), asked
    assert "shotreel" in opened.locator("footer").inner_text()


def test_the_page_may_run_its_own_script_and_no_other(opened: Page, stage: Stage) -> None:
    policy = opened.locator("meta[http-equiv]").get_attribute("content") or ""
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert re.fullmatch(r"('sha256-[^']+' ?)+", rules["script-src"])
    assert re.fullmatch(r"('sha256-[^']+' ?)+", rules["style-src"])
    assert rules["img-src"] == "data: 'self' file:"


def test_hostile_text_stays_text(opened: Page, stage: Stage) -> None:
    assert opened.title() == "list"
    assert opened.locator("img[src='x']").count() == 0
    opened.get_by_label("land/010, here: look at it").click()
    dialog = opened.get_by_role("dialog")
    assert HOSTILE in (dialog.locator(".words > p").text_content() or "")
    assert HOSTILE in (dialog.locator("dl").text_content() or "")
    opened.keyboard.press("Escape")
    assert HOSTILE in (opened.locator("#attention li").text_content() or "")


def test_no_text_can_end_the_script_that_holds_it() -> None:
    text = json_for_script({"prompt": HOSTILE + "]]> \ud800"})
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == {"prompt": HOSTILE + "]]> \ud800"}


def test_the_film_plays(opened: Page) -> None:
    until(opened, "document.getElementById('player').readyState >= 2")
    opened.locator("#player").evaluate("video => { video.muted = true; return video.play() }")
    until(opened, "document.getElementById('player').currentTime > 0.3")


def test_a_shot_is_found_in_the_film_to_the_frame(opened: Page, stage: Stage) -> None:
    until(opened, "document.getElementById('player').readyState >= 2")
    for shot in stage.report().shots:
        if not shot.film:
            continue
        opened.get_by_label(f"Show {shot.name} in the film").click()
        until(opened, "!document.getElementById('player').seeking")
        assert int(film_time_s(opened) * 24) == shot.film[0]
        until(opened, f"document.querySelector('#now h3').textContent === {json.dumps(shot.name)}")
        current = opened.locator("#strip [aria-current='true']")
        assert (current.get_attribute("title") or "").split(",")[0] == shot.name


def test_what_is_said_is_a_track_of_the_film(page: Page, tmp_path: Path) -> None:
    """Opened as a file, where a subtitle file beside the page could not be loaded."""
    said = "A <b>tower</b> & a gull"
    stage = Stage(tmp_path, f'shot,prompt,seed,dialogue\na,Sea,1,"{said}"\nb,Rock,2,\n')
    stage.buy()
    stage.stitch()
    stage.write()
    page.goto(stage.place.report.as_uri())
    until(page, "document.getElementById('player').readyState >= 2")
    cues = page.evaluate(
        "[...document.getElementById('player').textTracks].map(track => [track.mode,"
        " ...[...track.cues].map(c => [c.startTime, c.endTime, c.getCueAsHTML().textContent])])"
    )
    assert cues == [["showing", [0, 1, said]]]
    page.locator("#player").evaluate("video => { video.currentTime = 0.5 }")
    until(page, "document.getElementById('player').textTracks[0].activeCues.length === 1")


def test_a_click_on_the_strip_seeks_the_film(opened: Page) -> None:
    until(opened, "document.getElementById('player').readyState >= 2")
    opened.locator("#strip button").nth(2).click()
    until(opened, "!document.getElementById('player').seeking")
    assert int(film_time_s(opened) * 24) == 2 * FRAMES


def test_a_card_is_a_part_of_the_film_and_no_shot(page: Page, tmp_path: Path) -> None:
    rows = "sea,a,a wave,1,\nland,b,a field,2,The Land\n"
    stage = Stage(tmp_path, "sequence,shot,prompt,seed,sequence_title\n" + rows)
    stage.buy()
    stage.stitch()
    stage.write()
    page.goto(stage.place.report.as_uri())
    until(page, "document.getElementById('player').readyState >= 2")
    strip = page.locator("#strip button")
    titles = [button.get_attribute("title") for button in strip.all()]
    assert titles == ["sea/a", "Title of land", "land/b"]
    for number, (frame, name) in enumerate(((0, "sea/a"), (24, "Title of land"), (96, "land/b"))):
        strip.nth(number).click()
        until(page, "!document.getElementById('player').seeking")
        assert int(film_time_s(page) * 24) == frame
        until(page, f"document.querySelector('#now h3').textContent === '{name}'")


def test_a_shot_opens_with_its_clip_and_escape_closes_it(opened: Page) -> None:
    opened.get_by_label("sea/020.t2, here: look at it").click()
    dialog = opened.get_by_role("dialog")
    video = dialog.locator(".body > video")
    assert video.get_attribute("src") == "clips/sea/020.t2.mp4"
    until(opened, "document.querySelector('dialog video').readyState >= 2")
    facts = dialog.locator("dl").inner_text()
    for said in (
        "fal-ai/magi-distilled",
        "ordered in this run, not billed yet",
        "$0.32",
        "24 frames",
    ):
        assert said in facts
    assert "stored" in dialog.locator("table").inner_text()
    opened.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert opened.evaluate("document.activeElement.ariaLabel") == "sea/020.t2, here: look at it"


def test_a_failed_shot_says_why_and_what_to_do(opened: Page) -> None:
    opened.get_by_role("button", name="Show them in the sheet").click()
    assert shown(opened) == ["sea/030"]
    assert REASON in (opened.locator(".card:visible").text_content() or "")
    opened.locator(".card:visible .open").click()
    words = opened.get_by_role("dialog").inner_text()
    assert "Change the shot." in words
    assert "failed" in words


def test_what_is_not_billed_yet_does_not_read_as_not_bought_nor_the_other_way_round(
    page: Page, tmp_path: Path
) -> None:
    fates = ("here", "sent", "doubtful", "free", "waiting", "never")
    rows = "".join(f"{name},{name},{seed}\n" for seed, name in enumerate(fates, 1))
    stage = Stage(tmp_path, "shot,prompt,seed\n" + rows)
    ledger = stage.ledger
    ledger.start_run(RUN, "list", None)
    jobs = [line.job for line in stage.lines if line.job.shot.shot != "never"]
    reserved = ledger.reserve(list(map(intent_of, jobs)), RUN)
    sent = {}
    for job in jobs[:4]:
        claimed = ledger.claim(reserved[job.fingerprint], 10)
        assert claimed
        sent[job.shot.shot] = ledger.mark_submitted(claimed, Ticket(job.shot.shot))
    ledger.mark_ready(sent["here"], "https://media.test/clip.mp4", None)
    ledger.mark_failed(sent["doubtful"], Failed("it broke", "unknown"))
    ledger.mark_failed(sent["free"], Failed("it was down", "no"))

    report = stage.report()
    assert {shot.shot: shot.bill for shot in report.shots} == {
        "here": "not billed yet",
        "sent": "not billed yet",
        "doubtful": "not billed yet",
        "free": "not charged",
        "waiting": "not bought",
        "never": "not bought",
    }
    assert report.money.awaited_nano_usd == 2 * 32 * 10**7
    write_page(report, stage.place)
    page.goto(stage.place.report.as_uri())
    costs = page.locator(".card .cost").all_inner_texts()
    unbilled = ["$0.32", "not billed yet", "not billed yet"]
    assert costs == [*unbilled, "not charged", "not bought", "not bought"]
    words = page.locator("#cost-words").inner_text()
    assert "Orders that were estimated at $0.64 are not billed yet." in words
    for name, paid in (("sent", "ordered in this run, not billed yet"), ("never", "nothing was")):
        page.locator(f".card .open[aria-label^='main/{name}']").click()
        assert paid in page.get_by_role("dialog").locator("dl").inner_text()
        page.keyboard.press("Escape")


def test_filters_leave_what_fits(opened: Page) -> None:
    everything = shown(opened)
    assert len(everything) == 6
    opened.get_by_label("Find").fill("GULL")
    assert shown(opened) == ["sea/020.t1", "sea/020.t2"]
    assert opened.locator("#count").inner_text() == "2 of 6 clips, $0.64"
    opened.get_by_label("Find").fill("")
    choose(opened, "sequence", "=land")
    assert shown(opened) == ["land/010", "land/020"]
    choose(opened, "model", "=wavespeed-ai/magi-1-24b")
    assert shown(opened) == ["land/020"]
    choose(opened, "state", "=failed")
    assert shown(opened) == []
    assert opened.get_by_text("No shot is like that.").is_visible()
    opened.get_by_role("button", name="Show all").click()
    until(opened, "document.querySelectorAll('.card:not([hidden])').length === 6")
    assert shown(opened) == everything


def test_the_list_shows_a_shot_a_row(opened: Page) -> None:
    opened.get_by_label("List", exact=True).check(force=True)
    for card in opened.locator(".card:visible").all():
        parts = [card.locator(part) for part in (".open", ".name", ".prompt", ".facts", ".cost")]
        boxes = [box for part in parts if (box := part.bounding_box())]
        assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)
        assert max(box["y"] for box in boxes) < min(box["y"] + box["height"] for box in boxes)


def test_shots_are_put_in_order(opened: Page) -> None:
    choose(opened, "order", "state")
    assert shown(opened)[0] == "sea/030"
    choose(opened, "order", "name")
    assert shown(opened) == sorted(shown(opened))
    choose(opened, "order", "list")
    assert shown(opened)[0] == "sea/010"


def test_the_keyboard_reaches_everything(opened: Page) -> None:
    reached: list[str] = []
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached.append(
            opened.evaluate(
                "(() => { const e = document.activeElement; return e.id || e.name || e.ariaLabel"
                " || e.textContent.trim() })()"
            )
        )
    for stop in (
        "Skip to the shots",
        "Film",
        "player",
        "Look at the shot",
        "text",
        "sequence",
        "model",
        "state",
        "order",
        "view",
        "sea/010, here: look at it",
        "By sequence",
        "Zoom in",
        "Whole run",
    ):
        assert stop in reached, (stop, reached)


def test_arrow_keys_move_between_shots_and_enter_opens_one(opened: Page) -> None:
    opened.get_by_label("sea/010, here: look at it").focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate("document.activeElement.ariaLabel").startswith("sea/020.t2")
    opened.keyboard.press("Home")
    opened.keyboard.press("Enter")
    assert opened.get_by_role("dialog").get_by_role("heading").first.inner_text() == "sea/010"
    opened.keyboard.press("ArrowRight")
    assert opened.get_by_role("dialog").get_by_role("heading").first.inner_text() == "sea/020.t1"


def test_the_charts_speak_of_the_shots_that_are_shown(opened: Page) -> None:
    assert opened.locator("#times canvas").count() == 3
    said = "document.querySelector('.gantt').ariaLabel"
    # The film is a row too.
    assert "7 rows" in opened.evaluate(said)
    opened.get_by_label("Find").fill("gull")
    until(opened, f"{said}.includes('3 rows')")
    assert "At the provider" in opened.locator("#times table").inner_text()


def seam_rows(page: Page) -> list[list[str]]:
    """What is written in each row of the table of seams."""
    rows = page.locator("#seams tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return list(rows)


def test_a_seam_that_stands_out_is_shown_with_what_was_measured_and_done(opened: Page) -> None:
    assert opened.locator("#seams-count").inner_text() == "1 of 3 seams to look at; 1 corrected"
    step = ["sea/010 to sea/020.t1", "0:01.0", "cut", "+9.3", "1.2", "4", "no"]
    matched = ["land/010 to land/020", "0:03.0", "dissolve", "\u22128.2", "5.1", "0"]
    assert seam_rows(opened) == [step, [*matched, "over 36 frames"]]
    assert opened.locator("#seams td.warn").all_inner_texts() == ["+9.3", "1.2", "4"]
    [marked] = opened.locator("#strip button.seam").all()
    assert marked.get_attribute("title") == "sea/020.t1, its seam is to look at"


def test_every_seam_can_be_asked_for_and_is_shown_where_it_is_in_the_film(opened: Page) -> None:
    until(opened, "document.getElementById('player').readyState >= 2")
    opened.get_by_role("button", name="All 3 seams").click()
    assert [row[3] for row in seam_rows(opened)] == ["+9.3", "\u221231.5", "\u22128.2"]
    opened.get_by_role("button", name="sea/020 to land/010").click()
    until(opened, "!document.getElementById('player').seeking")
    assert int(film_time_s(opened) * 24) == 2 * FRAMES - 24
    opened.get_by_label("land/010, here: look at it").click()
    facts = opened.get_by_role("dialog").locator("dl").inner_text()
    assert "cut from sea/020, light \u221231.5, colour 12.0" in facts


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(
    page: Page, stage: Stage, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(stage.place.report.as_uri())
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    page.get_by_label("List", exact=True).check(force=True)
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (css) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility()) continue;
    if (node.closest('.frame, .seek, option, noscript')) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(rgb(style.color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${node.tagName} ${node.className} ${style.color} ${ratio}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(
    page: Page, stage: Stage, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(stage.place.report.as_uri())
    assert page.evaluate(CONTRAST) == []


def test_two_thousand_shots_are_drawn_and_filtered(page: Page, stage: Stage) -> None:
    place = Place(stage.folder / "many")
    write_page(many(stage.report(), 2_000), place)
    place.film.symlink_to(stage.place.film)
    page.goto(place.report.as_uri())
    assert page.locator("#seams-count").inner_text().startswith("199 of 1,999 seams to look at")
    assert page.locator("#seams tbody tr").count() == 199
    assert page.locator("#strip button").count() == 25
    title = page.locator("#strip button").nth(1).get_attribute("title")
    assert title == "Sequence reel-01, 8 seams to look at"
    assert page.locator("#count").inner_text().startswith("2,000 clips")
    assert page.locator(".card").count() == 2_000
    page.get_by_label("Find").fill("number 1234 of")
    assert shown(page) == ["reel-15/034"]
    page.get_by_label("Find").fill("")
    choose(page, "sequence", "=reel-24")
    assert len(shown(page)) == 80
    choose(page, "order", "name")
    choose(page, "sequence", "")
    assert page.locator(".card:not([hidden])").count() == 2_000


def test_the_printed_page_shows_what_the_screen_shows(opened: Page, tmp_path: Path) -> None:
    opened.emulate_media(media="print")
    for gone in (".filters", "#player", ".top nav", "#strip"):
        assert not opened.locator(gone).is_visible()
    assert len(shown(opened)) == 6
    assert opened.pdf(path=str(tmp_path / "page.pdf")).startswith(b"%PDF")
