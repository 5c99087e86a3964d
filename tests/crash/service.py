"""The sandbox as a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blocks.files import replacing
from blocks.sandbox import serve


def main(argv: Sequence[str]) -> int:
    """`argv`: its folder, its port, and the seconds that a clip takes. Leaves its URL there."""
    folder, port, latency_s = argv
    place = Path(folder)

    def announce(url: str) -> None:
        with replacing(place / "url") as part:
            part.write_text(url)

    serve(
        place,
        port=int(port),
        latency_s=float(latency_s),
        render="thumb",
        announce=lambda sandbox: announce(sandbox.url),
    )
    return 0
