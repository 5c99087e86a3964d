"""`shotreel reconcile`: the ledger held against the providers' billing feeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from blocks.money import plain, usd
from flows.commands.stopping import run_stoppable
from flows.reconcile import Reconciled, exit_code, findings_of, reconcile_all, sentence
from flows.report.findings import announce


def reconcile(*, live: bool, since_days: int, as_json: bool) -> int:
    """Raises ShotreelError. What is found is also told to the server that PREFECT_API_URL names."""
    accounts = run_stoppable(reconcile_all(live=live, since_days=since_days))
    announce(findings_of(accounts))
    if as_json:
        told = {"currency": "USD", "live": live, "since_days": since_days}
        click.echo(json.dumps({**told, **as_dict(accounts)}))
    else:
        for account in accounts:
            show(account)
    for finding in findings_of(accounts):
        click.echo(f"shotreel: {sentence(finding)}", err=True)
    return exit_code(accounts)


def as_dict(accounts: Sequence[Reconciled]) -> dict[str, Any]:
    return {
        "accounts": [
            {
                "service": a.service,
                "account": a.account,
                "read": not a.unread,
                "why": a.unread or None,
                "requests": a.requests,
                "billed_usd": plain(a.billed_usd),
                "confirmed": a.confirmed,
                "corrected": len(a.corrections),
                "waiting": a.waiting,
            }
            for a in accounts
        ],
        "corrections": [
            {
                "name": c.name,
                "request_id": c.request_id,
                "before_usd": plain(c.before_usd),
                "after_usd": plain(c.after_usd),
                "difference_usd": plain(c.difference_usd),
                "why": c.why,
            }
            for a in accounts
            for c in a.corrections
        ],
        "findings": [{**vars(f), "cost_usd": plain(f.cost_usd)} for f in findings_of(accounts)],
    }


def show(account: Reconciled) -> None:
    name = f"{account.service}/{account.account}"
    if account.unread:
        click.echo(f"{name}: not read: {account.unread}. {account.remedy}".rstrip())
        return
    click.echo(
        f"{name}: {account.requests} requests, {usd(account.billed_usd)} billed; "
        f"{account.confirmed} newly confirmed, {len(account.corrections)} corrected, "
        f"{account.waiting} too young, {len(account.findings)} findings"
    )
    for c in account.corrections:
        click.echo(f"  {c.name}: {usd(c.before_usd)} -> {usd(c.after_usd)} ({c.why})")
