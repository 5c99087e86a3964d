"""A real browser for the tests of what people look at: the machine's own Chromium, headless.

Every error in the page's console fails the test that asked for the page.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the session: while it is open its loop runs, and no other test can run one.
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        reason = "no browser: install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # root, as in a container, has no sandbox to be in.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        yield driver.chromium.launch(executable_path=program, args=["--disable-gpu", *arguments])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not errors, errors
