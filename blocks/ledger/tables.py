"""The ledger's tables, as SQL sees them.

`attempts`   one row a paid request; exists before the request is sent
`events`     one row a change of an attempt's state, with time and cause; only ever added to
`charges`    one row a fact about money; only ever added to: the sum over an attempt is its cost
`runs`       one row a run: its budget, and the film that it was for
`owners`     one row a process that has sent requests: whether it is still alive
`uploads`    one row an input file that a provider holds
`films`      one row an output folder: the clips that its manifest names
`lists`      one row a film, live or not: the shots that its list had when it was last made
`prices`     one row a price that an account has named; only ever added to
`top_ups`    one row a payment into a prepaid account, as a person noted it; only ever added to

Amounts and units are whole billionths (`cost_nano_usd`, `nano_units`), so that SQL adds them
exactly. Times are UTC in ISO 8601, which sorts as text.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, TypeDecorator

from blocks.money import from_nano, nano
from blocks.timing import moment_text


class Nano(TypeDecorator[Decimal]):
    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        if value is None:
            return None
        return nano(value)

    def process_result_value(self, value: Any, dialect: Any) -> Decimal | None:
        return None if value is None else from_nano(int(value))


class Moment(TypeDecorator[datetime]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        return None if value is None else moment_text(value)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Whole(TypeDecorator[int]):
    """An integer of any size, by its digits: services take seeds of 64 bits without a sign, and
    databases none above 2**63."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        return None if value is None else int(value)


class Json(TypeDecorator[Any]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

owners = Table(
    "owners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text),
    Column("pid", Integer),
    Column("started_at", Moment),
    Column("beat_at", Moment),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("started_at", Moment),
    Column("budget_nano_usd", Nano, key="budget_usd"),
    Column("film", Text),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fingerprint", Text),
    Column("holds", Integer),
    Column("state", Text),
    Column("charged", Text),
    Column("cause", Text),
    Column("run_id", Text),
    Column("owner_id", Text),
    Column("service", Text),
    Column("account", Text),
    Column("model", Text),
    Column("sequence", Text),
    Column("shot", Text),
    Column("take", Integer),
    Column("inputs", Json),
    Column("seed", Whole),
    Column("nano_units_quoted", Nano, key="units_quoted"),
    Column("unit_price_nano_usd", Nano, key="unit_price_usd"),
    Column("cost_nano_usd_quoted", Nano, key="cost_quoted_usd"),
    Column("price_source", Text),
    Column("price_as_of", Text),
    Column("price_key", Text),
    Column("cost_nano_usd_reserved", Nano, key="cost_reserved_usd"),
    Column("schema_sha256", Text),
    Column("for_all_alike", Integer),
    Column("request_id", Text),
    Column("urls", Json),
    Column("media_url", Text),
    Column("clip_sha256", Text),
    Column("num_frames", Integer),
    Column("created_at", Moment),
    Column("posted_at", Moment),
    Column("submitted_at", Moment),
    Column("ended_at", Moment),
    Column("stored_at", Moment),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("attempt_id", Text),
    Column("at", Moment),
    Column("state", Text),
    Column("cause", Text),
    Column("owner_id", Text),
)

charges = Table(
    "charges",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("attempt_id", Text),
    Column("run_id", Text),
    Column("service", Text),
    Column("account", Text),
    Column("request_id", Text),
    Column("at", Moment),
    Column("nano_units", Nano, key="units"),
    Column("cost_nano_usd", Nano, key="cost_usd"),
    Column("currency", Text),
    Column("source", Text),
    Column("cause", Text),
)

uploads = Table(
    "uploads",
    metadata,
    Column("service", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("url", Text),
    Column("at", Moment),
)

prices = Table(
    "prices",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", Moment),
    Column("service", Text),
    Column("account", Text),
    Column("model", Text),
    Column("unit", Text),
    Column("unit_price_nano_usd", Nano, key="unit_price_usd"),
    Column("source", Text),
)

top_ups = Table(
    "top_ups",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", Moment),
    Column("service", Text),
    Column("account", Text),
    Column("amount_nano_usd", Nano, key="amount_usd"),
    Column("reason", Text),
)

films = Table(
    "films",
    metadata,
    Column("host", Text, primary_key=True),
    Column("out", Text, primary_key=True),
    Column("name", Text),
    Column("run_id", Text),
    Column("at", Moment),
    Column("clips", Json),
)

lists = Table(
    "lists",
    metadata,
    Column("film", Text, primary_key=True),
    Column("live", Integer, primary_key=True),
    Column("run_id", Text),
    Column("at", Moment),
    Column("shots", Json),
)
