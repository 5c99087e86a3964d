"""Reservations that every process of a run may take: how the parts of a run share its budget.

They belong to an owner that stands for the run and lives as long as the process that has made
them. Functions of one transaction.
"""

from __future__ import annotations

import os
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, update

from blocks.ledger.owners import this_host
from blocks.ledger.tables import attempts, owners

BEAT = update(owners).where(owners.c.id == bindparam("owner_id"))


def owner_of_run(run_id: str) -> str:
    return f"run {run_id}"


def beat(connection: Connection, owner_id: str, now: datetime) -> None:
    """Say that this process is alive, and the owner with it."""
    here = {"host": this_host(), "pid": os.getpid(), "beat_at": now}
    beaten = connection.execute(BEAT, {"owner_id": owner_id, **here})
    if beaten.rowcount == 0:
        connection.execute(insert(owners).values(id=owner_id, started_at=now, **here))


def lend(connection: Connection, owner_id: str, run_id: str) -> None:
    """What the owner has reserved in the run becomes the run's."""
    connection.execute(
        update(attempts)
        .where(
            attempts.c.run_id == run_id,
            attempts.c.state == "reserved",
            attempts.c.owner_id == owner_id,
        )
        .values(owner_id=owner_of_run(run_id))
    )
