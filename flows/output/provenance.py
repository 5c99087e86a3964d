"""`provenance.json`: how each shot was made, for an archive, a client or an authority. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from blocks.ledger import Attempt
from blocks.timing import moment_text
from flows.stitch.xmp import SOURCE_TYPE


def provenance_of(
    film: Mapping[str, Any] | None,
    shots: Sequence[Mapping[str, Any]],
    attempts: Mapping[str, Attempt],
) -> dict[str, Any]:
    """JSON values: the same clips give the same. `film` and `shots` are of the manifest; a shot
    without a clip is left out, for there is nothing to say how it was made."""
    return {
        "digital_source_type": SOURCE_TYPE,
        "film": film and {"path": film["path"], "sha256": film["sha256"]},
        "shots": [_shot(row, attempts.get(row["fingerprint"])) for row in shots if row["sha256"]],
    }


def _shot(row: Mapping[str, Any], attempt: Attempt | None) -> dict[str, Any]:
    return {
        "sequence": row["sequence"],
        "shot": row["shot"],
        "take": row["take"],
        "path": row["path"],
        "sha256": row["sha256"],
        "digital_source_type": SOURCE_TYPE,
        "prompt": row["inputs"].get("prompt"),
        "inputs": row["inputs"],
        "seed": row["seed"],
        "model": row["model"],
        "provider": attempt.service if attempt else None,
        "request_id": row["request_id"],
        "ordered_at": _moment(attempt.posted_at) if attempt else None,
        "stored_at": _moment(attempt.stored_at) if attempt else None,
        "fingerprint": row["fingerprint"],
    }


def _moment(at: datetime | None) -> str | None:
    return moment_text(at) if at else None
