"""`shotreel recover`: download what is paid, settle what is unknown, take a person's decision."""

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
from flows.commands.stopping import run_stoppable
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
    adopted = decide(attempt, adopt, release, reason)
    rescued = run_stoppable(rescue_all(adopted))
    if as_json:
        click.echo(json.dumps({"attempts": [row(r) for r in rescued]}))
    else:
        for r in rescued:
            click.echo(f"{r.attempt.shot_name}: {r.result}{f': {r.note}' if r.note else ''}")
        click.echo(f"{len(rescued)} attempts needed a look." if rescued else "Nothing is missing.")
    for r in rescued:
        if r.error:
            left = f" {r.left.days} days are left to fetch it." if r.left else ""
            click.echo(f"shotreel: attempt {r.attempt.id}: {r.error}{left}", err=True)
    return exit_code(rescued)


def decide(attempt: str | None, adopt: str | None, release: str | None, reason: str) -> str | None:
    """Write down what a person has decided; gives the attempt that a request was adopted for.

    `release` names the attempt, or is empty where `attempt` does. Raises InputError.
    """
    if release == "":
        release, attempt = attempt, None
        if release is None:
            raise InputError("--release needs an attempt: --release ATTEMPT.")
    if (adopt is None) != (attempt is None):
        raise InputError("--adopt REQUEST and --attempt ATTEMPT go together.")
    if adopt is None and release is None:
        return None
    with closing(Ledger(asyncio.run(ledger_place()))) as ledger:
        cause = f"a person decided{': ' + reason if reason else ''}"
        try:
            if release is not None:
                ledger.let_go(look_up(ledger, release).id, cause)
            if adopt is not None and attempt is not None:
                ledger.adopt(look_up(ledger, attempt).id, Ticket(adopt), cause)
        except ValueError as error:
            did = "released" if adopt is None else "adopted"
            raise InputError(f"Not {did}: {error}.", remedy="Nothing was changed.") from None
    return attempt


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
