"""Charges and budgets: functions of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, insert, select

from blocks.errors import BudgetError
from blocks.ledger.rows import Attempt, CostSource, Intent
from blocks.ledger.states import OPEN
from blocks.ledger.tables import attempts, charges, in_nano, runs

SOURCES: tuple[CostSource, ...] = ("no_price", "estimate", "provider", "billing_feed")
"""From the weakest to the strongest word about what a request has cost."""


def charge_up_to(
    connection: Connection,
    attempt: Attempt,
    *,
    units: Decimal,
    cost_usd: Decimal,
    source: CostSource,
    cause: str,
    now: datetime,
) -> None:
    """Add the row that brings the attempt's sums to `units` and `cost_usd`.

    A row of nothing is added too where a better source confirms what is there; a worse source
    changes nothing.
    """
    units, cost_usd = in_nano(units), in_nano(cost_usd)
    rows = connection.execute(
        select(charges.c.units, charges.c.cost_usd, charges.c.source)
        .where(charges.c.attempt_id == attempt.id)
        .order_by(charges.c.id)
    ).all()
    if rows and SOURCES.index(rows[-1].source) > SOURCES.index(source):
        return
    add_units = units - sum((row.units for row in rows), Decimal(0))
    add_cost = cost_usd - sum((row.cost_usd for row in rows), Decimal(0))
    if rows and rows[-1].source == source and not add_cost and not add_units:
        return
    connection.execute(
        insert(charges).values(
            attempt_id=attempt.id,
            run_id=attempt.run_id,
            service=attempt.service,
            account=attempt.account,
            request_id=attempt.request_id,
            at=now,
            units=add_units,
            cost_usd=add_cost,
            currency="USD",
            source=source,
            cause=cause if not rows else f"correction: {cause}",
        )
    )


def check_monthly_budgets(connection: Connection, intents: Sequence[Intent], now: datetime) -> None:
    """Raises BudgetError where an account's month (UTC) would come to more than its cap."""
    caps = {
        (i.service, i.account): i.monthly_budget_usd
        for i in intents
        if i.monthly_budget_usd is not None
    }
    month = now.strftime("%Y-%m")
    for (service, account), cap in caps.items():
        spent = _spent(
            connection,
            [
                charges.c.service == service,
                charges.c.account == account,
                func.substr(charges.c.at, 1, len(month)) == month,
            ],
            [attempts.c.service == service, attempts.c.account == account],
        )
        if spent > cap:
            raise BudgetError(
                f"The monthly budget of {service} account {account!r} is ${cap}; with this run "
                f"{month} would come to ${spent}.",
                remedy="Nothing was bought. Raise the account's monthly budget, or shorten the "
                "list.",
            )


def check_run_budget(connection: Connection, run_id: str) -> None:
    """Raises BudgetError where the run's charges and reservations are more than its budget."""
    budget = connection.execute(
        select(runs.c.budget_usd).where(runs.c.id == run_id)
    ).scalar_one_or_none()
    spent = run_spent(connection, run_id)
    if budget is not None and spent > budget:
        raise BudgetError(
            f"The budget is ${budget}; what is left to buy brings this run to ${spent}.",
            remedy="Nothing more was bought. Raise the budget, or shorten the list.",
        )


def run_spent(connection: Connection, run_id: str) -> Decimal:
    """Charges of a run and what it has set aside."""
    return _spent(connection, [charges.c.run_id == run_id], [attempts.c.run_id == run_id])


def _spent(connection: Connection, of_charges: list[Any], of_attempts: list[Any]) -> Decimal:
    """Charges, and the quotes of attempts whose charge is not known yet."""
    paid = select(func.sum(charges.c.cost_usd)).where(*of_charges)
    uncharged = ((attempts.c.state == "failed") & (attempts.c.charged == "unknown")) | (
        (attempts.c.state == "lost") & attempts.c.charged.is_(None)
    )
    set_aside = select(
        func.sum(
            case(
                (attempts.c.state.in_(OPEN) | uncharged, attempts.c.cost_quoted_usd),
                else_=Decimal(0),
            )
        )
    ).where(*of_attempts)
    return sum(
        (connection.execute(q).scalar() or Decimal(0) for q in (paid, set_aside)), Decimal(0)
    )
