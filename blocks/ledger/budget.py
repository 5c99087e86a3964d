"""Charges and budgets: functions of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, exists, func, insert, select

from blocks.errors import BudgetError
from blocks.ledger.proof import RECENT, Count
from blocks.ledger.rows import Attempt, CostSource, Intent
from blocks.ledger.states import OCCUPYING, OPEN, State
from blocks.ledger.tables import attempts, charges, runs
from blocks.money import in_nano, usd

SOURCES: tuple[CostSource, ...] = ("no_price", "estimate", "provider", "billing_feed")
"""From the weakest to the strongest word about what a request has cost."""

CHARGES = (
    select(charges.c.units, charges.c.cost_usd, charges.c.source)
    .where(charges.c.attempt_id == bindparam("attempt_id"))
    .order_by(charges.c.id)
)
BUDGET = select(runs.c.budget_usd).where(runs.c.id == bindparam("run_id"))


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
    rows = connection.execute(CHARGES, {"attempt_id": attempt.id}).all()
    if rows and SOURCES.index(rows[-1].source) > SOURCES.index(source):
        return
    add_units = units - sum((row.units for row in rows), Decimal(0))
    add_cost = cost_usd - sum((row.cost_usd for row in rows), Decimal(0))
    if rows and rows[-1].source == source and not add_cost and not add_units:
        return
    row = {
        "attempt_id": attempt.id,
        "run_id": attempt.run_id,
        "service": attempt.service,
        "account": attempt.account,
        "request_id": attempt.request_id,
        "at": now,
        "units": add_units,
        "cost_usd": add_cost,
        "currency": "USD",
        "source": source,
        "cause": cause if not rows else f"correction: {cause}",
    }
    connection.execute(insert(charges), row)


def check_monthly_budgets(connection: Connection, intents: Sequence[Intent], now: datetime) -> None:
    """Raises BudgetError where an account's month (UTC) would come to more than its cap."""
    caps = {
        (i.service, i.account): i.monthly_budget_usd
        for i in intents
        if i.monthly_budget_usd is not None
    }
    for (service, account), cap in caps.items():
        spent = month_spent(connection, service, account, now, OPEN)
        if spent > cap:
            raise BudgetError(
                f"The monthly budget of {service} account {account!r} is ${cap}; with this run "
                f"{now:%Y-%m} would come to ${spent}.",
                remedy="Nothing was bought. Raise the account's monthly budget, or shorten the "
                "list.",
            )


def check_before_post(
    connection: Connection,
    attempt: Attempt,
    reserved_usd: Decimal,
    monthly_budget_usd: Decimal | None,
    now: datetime,
) -> None:
    """Raises BudgetError where what was charged and what is in flight leave no room for one more.

    What the service has counted is in it, above its quotes too; what was only set aside is not:
    it is looked at when its own turn comes.
    """
    run_budget_usd = run_budget(connection, attempt.run_id)
    if run_budget_usd is not None:
        spent_usd = run_spent(connection, attempt.run_id, OCCUPYING)
        if spent_usd + reserved_usd > run_budget_usd:
            raise _no_room_for(attempt, reserved_usd, "the budget", run_budget_usd, spent_usd)
    if monthly_budget_usd is not None:
        spent_usd = month_spent(connection, attempt.service, attempt.account, now, OCCUPYING)
        if spent_usd + reserved_usd > monthly_budget_usd:
            whose = f"the monthly budget of {attempt.service} account {attempt.account!r}"
            raise _no_room_for(attempt, reserved_usd, whose, monthly_budget_usd, spent_usd)


def _no_room_for(
    attempt: Attempt, reserved_usd: Decimal, whose: str, budget_usd: Decimal, spent_usd: Decimal
) -> BudgetError:
    quoted_usd = attempt.cost_quoted_usd
    dearer = (
        f" by what the service has counted for others; it was quoted at {usd(quoted_usd)}"
        if reserved_usd > quoted_usd
        else ""
    )
    return BudgetError(
        f"{attempt.shot_name} was not bought: {whose} is {usd(budget_usd)}, {usd(spent_usd)} of "
        f"it is spent or in flight, and this clip is reckoned at {usd(reserved_usd)}{dearer}.",
        remedy="Nothing was bought for it. Look at the plan again, which reckons with what was "
        "counted; then raise the budget, or shorten the list.",
    )


def charged_of_kind(connection: Connection, attempt: Attempt) -> int:
    """Requests of the attempt's kind that were charged, RECENT at most; by an estimate too.

    A provider that says nothing when it is asked cannot be waited for.
    """
    asked = {**_of_model(attempt), "price_key": attempt.price_key}
    return int(connection.execute(CHARGED_OF_KIND, asked).scalar_one())


def counts_of(connection: Connection, attempt: Attempt, *, same_kind: bool) -> list[Count]:
    """The newest counts of the attempt's model, or of its kind alone."""
    price_key = attempt.price_key if same_kind else None
    return model_counts(connection, **_of_model(attempt), price_key=price_key)


