"""What makes two requests the same purchase."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from blocks.providers.model import Value

VERSION = 1


def fingerprint(
    service: str,
    model: str,
    inputs: Mapping[str, Value],
    *,
    seed: int | None,
    take: int,
    image_sha256: str | None = None,
    video_sha256: str | None = None,
    previous: str | None = None,
) -> str:
    """SHA-256 over the service, the model, every input and the take, as 64 hex digits.

    A file counts by its bytes, a chained one by the fingerprint of the clip that it comes from
    (`previous`); a seed counts as the list gives it, or as unset.
    """
    what = {
        "version": VERSION,
        "service": service,
        "model": model,
        "inputs": dict(inputs),
        "seed": seed,
        "take": take,
        "image": image_sha256,
        "previous": previous,
    }
    if video_sha256:  # fingerprints of shots without one stay what they were
        what["video"] = video_sha256
    canonical = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
