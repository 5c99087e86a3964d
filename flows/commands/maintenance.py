"""`shotreel backup` and `shotreel metrics`."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path

import click

from blocks.ledger import Ledger
from blocks.ledger.backup import back_up
from blocks.storage.places import ledger_place
from flows.maintenance.metrics import metrics_of


def backup(file: Path, *, as_json: bool) -> int:
    """Raises ShotreelError."""
    size = back_up(asyncio.run(ledger_place()), file)
    if as_json:
        click.echo(json.dumps({"file": str(file), "bytes": size}))
    else:
        click.echo(f"The ledger is in {file} ({size / 1e6:.1f} MB).")
    return 0


def metrics() -> int:
    """Raises ShotreelError."""
    with closing(Ledger(asyncio.run(ledger_place()))) as ledger:
        click.echo(metrics_of(ledger), nl=False)
    return 0
