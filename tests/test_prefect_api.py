"""Which Prefect server is in use, told without importing Prefect where none can be named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prefect.settings.models.api import APISettings

from blocks.prefect_api import may_be_named

URL = "http://127.0.0.1:4242/api"
PROFILE = f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{URL}"\n'


@pytest.fixture
def nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.upper().startswith("PREFECT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    (tmp_path / "prefect").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".env", f"prefect_api_url={URL}\n"),
        (".env", "PREFECT_PROFILES_PATH=prefect/other.toml\n"),
        ("prefect.toml", f'[api]\nurl = "{URL}"\n'),
        ("prefect.toml", 'profiles_path = "prefect/other.toml"\n'),
        ("pyproject.toml", f'[tool.prefect]\napi.url = "{URL}"\n'),
        ("pyproject.toml", '[tool.prefect]\nprofiles_path = "prefect/other.toml"\n'),
        ("prefect/profiles.toml", PROFILE),
    ],
)
def test_a_server_that_a_file_names_is_seen(nothing_named: Path, file: str, text: str) -> None:
    (nothing_named / "prefect/other.toml").write_text(PROFILE)
    assert (APISettings().url, may_be_named()) == (None, False)
    (nothing_named / file).write_text(text)
    assert (APISettings().url, may_be_named()) == (URL, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_API_URL", URL),
        ("prefect_api_url", URL),
        ("PREFECT_PROFILES_PATH", "prefect/other.toml"),
    ],
)
def test_a_server_that_a_variable_names_is_seen(
    nothing_named: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (nothing_named / "prefect/other.toml").write_text(PROFILE)
    monkeypatch.setenv(name, value)
    assert APISettings().url
    assert may_be_named()


def test_a_project_that_has_other_settings_of_prefect_names_none(nothing_named: Path) -> None:
    settings = "[tool.prefect]\nserver.analytics_enabled = false\n"
    (nothing_named / "pyproject.toml").write_text(settings)
    assert (APISettings().url, may_be_named()) == (None, False)
