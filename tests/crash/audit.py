"""The invariants: the ledger held against the service's own count of what it has charged."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from blocks.ledger import Attempt, Ledger
from blocks.ledger.states import NEXT

STATES = tuple(NEXT)
MAY_BE_ASKED = ("posting", "unknown")


@dataclass
class Audit:
    """What the ledger and the service say of each other."""

    problems: list[str] = field(default_factory=list)
    charged: int = 0
    """Requests that the service has charged, refunds taken off."""
    stored: int = 0
    named: list[str] = field(default_factory=list)
    """Charges without a stored clip, as the ledger names them."""
    double_charges: int = 0
    lost_clips: int = 0
    ledger_usd: Decimal = Decimal(0)
    service_usd: Decimal = Decimal(0)
    open_usd: Decimal = Decimal(0)
    """Charged by the service for attempts of which the ledger says that it does not know yet."""

    @property
    def difference_usd(self) -> Decimal:
        return self.ledger_usd - self.service_usd

    @property
    def agrees(self) -> bool:
        """Both bills have the same sum, and no charge is open."""
        return not self.difference_usd and not self.open_usd


def identity(inputs: Mapping[str, Any]) -> tuple[str, Any]:
    """What tells one purchase of a test from another: its prompt, and the seed of its attempt."""
    return str(inputs.get("prompt")), inputs.get("seed")


def audit(ledger_url: str, clips: Path, told: Mapping[str, Any], posts: Any) -> Audit:
    """Hold them against each other; `told` is /sandbox/charges, `posts` /sandbox/posts.

    At most one charge for a fingerprint; every charge is a stored clip or an attempt that says
    what is the matter; what the ledger counts for a request is what the service counts; no
    attempt's POST was accepted twice.
    """
    result = Audit()
    attempts, costs = _read(ledger_url)
    by_request = {a.request_id: a for a in attempts if a.request_id}
    by_identity: dict[tuple[str, Any], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_identity[identity(attempt.inputs)].append(attempt)

    paid: dict[str, Decimal] = defaultdict(Decimal)
    inputs: dict[str, Mapping[str, Any]] = {}
    for charge in told["charges"]:
        paid[charge["request_id"]] += Decimal(charge["cost_usd"])
        inputs[charge["request_id"]] = charge["inputs"]
    result.service_usd = sum(paid.values(), Decimal(0))
    result.ledger_usd = sum(costs.values(), Decimal(0))

    fingerprints: Counter[str] = Counter()
    for request_id, cost_usd in paid.items():
        if not cost_usd:
            continue
        result.charged += 1
        found = by_request.get(request_id)
        if found is None:  # its answer was lost: the attempt that waits for it names it
            waiting = by_identity.get(identity(inputs[request_id]), [])
            found = next((a for a in waiting if a.state in MAY_BE_ASKED), None)
        if found is None:
            result.lost_clips += 1
            result.problems.append(f"request {request_id} is charged and nowhere in the ledger")
            prompt = str(inputs[request_id].get("prompt"))
            known = next((a for a in attempts if a.inputs.get("prompt") == prompt), None)
            fingerprints[known.fingerprint if known else prompt] += 1
            continue
        fingerprints[found.fingerprint] += 1
        if found.state == "stored":
            if _is_there(clips, found):
                result.stored += 1
            else:
                result.lost_clips += 1
                result.problems.append(f"{found.shot} is stored, and its file is not there")
        else:
            result.named.append(f"{found.state} {found.shot}: {found.cause}")
            if not found.cause:
                result.problems.append(f"{found.shot} is {found.state} without a reason")
        if cost_usd != costs.get(found.id, Decimal(0)):
            is_booked = found.state in ("stored", "ready", "released") or (
                found.state == "lost" and found.charged is not None
            )
            if is_booked:
                result.problems.append(
                    f"{found.shot} ({found.state}): the ledger says {costs.get(found.id)}, the "
                    f"service {cost_usd}"
                )
            else:
                result.open_usd += cost_usd - costs.get(found.id, Decimal(0))
    for fingerprint, count in fingerprints.items():
        if count > 1:
            result.double_charges += count - 1
            result.problems.append(f"fingerprint {fingerprint[:8]} was charged {count} times")
    if result.difference_usd + result.open_usd and not result.problems:
        result.problems.append(
            f"the ledger's sum is {result.ledger_usd}, the service's {result.service_usd}"
        )
    for row in posts["posts"]:
        sent = len(by_identity.get(identity(row["inputs"]), []))
        if row["accepted"] > sent:
            result.problems.append(f"{row['accepted']} POSTs were accepted for {sent} attempts")
    return result


def _read(ledger_url: str) -> tuple[list[Attempt], dict[str, Decimal]]:
    ledger = Ledger(ledger_url)
    try:
        attempts = ledger.in_states(STATES)
        costs = ledger.costs([attempt.id for attempt in attempts])
        return attempts, {key: cost.cost_usd for key, cost in costs.items()}
    finally:
        ledger.close()


def _is_there(clips: Path, attempt: Attempt) -> bool:
    assert attempt.clip_sha256
    path = clips / attempt.clip_sha256[:2] / f"{attempt.clip_sha256}.mp4"
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == attempt.clip_sha256
