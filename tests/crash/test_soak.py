"""The short form of the soak whose table is published."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.bench.soak import main


def test_hundreds_of_clips_are_paid_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    sdk = 20 if find_spec("fal_client") and find_spec("cryptography") else 0
    code = main(["--requests", "300", "--naive", "40", "--sdk", str(sdk), "--list", "100"])
    printed = capsys.readouterr()
    assert code == 0, printed.out + printed.err
    cells = [line.split("|")[1:3] for line in printed.out.splitlines()]
    rows = {cell[0].strip(" *"): cell[1].strip(" *") for cell in cells if len(cell) == 2}
    assert rows["double charges"] == rows["paid clips lost"] == "0"
    assert rows["difference between the bills"] == "$0.00"
    assert int(rows["kills (SIGKILL)"]) > 0
