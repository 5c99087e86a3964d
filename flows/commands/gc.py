"""`shotreel gc`: remove what can be made again for nothing; paid clips only when told to."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocks import settings
from blocks.ledger import Ledger
from blocks.money import plain, usd
from blocks.storage.clip_store import ClipStore
from blocks.storage.places import clips_place, ledger_place
from flows.maintenance.garbage import Garbage, garbage_in, remove, summed
from flows.maintenance.unused_clips import Unused, cost_again_usd, remove_clips, unused_clips

SHOWN = 50


def gc(days: float, *, clips: bool, dry_run: bool, yes: bool, as_json: bool) -> int:
    """0 done or nothing to do, 2 where paid clips wait for --yes. Raises ShotreelError."""
    with closing(Ledger(asyncio.run(ledger_place()))) as ledger:
        store = ClipStore(asyncio.run(clips_place()))
        older_than = timedelta(days=days)
        found = garbage_in(settings.home(), store, ledger, older_than.total_seconds())
        unused = unused_clips(ledger, store, older_than) if clips else []
        if not as_json:
            show(found, unused, dry_run=dry_run)
        agreed = bool(unused) and not dry_run and (yes or agree(unused, quiet=as_json))
        if not dry_run:
            remove(found)
        if agreed:
            remove_clips(ledger, store, unused)
    if as_json:
        told = as_dict(found, unused, removed=not dry_run, clips_removed=agreed)
        click.echo(json.dumps(told))
    elif unused and not dry_run and not agreed:
        click.echo("shotreel: no clip was removed; --yes removes those that are listed.", err=True)
    return 2 if unused and not dry_run and not agreed else 0


def agree(unused: Sequence[Unused], *, quiet: bool) -> bool:
    if quiet or not sys.stdin.isatty():
        return False
    again = usd(cost_again_usd(unused))
    return click.confirm(f"Remove {len(unused)} clips that would cost {again} again?", err=True)


def show(found: Sequence[Garbage], unused: Sequence[Unused], *, dry_run: bool) -> None:
    console = Console()
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("kind", "files", "MB"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for kind, (files, size) in summed(list(found)).items():
        table.add_row(kind, str(files), f"{size / 1e6:.1f}")
    console.print(table if found else "Nothing that could be made again is that old.")
    if dry_run and found:
        console.print("Nothing was removed (--dry-run).", style="dim")
    if unused:
        again = usd(cost_again_usd(unused))
        console.print(
            f"{len(unused)} paid clips that no kept manifest names; to buy them again: {again}"
        )
        for clip in unused[:SHOWN]:
            cost = "unknown" if clip.cost_usd is None else usd(clip.cost_usd)
            console.print(f"  {escape(clip.name)}  {clip.sha256[:12]}  {cost}", highlight=False)
        if len(unused) > SHOWN:
            console.print(f"  … and {len(unused) - SHOWN} more (--json lists all)")


def as_dict(
    found: Sequence[Garbage], unused: Sequence[Unused], *, removed: bool, clips_removed: bool
) -> dict[str, Any]:
    return {
        "removed": removed,
        "made_again": {
            kind: {"files": files, "bytes": size}
            for kind, (files, size) in summed(list(found)).items()
        },
        "clips_removed": clips_removed,
        "clips": [
            {
                "name": clip.name,
                "sha256": clip.sha256,
                "bytes": clip.num_bytes,
                "cost_usd": None if clip.cost_usd is None else plain(clip.cost_usd),
            }
            for clip in unused
        ],
        "cost_again_usd": plain(cost_again_usd(unused)),
    }
