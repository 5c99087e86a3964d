"""The studio in a browser, with a real Prefect server and a real worker."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.home.conftest import Home, picture, table

pytestmark = pytest.mark.studio

if TYPE_CHECKING:
    from playwright.sync_api import Page

SOON_MS = 60_000
LIST = "sequence,shot,prompt,seed\nsea,a,Sea,1\nsea,b,Rock,2\nsky,c,Clouds,3\n"


def open_form(ui: Page, home: Home, name: str) -> None:
    """As a person gets there from the first page."""
    ui.goto(home.state.ui_url)
    ui.get_by_role("link", name="Deployments").click()
    ui.locator("a[href*='/deployment/']", has_text=re.compile(f"^{name}$")).click()
    ui.get_by_role("button", name="Run", exact=True).click()
    ui.get_by_text("Custom run").click()
    expect(ui.get_by_role("heading", name="Parameters")).to_be_visible()


def open_menu(ui: Page) -> None:
    ui.locator("button:has(svg.lucide-ellipsis-vertical)").last.click()


def test_a_film_is_made_from_the_ui_and_bought_after_approval_only(ui: Page, home: Home) -> None:
    before = (home.posts, home.charged_usd, home.rows("SELECT id FROM attempts"))
    open_form(ui, home, "make-film")
    picture(ui, "form")
    ui.get_by_label("Shot list").fill(LIST)
    ui.get_by_label("Budget (USD)").fill("2.5")
    ui.get_by_label("Ask before buying").fill("0.5")
    ui.get_by_role("button", name="Submit").click()
    ui.get_by_role("button", name="View run").click()
    run_id = re.findall(r"[0-9a-f-]{36}", ui.url)[-1]
    home.until_state(run_id, "PAUSED")
    ui.reload()  # the page looks for new lines only while a run is running
    told = ui.get_by_text("3 clips would cost $0.96, which is above $0.50.")
    expect(told).to_be_visible(timeout=SOON_MS)
    picture(ui, "paused")
    assert (home.posts, home.charged_usd, home.rows("SELECT id FROM attempts")) == before

    open_menu(ui)
    ui.get_by_role("menuitem", name="Resume").click()
    dialog = ui.get_by_role("dialog")
    expect(dialog.get_by_role("cell", name="sea/b")).to_be_visible()
    dialog.get_by_role("button", name="Select").click()
    ui.get_by_role("option", name="approve").click()
    dialog.get_by_label("Leave out").fill("sky")
    picture(ui, "approval")
    dialog.get_by_role("button", name="Resume").click()
    expect(dialog).to_be_hidden(timeout=SOON_MS)
    home.until_state(run_id, "COMPLETED")
    ui.reload()
    assert home.charged_usd - before[1] == Decimal("0.64")
    expect(ui.get_by_text("Completed").first).to_be_visible(timeout=SOON_MS)
    expect(ui.get_by_text("(2 of 2)")).to_have_count(1, timeout=SOON_MS)
    picture(ui, "completed")

    ui.get_by_role("tab", name="Artifacts").click()
    ui.wait_for_timeout(1500)
    picture(ui, "artifacts")
    artifacts = home.artifacts(run_id)
    assert [row["shot"] for row in table(artifacts["bill"])] == ["sea/a", "sea/b", "total"]
    assert artifacts["clips"] == 100


def test_an_account_is_saved_in_the_ui_and_decides(ui: Page, home: Home) -> None:
    ui.goto(f"{home.state.ui_url}/v2/blocks/catalog")
    ui.get_by_placeholder("Search").fill("fal account")
    expect(ui.get_by_text("fal account", exact=True)).to_be_visible(timeout=SOON_MS)
    logo = ui.locator("img[src*='shotreel-fal-account']").first
    expect(logo).to_be_visible(timeout=SOON_MS)
    assert logo.evaluate("image => image.complete && image.naturalWidth > 0")
    picture(ui, "catalog")
    ui.goto(f"{home.state.ui_url}/v2/blocks/catalog/shotreel-fal-account/create")
    ui.get_by_label("Name").fill("default")
    ui.get_by_label("Key", exact=False).first.fill("id:secret")
    ui.get_by_label("Requests in flight").fill("7")
    picture(ui, "account")
    ui.get_by_role("button", name=re.compile("Save|Create")).click()
    ui.wait_for_url("**/block/**")
    told = home.run("doctor", "--json").json
    (blocks,) = (check for check in told["checks"] if check["name"] == "blocks")
    assert "shotreel-fal-account/default" in blocks["what"]
    (fal,) = (check for check in told["checks"] if check["name"] == "fal")
    assert "saved in Prefect" in fal["what"]
    assert "secret" not in json.dumps(told)
