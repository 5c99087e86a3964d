"""How long report.html takes to open and to filter, in Chromium, with few shots and with many.

python tests/bench/page.py [--shots 2000]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Page, sync_playwright

from flows.output.folder import Place
from tests.page.stage import Stage, many, write_page

SHOTS = "sequence,shot,prompt,seed\nsea,a,a wave,1\n"
ROUNDS = 5
OPEN = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
FILTER = """async (text) => {
  const next = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const field = document.forms.filters.elements.text;
  await next();
  const begun = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.offsetHeight;
  const ended = performance.now();
  await next();
  return ended - begun;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shots", type=int, default=2_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="page-") as name, sync_playwright() as driver:
        stage = Stage(Path(name), SHOTS)
        stage.buy()
        stage.stitch()
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"{'shots':>6} {'page':>9} {'open':>9} {'one left':>9} {'all again':>9}")
        for shots in (20, given.shots):
            place = Place(Path(name) / str(shots))
            write_page(many(stage.report(), shots), place)
            size = place.report.stat().st_size / 2**20
            found = [measured(browser.new_page(), place) for _ in range(ROUNDS)]
            opened, few, again = (median(values) for values in zip(*found, strict=True))
            print(f"{shots:>6} {size:>6.1f} MB {opened:>6.0f} ms {few:>6.0f} ms {again:>6.0f} ms")


def measured(page: Page, place: Place) -> tuple[Any, Any, Any]:
    """Milliseconds until the page stands, until a filter leaves one shot, until all are back."""
    page.goto(place.report.as_uri(), wait_until="domcontentloaded")
    opened = page.evaluate(OPEN)
    found = (opened, page.evaluate(FILTER, "number 19 of"), page.evaluate(FILTER, ""))
    page.close()
    return found


if __name__ == "__main__":
    main()
