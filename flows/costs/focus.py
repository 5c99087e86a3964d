"""Costs as FOCUS (FinOps Open Cost and Usage Specification): one row a charge, one a top-up.

The accounts are prepaid. A top-up is what is billed: a Purchase whose effective cost is nothing. A
clip is usage of it: its cost is effective, and nothing of it is billed. So billed costs add up to
what was paid in, and effective costs to the bill.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from itertools import chain, islice
from pathlib import Path

from blocks.errors import SetupError
from blocks.ledger.price_history import TopUp
from blocks.ledger.spending import Spend
from blocks.money import in_nano, plain
from blocks.providers.services import provider_name
from blocks.timing import moment_text
from flows.costs.bill import safe_cell
from flows.costs.focus_columns import RENAMED, Version, columns_of

PROVIDERS = {"fal": "fal", "wavespeed": "WaveSpeedAI", "comfyui": "ComfyUI"}
A_SECOND = timedelta(seconds=1)
ROWS_AT_ONCE = 20_000

Row = dict[str, str]
"""Empty: null."""


def write_focus(
    path: Path, spent: Iterable[Spend], paid_in: Iterable[TopUp], version: Version = "1.2"
) -> None:
    """Write CSV, or Parquet where the name ends so. Raises OSError, SetupError."""
    rows = chain(map(purchase_row, paid_in), (usage_row(s) for s in spent if is_charge(s)))
    renamed = (in_version(row, version) for row in rows)
    if path.suffix.lower() == ".parquet":
        _write_parquet(path, renamed, version)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = list(columns_of(version))
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(map(row.get, columns) for row in renamed)


def is_charge(spend: Spend) -> bool:
    """A row of nothing by which the feed confirms another is no charge."""
    return bool(spend.cost_usd or spend.units or spend.source != "billing_feed")


def in_version(row: Row, version: Version) -> Row:
    new = RENAMED[version]
    return {new.get(name, name): value for name, value in row.items()} if new else row


def usage_row(row: Spend) -> Row:
    """A correction is billed in the month in which it came; its period stays the usage's."""
    begun, ended = row.submitted_at or row.at, row.ended_at or row.at
    if ended[:19] <= begun[:19]:
        ended = moment_text(datetime.fromisoformat(begun) + A_SECOND)
    corrects = row.cause.startswith("correction")
    cost = decimal(row.cost_usd)
    frames = row.num_frames or json.loads(row.inputs).get("num_frames") or 0
    unit_price = "" if corrects else decimal(unit_price_usd(row))
    return {
        **_parties(row.service, row.account),
        **_billing_period(row.at[:7]),
        "BilledCost": "0.0",
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if corrects else "",
        "ChargeDescription": safe_cell(f"{row.model}, {row.sequence}/{row.shot}: {row.cause}"),
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": moment(begun),
        "ChargePeriodEnd": moment(ended),
        "ConsumedQuantity": "" if corrects else f"{frames}.0",
        "ConsumedUnit": "" if corrects else "Frames",
        "ContractedCost": cost,
        "ContractedUnitPrice": unit_price,
        "EffectiveCost": cost,
        "ListCost": cost,
        "ListUnitPrice": unit_price,
        "PricingCategory": "Standard",
        "PricingQuantity": decimal(row.units),
        "PricingUnit": "Units",
        "ResourceId": row.request_id or "",
        "ResourceType": "Video clip" if row.request_id else "",
        "ServiceSubcategory": "Generative AI",
        "SkuId": row.model,
        "SkuPriceId": f"{row.model}@{row.price_as_of}",
        "Tags": tags(row),
        "x_CostSource": row.source,
        "x_Fingerprint": row.fingerprint,
        "x_Sequence": safe_cell(row.sequence),
        "x_Shot": safe_cell(row.shot),
    }


def purchase_row(row: TopUp) -> Row:
    """A payment into a prepaid account. A negative one takes an earlier one back."""
    amount, at = decimal(row.amount_usd), moment_text(row.at)
    corrects = row.amount_usd < 0
    unit_price = "" if corrects else "1.0"
    return {
        **_parties(row.service, row.account),
        **_billing_period(at[:7]),
        "BilledCost": amount,
        "ChargeCategory": "Purchase",
        "ChargeClass": "Correction" if corrects else "",
        "ChargeDescription": safe_cell(f"Top-up: {row.reason}" if row.reason else "Top-up"),
        "ChargeFrequency": "One-Time",
        "ChargePeriodStart": moment(at),
        "ChargePeriodEnd": moment(moment_text(row.at + A_SECOND)),
        "ContractedCost": amount,
        "ContractedUnitPrice": unit_price,
        "EffectiveCost": "0.0",
        "ListCost": amount,
        "ListUnitPrice": unit_price,
        "PricingCategory": "Standard",
        "PricingQuantity": amount,
        "PricingUnit": "Credits",
        "ServiceSubcategory": "Generative AI",
        "SkuId": "prepaid-credit",
        "SkuPriceId": "prepaid-credit",
        "x_CostSource": "noted by a person",
    }


@cache
def _parties(service: str, account: str) -> Row:
    provider = PROVIDERS.get(provider_name(service), service)
    return {
        "BillingAccountId": f"{service}/{account}",
        "BillingAccountName": account,
        "InvoiceIssuerName": provider,
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": provider,
    }


def tags(row: Spend) -> str:
    said = {
        "film": row.film,
        "sequence": row.sequence,
        "shot": row.shot,
        "take": str(row.take),
        "run": row.run_id,
    }
    return json.dumps(said, ensure_ascii=False)


def unit_price_usd(row: Spend) -> Decimal:
    """The price that was quoted; where a feed has named another amount, what a unit came to."""
    if not row.units or row.units * row.unit_price_usd == row.cost_usd:
        return row.unit_price_usd
    return in_nano(row.cost_usd / row.units)


def _write_parquet(path: Path, rows: Iterator[Row], version: Version) -> None:
    """Amounts are decimal128, times timestamps in UTC, nulls nulls."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise SetupError(
            f"{path} cannot be written: Parquet needs pyarrow.",
            remedy="Run: pip install 'shotreel[parquet]' - or name a file that ends in .csv.",
        ) from None
    kinds = {
        "decimal": pa.decimal128(38, 9),
        "moment": pa.timestamp("s", tz="UTC"),
        "text": pa.string(),
        "json": pa.string(),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns_of(version).items()])
    with pq.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            columns = [
                pa.array([row.get(field.name) or None for row in batch], pa.string())
                for field in schema
            ]
            typed = [c.cast(field.type) for c, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(typed, schema=schema))


@lru_cache(4096)
def decimal(amount: Decimal) -> str:
    """With a point always: readers that guess a column's type take it for a decimal, as it is."""
    text = plain(amount)
    return text if "." in text else f"{text}.0"


def moment(at: str) -> str:
    """As FOCUS writes times, UTC to the second, of a time as the ledger keeps it."""
    return f"{at[:19]}Z"


@cache
def _billing_period(month: str) -> Row:
    """The calendar month; its end is exclusive."""
    first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return {
        "BillingCurrency": "USD",
        "BillingPeriodStart": moment(moment_text(first)),
        "BillingPeriodEnd": moment(moment_text(after)),
    }
