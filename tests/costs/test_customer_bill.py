"""A film's bill for a customer: its sum is what the ledger says, and a mark-up is told apart."""

from __future__ import annotations

import json
import re
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from blocks.ledger import Ledger
from blocks.providers.base import Bill, Failed
from flows.cli import main
from tests.ledger.books import change, in_state

USD = Decimal
LONG = "3-" + 80 * "x"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with closing(Ledger(f"sqlite:///{tmp_path}/home/ledger.sqlite")) as ledger:
        ledger.start_run("run", "harbour", None, "/films/a/harbour.csv")
        in_state(ledger, "stored", "f1", shot="<b>1</b>")
        in_state(ledger, "stored", "f2", shot="=2+2")
        corrected = in_state(ledger, "stored", "f3", shot="=2+2", take=2)
        ledger.apply_bill(corrected, Bill(USD(4), USD("0.3375")))
        failed = in_state(ledger, "submitted", "f4", shot=LONG)
        ledger.mark_failed(failed, Failed("HTTP 422", "yes", USD(2)))
        ledger.start_run("other", "harbour", None, "/films/b/harbour.csv")
        in_state(ledger, "stored", "f5", run_id="other")
        change(ledger, "UPDATE charges SET at = '2026-03-01T12:00:00+00:00' WHERE run_id = 'run'")
    return tmp_path


def costs(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["costs", "--film", "/films/a/harbour.csv", *arguments])
    assert done.exit_code == code, done.output
    return done


def test_workbook_adds_up_to_the_films_costs(home: Path) -> None:
    done = costs("--by", "film", "--invoice", "bill.xlsx", "--json")
    told = USD(json.loads(done.output)["cost_usd"])
    bill = pd.read_excel(home / "bill.xlsx", sheet_name="Bill")
    total = pd.read_excel(home / "bill.xlsx", sheet_name="Total")
    assert told == USD("1.1375")
    assert round(USD(bill["cost_usd"].sum()), 6) == told
    assert round(USD(total["usd"].iloc[-1]), 6) == told
    assert bill["shot"].tolist() == ["<b>1</b>", "'=2+2", LONG], "no cell is run as a formula"
    assert bill["clips"].tolist() == [1, 2, 0]
    assert bill["seconds"].tolist() == [4, 8, 0]


def test_mark_up_is_a_line_of_its_own_and_the_total_is_whole_cents(home: Path) -> None:
    costs("--invoice", "bill.xlsx", "--markup", "20%")
    total = pd.read_excel(home / "bill.xlsx", sheet_name="Total")
    assert total.to_dict("split", index=False)["data"] == [
        ["Costs", 1.1375],
        ["Mark-up 20 %", 0.2325],
        ["Total", 1.37],
    ]
    lines = pd.read_excel(home / "bill.xlsx", sheet_name="Bill")
    assert round(USD(lines["cost_usd"].sum()), 6) == USD("1.1375"), "lines are costs"


def test_page_says_the_same_and_no_name_of_a_shot_is_markup(home: Path) -> None:
    costs("--invoice", "bill.html", "--markup", "12.5")
    page = (home / "bill.html").read_text("utf-8")
    assert "<h1>harbour</h1>" in page
    assert "/films/" not in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert "<b>1" not in page
    assert "Mark-up 12.5 %" in page
    assert "<dd>$1.28</dd>" in page
    amounts = re.findall(r"<td>([0-9.]+) *</td>\s*</tr>", page)
    assert sum(map(USD, amounts)) == USD("1.1375")
    assert LONG in page, "a long name is not cut"


def test_days_that_are_named_are_all_that_is_billed(home: Path) -> None:
    costs("--since", "2026-03-02", "--invoice", "bill.html")
    page = (home / "bill.html").read_text("utf-8")
    assert "<dd>$0.00</dd>" in page
    assert "from 2026-03-02" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--invoice", "bill.pdf"), "ends neither in .html nor in .xlsx"),
        (("--markup", "20%"), "--markup is of an invoice"),
        (("--invoice", "none/bill.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said(home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, ["costs", "--film", "/films/a/harbour.csv", *arguments])
    assert done.exit_code in (1, 2)
    assert said in done.output


def test_bill_without_a_film_is_refused(home: Path) -> None:
    done = CliRunner().invoke(main, ["costs", "--invoice", "bill.html"])
    assert done.exit_code == 2
    assert "Name it with --film" in done.output
