"""`shotreel recover`: bring home what is paid, settle what is unknown, take a person's decision."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import Any

import click

from blocks.errors import InputError
from blocks.ledger import Attempt, Ledger
from blocks.providers.base import Ticket
from blocks.storage.places import ledger_place
from flows.recover import Rescued, exit_code, rescue_all


def recover(
    *,
    attempt: str | None,
    adopt: str | None,
    release: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """The decisions first, then everything that needs none. Raises ShotreelError."""
    decide(attempt, adopt, release, reason)
    rescued = asyncio.run(rescue_all())
    if as_json:
        click.echo(json.dumps({"attempts": [row(r) for r in rescued]}))
    else:
        for r in rescued:
            click.echo(f"{r.attempt.shot_name}: {r.result}")
        click.echo(f"{len(rescued)} attempts needed a look." if rescued else "Nothing is missing.")
    for r in rescued:
        if r.error:
            left = f" {r.left.days} days are left to fetch it." if r.left else ""
            click.echo(f"shotreel: attempt {r.attempt.id}: {r.error}{left}", err=True)
    return exit_code(rescued)


def decide(attempt: str | None, adopt: str | None, release: str | None, reason: str) -> None:
    """Write down what a person has decided. Raises InputError."""
    if (adopt is None) != (attempt is None):
        raise InputError("--adopt REQUEST and --attempt ATTEMPT go together.")
    if adopt is None and release is None:
        return
    with closing(Ledger(asyncio.run(ledger_place()))) as ledger:
        cause = f"a person decided{': ' + reason if reason else ''}"
        if adopt is not None and attempt is not None:
            found = look_up(ledger, attempt)
            try:
                ledger.mark_submitted(found, Ticket(adopt), cause)
            except ValueError as error:
                raise InputError(f"Not adopted: {error}.") from None
        if release is not None:
            found = look_up(ledger, release)
            after = ledger.release(found, cause)
            if after.state != "released":
                raise InputError(
                    f"Attempt {release} is {after.state}; only one that is unknown, failed or lost "
                    "can be released.",
                    remedy="Nothing was changed.",
                )


def look_up(ledger: Ledger, attempt_id: str) -> Attempt:
    found = ledger.find(attempt_id)
    if found is None:
        raise InputError(f"The ledger has no attempt {attempt_id}.")
    return found


def row(rescued: Rescued) -> dict[str, Any]:
    attempt = rescued.attempt
    return {
        "attempt": attempt.id,
        "sequence": attempt.sequence,
        "shot": attempt.shot,
        "state": attempt.state,
        "request_id": attempt.request_id,
        "result": rescued.result,
        "error": str(rescued.error) if rescued.error else None,
    }
