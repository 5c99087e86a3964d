"""Golden files: what programs read of a run, without what differs from run to run."""

from __future__ import annotations

import csv
import json
import os
import re
from io import StringIO
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"
WRITES = os.environ.get("GOLDEN") == "write"

# Clips depend on the encoder's version. Fingerprints do not, and are held as they are.
DRAWN = {"sha256", "run", "run_id", "attempt", "attempt_id"}
REQUESTS = {"request_id", "ResourceId"}
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)?)?")
_FOLDER = re.compile(r"/[^\s\"]*/(?=\w+\.csv\b)")
_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")


def check(name: str, text: str) -> None:
    """Hold `text` against the golden file; `GOLDEN=write` writes it anew."""
    path = FILES / name
    if WRITES:
        path.write_text(text, "utf-8")
    assert text.splitlines() == path.read_text("utf-8").splitlines(), name


def of_json(text: str) -> str:
    """Indented, a value a line, so that a difference shows."""
    return json.dumps(_walked(json.loads(text), ""), indent=1, ensure_ascii=False) + "\n"


def of_csv(text: str) -> str:
    header, *rows = csv.reader(StringIO(text))
    told = StringIO()
    writer = csv.writer(told, lineterminator="\n")
    writer.writerow(header)
    # Rows come in the order in which clips did.
    writer.writerows(
        sorted([_cell(name, cell) for name, cell in zip(header, row, strict=True)] for row in rows)
    )
    return told.getvalue()


def _walked(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _walked(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_walked(each, key) for each in value]
    return _cell(key, value) if isinstance(value, str) else value


def _cell(name: str, cell: str) -> str:
    if cell and (name in DRAWN or name in REQUESTS):
        return f"<{name}>"
    for pattern, word in ((_ID, "<id>"), (_MOMENT, "<moment>"), (_FOLDER, "<folder>/")):
        cell = pattern.sub(word, cell)
    return cell
