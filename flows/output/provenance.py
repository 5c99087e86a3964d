"""`provenance.json`: how each shot was made, for an archive, a client or an authority. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from blocks.ledger import Attempt
from blocks.providers.footage import FOOTAGE
from blocks.timing import moment_text
from flows.stitch.xmp import MADE_BY_MODEL, source_type_of


def provenance_of(
    film: Mapping[str, Any] | None,
    shots: Sequence[Mapping[str, Any]],
    attempts: Mapping[str, Attempt],
    in_film: Set[str],
) -> dict[str, Any]:
    """JSON values: the same clips give the same. `film` and `shots` are of the manifest, `in_film`
    the SHA-256s of the film's clips; a shot without a clip is left out, for there is nothing to say
    how it was made."""
    own = (is_own(row) for row in shots if row["sha256"] in in_film)
    return {
        "digital_source_type": source_type_of(own),
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
        "digital_source_type": None if is_own(row) else MADE_BY_MODEL,
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


def is_own(row: Mapping[str, Any]) -> bool:
    return bool(row["model"] == FOOTAGE.name)


def _moment(at: datetime | None) -> str | None:
    return moment_text(at) if at else None
