from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from blocks.providers.model import with_urls
from flows.planning.plan import final_inputs
from flows.shots import Shot, read_shots
from flows.shots.job import Job, jobs_of

Rows = Callable[..., list[Shot]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the list is, with a home beside it."""
    monkeypatch.setenv("SHOTREEL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shots_of(folder: Path) -> Rows:
    """The shots of these rows: a list of them stands in the folder."""

    def read(*rows: Mapping[str, str]) -> list[Shot]:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
        (folder / "list.csv").write_text(out.getvalue(), "utf-8")
        return read_shots(str(folder / "list.csv"))

    return read


def body_of(shot: Shot, seed: int = 7) -> dict[str, Any]:
    """What would be posted, its files at `https://files.example/<name>`."""
    job = Job("", "", shot, 1, shot.seed, {})
    urls = {place: f"https://files.example/{Path(name).name}" for place, name in shot.files.items()}
    made = final_inputs(job, seed if shot.made_by.takes_seed and shot.seed is None else None)
    return shot.made_by.body(with_urls(made, urls))


__all__ = ["body_of", "jobs_of"]
