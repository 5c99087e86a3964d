"""What makes two requests the same purchase."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping

from blocks.providers.model import Model, Value

VERSION = 1
OWN_FIELDS = ("image", "video")
"""Files whose role has a field of its own: fingerprints of earlier versions have these alone."""


def fingerprint(
    service: str,
    model: Model,
    inputs: Mapping[str, Value],
    *,
    seed: int | None,
    take: int,
    files: Mapping[str, str],
    twin: int = 1,
    previous: str | None = None,
    chained: Collection[str] = (),
) -> str:
    """SHA-256 over the service, the model and every input, as 64 hex digits; where the seed is left
    open also over which of several like it this is.

    `take` is 1 where there is a seed: it says all. `files` are the SHA-256s of input files by their
    places: a file counts by its bytes, a chained one by the fingerprint of the clip that it comes
    from (`previous`), and by its places (`chained`) but for the usual one alone; a seed counts as
    the list gives it, or as unset. What a card says beside the inputs does not count: a refreshed
    card with the same inputs is the same purchase.
    """
    others = dict(files)
    own = {role: others.pop(model.input_of(role) or role, None) for role in OWN_FIELDS}
    what = {
        "version": VERSION,
        "service": service,
        "model": f"{model.name} {model.version}".strip(),
        "inputs": dict(inputs),
        "seed": seed,
        "take": take,
        "image": own["image"],
        "previous": previous,
    }
    if own["video"]:  # fingerprints of shots without one stay what they were
        what["video"] = own["video"]
    if others:
        what["files"] = others
    if places := told_places(model, chained):
        what["chained"] = places
    if twin > 1:
        what["twin"] = twin
    canonical = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def told_places(model: Model, chained: Collection[str]) -> list[str]:
    """Where the clip before goes, as a fingerprint says it: not where it only begins the clip."""
    usual = model.input_of("image") or model.input_of("video")
    return sorted(chained) if set(chained) - {usual} else []