def model_counts(
    connection: Connection, service: str, account: str, model: str, price_key: str | None
) -> list[Count]:
    asked = {"service": service, "account": account, "model": model}
    if price_key is not None:
        asked["price_key"] = price_key
    counted = connection.execute(_counted(same_kind=price_key is not None), asked)
    return [Count(*row) for row in counted]


def _of_model(attempt: Attempt) -> dict[str, str]:
    return {"service": attempt.service, "account": attempt.account, "model": attempt.model}


CHARGED = (
    select(attempts.c.id, attempts.c.price_key, attempts.c.cost_quoted_usd)
    .where(
        attempts.c.service == bindparam("service"),
        attempts.c.account == bindparam("account"),
        attempts.c.model == bindparam("model"),
        attempts.c.charged == "yes",
    )
    .limit(RECENT)
)
OF_KIND = attempts.c.price_key == bindparam("price_key")
HAS_CHARGES = exists().where(charges.c.attempt_id == attempts.c.id)
CHARGED_OF_KIND = select(func.count()).select_from(CHARGED.where(OF_KIND, HAS_CHARGES).subquery())


@cache
def _counted(*, same_kind: bool) -> Select[Any]:
    by_the_service = charges.c.source.in_(("provider", "billing_feed"))
    charged = CHARGED.where(HAS_CHARGES.where(by_the_service)).order_by(attempts.c.ended_at.desc())
    if same_kind:
        charged = charged.where(OF_KIND)
    newest = charged.subquery("newest")
    return (
        select(
            newest.c.price_key,
            newest.c.cost_quoted_usd,
            func.sum(charges.c.units),
            func.sum(charges.c.cost_usd),
            func.count().filter(charges.c.source == "billing_feed") > 0,
        )
        .join(charges, charges.c.attempt_id == newest.c.id)
        .group_by(newest.c.id, newest.c.price_key, newest.c.cost_quoted_usd)
    )


def run_budget(connection: Connection, run_id: str) -> Decimal | None:
    return connection.execute(BUDGET, {"run_id": run_id}).scalar_one_or_none()


def check_run_budget(connection: Connection, run_id: str) -> None:
    """Raises BudgetError where the run's charges and reservations are more than its budget."""
    budget = run_budget(connection, run_id)
    spent = run_spent(connection, run_id)
    if budget is not None and spent > budget:
        raise BudgetError(
            f"The budget is ${budget}; what is left to buy brings this run to ${spent}.",
            remedy="Nothing more was bought. Raise the budget, or shorten the list.",
        )


def run_spent(
    connection: Connection, run_id: str, open_states: tuple[State, ...] = OPEN
) -> Decimal:
    """Charges of a run and what it has set aside."""
    return _spent(connection, _of_run(open_states), run_id=run_id)


def month_spent(
    connection: Connection,
    service: str,
    account: str,
    now: datetime,
    open_states: tuple[State, ...],
) -> Decimal:
    """Charges of an account in this month (UTC), and what is set aside for it."""
    begin = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    query = _of_month(open_states)
    return _spent(connection, query, service=service, account=account, begin=begin)


def _spent(connection: Connection, query: Select[Any], **asked: Any) -> Decimal:
    sums = connection.execute(query, asked).one()
    return sum((each for each in sums if each is not None), Decimal(0))


@cache
def _of_run(open_states: tuple[State, ...]) -> Select[Any]:
    of_charges = [charges.c.run_id == bindparam("run_id")]
    of_attempts = [attempts.c.run_id == bindparam("run_id")]
    return _sums(of_charges, of_attempts, open_states)


@cache
def _of_month(open_states: tuple[State, ...]) -> Select[Any]:
    of_charges = [
        charges.c.service == bindparam("service"),
        charges.c.account == bindparam("account"),
        charges.c.at >= bindparam("begin"),
    ]
    of_attempts = [
        attempts.c.service == bindparam("service"),
        attempts.c.account == bindparam("account"),
    ]
    return _sums(of_charges, of_attempts, open_states)


def _sums(
    of_charges: list[Any], of_attempts: list[Any], open_states: tuple[State, ...]
) -> Select[Any]:
    """Charges, and what is set aside for attempts whose charge is not known yet."""
    paid = select(func.sum(charges.c.cost_usd)).where(*of_charges)
    uncharged = ((attempts.c.state == "failed") & (attempts.c.charged == "unknown")) | (
        (attempts.c.state == "lost") & attempts.c.charged.is_(None)
    )
    reserved = func.coalesce(attempts.c.cost_reserved_usd, attempts.c.cost_quoted_usd)
    set_aside = select(
        func.sum(
            case(
                (attempts.c.state.in_(open_states) | uncharged, reserved),
                else_=Decimal(0),
            )
        )
    ).where(*of_attempts)
    return select(paid.scalar_subquery(), set_aside.scalar_subquery())
