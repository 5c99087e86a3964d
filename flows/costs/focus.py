"""Costs as FOCUS 1.2 (FinOps Open Cost and Usage Specification): one row a charge."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from flows.costs.bill import safe_cell
from flows.costs.money import plain
from flows.costs.spend import Spend

PROVIDERS = {"fal": "fal", "wavespeed": "WaveSpeedAI", "comfyui": "ComfyUI"}

COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "x_CostSource",
    "x_Fingerprint",
    "x_Sequence",
    "x_Shot",
)


def write_focus(path: Path, rows: Iterable[Spend]) -> None:
    """Write the file. A charge that corrects an earlier one is of class Correction.

    The accounts are prepaid: a top-up is what is billed, and a clip is usage of it. Top-ups are
    not in the ledger, so that usage rows carry their cost as effective, and nothing as billed.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow(focus_row(row))


def focus_row(row: Spend) -> dict[str, str]:
    provider = PROVIDERS.get(row.service.removeprefix("sandbox/"), row.service)
    begun = row.submitted_at or row.at
    ended = max(row.ended_at or row.at, begun)
    cost = plain(row.cost_usd)
    frames = row.inputs.get("num_frames")
    return {
        "BilledCost": "0",
        "BillingAccountId": f"{row.service}/{row.account}",
        "BillingAccountName": row.account,
        "BillingCurrency": "USD",
        "BillingPeriodStart": moment(month(begun)),
        "BillingPeriodEnd": moment(next_month(begun)),
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if row.cause.startswith("correction") else "",
        "ChargeDescription": safe_cell(f"{row.model}, {row.sequence}/{row.shot}: {row.cause}"),
        "ChargePeriodStart": moment(begun),
        "ChargePeriodEnd": moment(ended),
        "ConsumedQuantity": str(frames) if frames else "",
        "ConsumedUnit": "Frames" if frames else "",
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": provider,
        "ListCost": cost,
        "ListUnitPrice": plain(row.unit_price_usd),
        "PricingQuantity": plain(row.units),
        "PricingUnit": "Units",
        "ProviderName": provider,
        "PublisherName": provider,
        "ResourceId": row.request_id or "",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": row.model,
        "x_CostSource": row.source,
        "x_Fingerprint": row.fingerprint,
        "x_Sequence": safe_cell(row.sequence),
        "x_Shot": safe_cell(row.shot),
    }


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def month(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(at: datetime) -> datetime:
    first = month(at)
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
