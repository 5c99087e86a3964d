"""The Prefect server in use. Prefect is asked where there can be one: to import it takes 2 s."""

from __future__ import annotations

import os
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

from blocks.errors import SetupError
from blocks.settings import home

VARIABLES = ("PREFECT_API", "PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")
SETTINGS = ("api", "home", "profiles_path")


def api_url() -> str:
    """The server's URL, by whatever Prefect reads its settings from; empty where none is named."""
    if "prefect" not in sys.modules and not may_be_named():
        return ""
    from prefect.settings import PREFECT_API_URL

    return PREFECT_API_URL.value() or ""


def flow_run_id() -> str:
    """Empty outside a flow run: there is none before Prefect is imported."""
    if "prefect" not in sys.modules:
        return ""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else ""


def without_prefect(error: Exception) -> SetupError:
    """What to do where Prefect does not do its part."""
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    kept = "What was bought is kept: the same command goes on from there."
    if url := api_url():
        remedy = "Start the server that PREFECT_API_URL names (prefect server start), or unset it."
        return SetupError(
            f"Prefect's API at {url} does not do its part: {said}.", remedy=f"{remedy} {kept}"
        )
    return SetupError(
        f"Prefect's API on its embedded server does not do its part: {said}.",
        remedy=f"What the server said is in {embedded_log()}. {kept}",
    )


def embedded_log() -> Path:
    """What the servers have said that runs of this home have started for themselves."""
    return home() / "studio" / "logs" / "embedded.log"


def may_be_named() -> bool:
    """Whether variables or files that Prefect reads (prefect/settings/sources.py) could name a
    server. What they say is left to Prefect."""
    named = {name.upper() for name in os.environ}
    prefect_home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    return (
        not named.isdisjoint(VARIABLES)
        or (prefect_home / "profiles.toml").exists()
        or Path("prefect.toml").exists()
        or b"prefect" in _read(Path(".env")).lower()
        or _project_may_name_one(_read(Path("pyproject.toml")))
    )


def _project_may_name_one(pyproject: bytes) -> bool:
    try:
        said = tomllib.loads(pyproject.decode()).get("tool", {}).get("prefect", {})
        return any(name in said for name in SETTINGS)
    except (ValueError, AttributeError):
        return True  # Prefect says what is wrong with it


def _read(file: Path) -> bytes:
    with suppress(OSError):
        return file.read_bytes()
    return b""
