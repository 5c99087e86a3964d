"""What may happen to a clip's money: sandbox faults, and lists whose clips meet them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from blocks.ledger import Ledger
from tests.ledger.books import rows

FAL, WAVESPEED = "fal-ai/magi-distilled", "wavespeed-ai/magi-1-24b"
REFUND_S = 0.3

FATES: Mapping[str, Mapping[str, Any] | None] = {
    "well": None,
    "other units": {"do": "units", "units": 5.5},
    "price changes": {"do": "price", "unit_price_usd": 0.1},
    "refunded": {"do": "refund", "refund_after_s": REFUND_S},
    "fails for free": {"do": "fail", "status": 500, "units": 0, "refund_after_s": REFUND_S},
    "fails and is charged": {"do": "fail", "status": 422, "units": 3, "charged": True},
    "fails, charged, unsaid": {"do": "fail", "status": 422, "charged": True},
    "fails, free, unsaid": {"do": "fail", "status": 422, "refund_after_s": REFUND_S},
}


@dataclass(frozen=True)
class Shot:
    fate: str
    model: str
    takes: int


def shot_list(shots: Sequence[Shot], tag: str) -> list[str]:
    """CSV lines. A prompt names its list and its row, so that a fault can match it."""
    lines = ["shot,prompt,model,takes"]
    lines += [f"{n},{tag} {n}.,{shot.model},{shot.takes}" for n, shot in enumerate(shots)]
    return lines


def rules(shots: Sequence[Shot], tag: str) -> list[dict[str, Any]]:
    return [
        {"at": "job", "times": 0, "match": {"prompt": f"{tag} {n}."}, **rule}
        for n, shot in enumerate(shots)
        if (rule := FATES[shot.fate])
    ]


def charged(charges: Sequence[Mapping[str, Any]], tag: str) -> dict[str, Decimal]:
    """USD by request, by the services' own count, of the requests of a list."""
    sums: Counter[str] = Counter()
    for charge in charges:
        if str(charge["inputs"]["prompt"]).startswith(f"{tag} "):
            sums[charge["request_id"]] += Decimal(charge["cost_usd"])  # type: ignore[assignment]
    return {request_id: usd for request_id, usd in sums.items() if usd}  # type: ignore[misc]


def billed(ledger: Ledger, tag: str) -> dict[str, Decimal]:
    """USD by request, by the ledger."""
    found = rows(
        ledger,
        "SELECT a.request_id, SUM(c.cost_nano_usd) FROM charges c JOIN attempts a "
        "ON a.id = c.attempt_id WHERE a.inputs LIKE :tag GROUP BY a.request_id",
        tag=f'%"{tag} %',
    )
    return {request_id: Decimal(int(nano)) / 10**9 for request_id, nano in found if nano}
