"""`manifest.json`: what the output folder holds, and where each clip came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from blocks.ledger import Attempt
from blocks.media.probe import duration_of
from blocks.money import plain
from flows.costs.statement import Statement, reason_of
from flows.output.folder import Place
from flows.output.writing import write_atomically
from flows.planning.plan import Line
from flows.run.context import Clip
from flows.stitch import Stitched


def manifest_of(
    film: Stitched | None,
    lines: Sequence[Line],
    accounts: Statement,
    attempts: Mapping[str, Attempt],
    clips: Mapping[str, Clip],
    states: Mapping[str, str | None],
    place: Place,
) -> dict[str, Any]:
    """The manifest as JSON values. Paths are relative to the output folder.

    `besides`, where there is any, is what was charged for clips that the list no longer asks for:
    with it the costs of the shots come to the totals.
    """
    shots = []
    for line, item in zip(lines, accounts.takes, strict=True):
        job = line.job
        attempt = attempts.get(job.fingerprint)
        clip = clips.get(job.fingerprint)
        shots.append(
            {
                "sequence": job.shot.sequence,
                "shot": job.shot.shot,
                "take": job.take,
                "state": "stored" if clip else states.get(job.fingerprint) or item.state,
                "model": job.shot.model,
                "fingerprint": job.fingerprint,
                "inputs": dict(attempt.inputs) if attempt else dict(job.inputs),
                "seed": attempt.seed if attempt else job.seed,
                "schema_sha256": attempt.schema_sha256 if attempt else None,
                "request_id": attempt.request_id if attempt else None,
                "units": plain(item.units),
                "cost_usd": plain(item.cost_usd),
                "cost_source": item.source or None,
                "sha256": clip.sha256 if clip else None,
                "num_frames": clip.num_frames if clip else None,
                "duration_s": seconds(duration_of(clip.path, clip.num_frames)) if clip else None,
                "path": place.clip(job).relative_to(place.out).as_posix() if clip else None,
            }
        )
    besides = [
        {
            "sequence": item.sequence,
            "shot": item.shot,
            "take": item.take,
            "why": reason_of(item),
            "request_id": item.request_id,
            "units": plain(item.units),
            "cost_usd": plain(item.cost_usd),
        }
        for item in accounts.besides
    ]
    return {
        "film": film
        and {
            "path": film.path.relative_to(place.out).as_posix(),
            "num_frames": film.num_frames,
            "duration_s": seconds(film.duration_s),
            "sha256": film.sha256,
        },
        "shots": shots,
        "totals": {"units": plain(accounts.units), "cost_usd": plain(accounts.cost_usd)},
        **({"besides": besides} if besides else {}),
    }


def seconds(value: Fraction) -> float:
    return round(float(value), 6)


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
