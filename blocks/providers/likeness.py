"""Whether a request that a provider lists is the one that was sent: by what it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Likeness = Literal["same", "perhaps", "other"]


def likeness(stored: object, sent: Mapping[str, object]) -> Likeness:
    """How what a provider has stored of a request compares with what was sent.

    Services trim and rewrite what they store, so that white space tells nothing apart, and a
    pinned seed that agrees outweighs an input that does not: a person has to look then.
    """
    if not isinstance(stored, Mapping):
        return "perhaps"
    absent = [name for name in sent if stored.get(name) is None]
    differ = [n for n, value in sent.items() if n not in absent and not alike(stored[n], value)]
    if not absent and not differ:
        return "same"
    if "seed" in sent and "seed" not in (*absent, *differ):
        return "perhaps"
    return "other" if differ else "perhaps"


def alike(stored: object, sent: object) -> bool:
    """`96` and `"96"` say the same, as `1.0` and `1` do; so do texts that differ in white space."""
    if isinstance(sent, Mapping):
        return isinstance(stored, Mapping) and all(
            name in stored and alike(stored[name], value) for name, value in sent.items()
        )
    if isinstance(sent, list):
        return (
            isinstance(stored, list) and len(stored) == len(sent) and all(map(alike, stored, sent))
        )
    if not isinstance(stored, (str, int, float)):
        return False
    return stored == sent or " ".join(str(stored).split()) == " ".join(str(sent).split())
