"""Where the ledger is."""

from __future__ import annotations

import os

from blocks import settings


def ledger_url() -> str:
    """From the environment; SQLite in the home by default."""
    return os.environ.get("SHOTREEL_LEDGER_URL") or f"sqlite:///{settings.home()}/ledger.sqlite"
