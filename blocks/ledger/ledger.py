"""The ledger: what was asked for, what came of it, and what it cost. The truth about money.

Every method is one transaction, committed to disk when it returns. A change of state happens only
from the states that allow it (`states.NEXT`); where another process was faster, the method gives
the attempt as it now is, and the caller goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from blocks import timing
from blocks.errors import SetupError
from blocks.ledger.adoption import Adoption
from blocks.ledger.engine import open_engine, writing
from blocks.ledger.orders import Orders
from blocks.ledger.owners import Heart
from blocks.ledger.shared_budget import beat, lend, owner_of_run
from blocks.ledger.tables import owners, runs, uploads
from blocks.ledger.writer import LedgerWriter

P = ParamSpec("P")
T = TypeVar("T")


class Ledger(Orders, Adoption):
    """Raises SetupError where the database cannot be used."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.owner_id = uuid4().hex
        self._owner_ids: tuple[str, ...] = (self.owner_id,)
        self._heart: Heart | None = None
        self._writer: LedgerWriter | None = None

    async def book(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the ledger in its own thread: the loop goes on, and shots share commits.

        Raises SetupError where the database cannot do it (disk full, locked, gone).
        """
        self._writer = self._writer or LedgerWriter(self.engine)
        try:
            return await self._writer.do(partial(call, *args, **kwargs))
        except DBAPIError as error:
            raise SetupError(
                f"The ledger cannot be written: {str(error.orig).splitlines()[0]}.",
                remedy="What was bought is not lost. Mend the ledger's disk, then run it again.",
            ) from None

    def close(self) -> None:
        """Give back what was set aside and not sent, and let others take over the rest."""
        if self._writer:
            self._writer.close()
        if self._heart:
            self._heart.stop()
            # On a full disk it cannot be said; that the process has ended shows all the same.
            with suppress(SQLAlchemyError), writing(self.engine) as connection:
                self._release_reserved(connection, self._owner_ids, "the run has ended")
                connection.execute(delete(owners).where(owners.c.id.in_(self._owner_ids)))
        self.engine.dispose()

    def start_run(self, run_id: str, name: str, budget_usd: Decimal | None, film: str = "") -> None:
        """Note the run, its film and its budget; started again, it keeps what it has spent.

        `name` is what people call the film, `film` its identity where it has one.
        """
        now = timing.now()
        with writing(self.engine) as connection:
            self._beat(connection, now)
            known = connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first()
            if known:
                connection.execute(
                    update(runs).where(runs.c.id == run_id).values(budget_usd=budget_usd)
                )
            else:
                connection.execute(
                    insert(runs).values(
                        id=run_id, name=name, started_at=now, budget_usd=budget_usd, film=film
                    )
                )
        if self._heart is None:
            self._heart = Heart(self.beat)
            self._heart.start()

    def beat(self) -> None:
        with writing(self.engine) as connection:
            self._beat(connection, timing.now())

    def _beat(self, connection: Connection, now: datetime) -> None:
        for owner_id in self._owner_ids:
            beat(connection, owner_id, now)

    def lend(self, run_id: str) -> None:
        """Let every process of the run take what this one has reserved in it and not sent."""
        with writing(self.engine) as connection:
            self._owner_ids = (self.owner_id, owner_of_run(run_id))
            self._beat(connection, timing.now())
            lend(connection, self.owner_id, run_id)

    def note_upload(self, service: str, account: str, sha256: str, url: str) -> None:
        key = (
            uploads.c.service == service,
            uploads.c.account == account,
            uploads.c.sha256 == sha256,
        )
        with writing(self.engine) as connection:
            values = {"url": url, "at": timing.now()}
            if connection.execute(update(uploads).where(*key).values(**values)).rowcount == 0:
                connection.execute(
                    insert(uploads).values(
                        service=service, account=account, sha256=sha256, **values
                    )
                )
