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
    twin: int = 1,
    image_sha256: str | None = None,
    video_sha256: str | None = None,
    previous: str | None = None,
) -> str:
    """SHA-256 over the service, the model and every input, as 64 hex digits; where the seed is left
    open also over which of several like it this is.

    `take` is 1 where there is a seed: it says all. A file counts by its bytes, a chained one by the
    fingerprint of the clip that it comes from (`previous`); a seed counts as the list gives it, or
    as unset.
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
    if twin > 1:
        what["twin"] = twin
    canonical = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
