"""What every test of shot lists needs: a list on disk, and the problems of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.shots import ShotListError, read_shots

Problems = Callable[[str], list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a list; the working folder is another one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    lists = tmp_path / "lists"
    lists.mkdir()
    return lists


@pytest.fixture
def problems_of() -> Problems:
    """The lines that a wrong list is answered with."""

    def read(source: str) -> list[str]:
        with pytest.raises(ShotListError) as caught:
            read_shots(source)
        assert caught.value.exit_code == 2
        lines = [str(problem) for problem in caught.value.problems]
        assert caught.value.message.startswith("\n".join(lines[:50]))
        return lines

    return read
