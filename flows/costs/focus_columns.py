"""The columns of a FOCUS file (FinOps Open Cost and Usage Specification), by version.

Source: the specification's column pages ("Content constraints"), versions 1.2 and 1.4, for the
columns that a prepaid video service can fill; and, empty, those conditional ones that the official
validator asks every file for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Version = Literal["1.2", "1.4"]
Kind = Literal["decimal", "moment", "text", "json"]

MANDATORY: dict[str, Kind] = {
    "BilledCost": "decimal",
    "BillingAccountId": "text",
    "BillingAccountName": "text",
    "BillingCurrency": "text",
    "BillingPeriodEnd": "moment",
    "BillingPeriodStart": "moment",
    "ChargeCategory": "text",
    "ChargeClass": "text",
    "ChargeDescription": "text",
    "ChargePeriodEnd": "moment",
    "ChargePeriodStart": "moment",
    "ContractedCost": "decimal",
    "EffectiveCost": "decimal",
    "InvoiceIssuerName": "text",
    "ListCost": "decimal",
    "PricingQuantity": "decimal",
    "PricingUnit": "text",
    "ProviderName": "text",
    "PublisherName": "text",
    "ServiceCategory": "text",
    "ServiceName": "text",
}
FILLED: dict[str, Kind] = {
    "ChargeFrequency": "text",
    "ConsumedQuantity": "decimal",
    "ConsumedUnit": "text",
    "ContractedUnitPrice": "decimal",
    "ListUnitPrice": "decimal",
    "PricingCategory": "text",
    "ResourceId": "text",
    "ResourceType": "text",
    "ServiceSubcategory": "text",
    "SkuId": "text",
    "SkuPriceId": "text",
    "Tags": "json",
}
EMPTY: dict[str, Kind] = {
    "AvailabilityZone": "text",
    "CommitmentDiscountCategory": "text",
    "CommitmentDiscountId": "text",
    "CommitmentDiscountName": "text",
    "CommitmentDiscountStatus": "text",
    "CommitmentDiscountType": "text",
    "RegionId": "text",
    "RegionName": "text",
    "ResourceName": "text",
    "SubAccountId": "text",
    "SubAccountName": "text",
}
OWN: dict[str, Kind] = {
    "x_CostSource": "text",
    "x_Fingerprint": "text",
    "x_Sequence": "text",
    "x_Shot": "text",
}
"""Columns of one's own start with x_ and come last."""

RENAMED: Mapping[Version, Mapping[str, str]] = {
    "1.2": {},
    "1.4": {"ProviderName": "ServiceProviderName", "PublisherName": "HostProviderName"},
}
"""Both names came with 1.3; the old ones are gone in 1.4."""


def columns_of(version: Version) -> dict[str, Kind]:
    """FOCUS's own in alphabetical order, then ours."""
    new = RENAMED[version]
    known = {new.get(name, name): kind for name, kind in (MANDATORY | FILLED | EMPTY).items()}
    return {name: known[name] for name in sorted(known)} | OWN
