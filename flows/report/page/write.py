"""`report.html` from the ledger and the film: read, turned into one file, put in place."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from blocks.errors import ShotreelError
from blocks.ledger import Ledger
from flows.costs.statement import Statement
from flows.output.folder import LaidOut, Place
from flows.output.writing import write_atomically
from flows.planning.plan import Plan
from flows.report.page.build import report_of
from flows.report.page.facts import Past, Report
from flows.report.page.pictures import POSTER_PX, data_urls, make_pictures, side_px
from flows.run.context import Clip
from flows.shots.choices import Choices
from flows.stitch import Stitched
from flows.stitch.seams import Seam

STYLES = ("uplot.css", "report.css")
SCRIPTS = (
    "uplot.js",
    "facts.js",
    "words.js",
    "elements.js",
    "seams.js",
    "player.js",
    "head.js",
    "sheet.js",
    "room.js",
    "viewer.js",
    "cost.js",
    "times.js",
    "report.js",
)

KEY = re.compile(r'<meta name="shotreel-content" content="([0-9a-f]{64})">')
KEY_WITHIN_BYTES = 1024


async def write_report(
    title: str,
    plan: Plan,
    manifest: Mapping[str, Any],
    clips: Mapping[str, Clip],
    errors: Mapping[str, ShotreelError],
    films: Mapping[str, Stitched | ShotreelError | None],
    accounts: Statement,
    seams: Sequence[Seam],
    place: Place,
    *,
    run_id: str,
    pasts: Sequence[Past],
    stills: Mapping[str, LaidOut],
    choices: Choices,
    processes: Executor,
) -> bool:
    """Write the page, if what it says has changed; gives whether it has.

    `clips`, `errors` and `stills` are by fingerprint. Raises SetupError, OSError.
    """
    report = report_of(
        title,
        run_id,
        manifest,
        plan.lines,
        errors,
        pasts,
        films,
        accounts,
        seams,
        stills=plan.stills,
        laid_out=stills,
        choices=choices,
    )
    paths = {clip.sha256: clip.path for clip in clips.values()}
    paths |= {still.sha256: place.out / still.path for still in stills.values()}
    return await asyncio.to_thread(put, report, paths, processes, place)


def pasts_of(ledger: Ledger, fingerprints: Sequence[str]) -> list[Past]:
    """Every attempt at these clips, oldest first."""
    attempts = ledger.attempts_for(fingerprints)
    ids = [attempt.id for attempt in attempts]
    changes, charges = ledger.histories(ids), ledger.charges(ids)
    return [Past(a, changes.get(a.id, ()), charges.get(a.id, ())) for a in attempts]


def put(report: Report, clips: Mapping[str, Path], processes: Executor, place: Place) -> bool:
    """`clips` are paths by SHA-256."""
    side = side_px(len(clips))
    key = content_key(report, side)
    if key_of(place.report) == key:
        return False
    pictures = data_urls(make_pictures(clips, side, processes).values())
    first = next((shot.sha256 for shot in report.shots if shot.film and shot.sha256), None)
    posters = {first: clips[first]} if first else {}
    poster = data_urls(make_pictures(posters, POSTER_PX, processes).values())
    page = page_of(report, pictures, next(iter(poster.values()), ""), key, datetime.now(UTC))
    write_atomically(place.report, page)
    return True


def content_key(report: Report, side: int) -> str:
    """Equal for pages that look the same."""
    facts = [assets(), side, asdict(report)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def key_of(page: Path) -> str | None:
    """The key of the page that is there."""
    try:
        with page.open("rb") as file:
            head = file.read(KEY_WITHIN_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    found = KEY.search(head)
    return found[1] if found else None


def page_of(
    report: Report, pictures: Mapping[str, str], poster: str, key: str, at: datetime
) -> str:
    """The page. `pictures` are data URLs by SHA-256, `poster` is one or ""."""
    parts = assets()
    styles = [parts[name] for name in STYLES]
    scripts = [parts[name] for name in SCRIPTS]
    return Template(parts["report.html"]).substitute(
        key=key,
        policy=html.escape(policy_of(styles, scripts)),
        title=html.escape(report.title),
        styles="\n".join(f"<style>{style}</style>" for style in styles),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
        facts=json_for_script({**asdict(report), "poster": poster, "written_ms": ms_of(at)}),
        pictures=json_for_script(pictures),
    )


def policy_of(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """What the page may do: run its own script, and show pictures and films beside it."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(hash_of, scripts))}",
            f"style-src {' '.join(map(hash_of, styles))}",
            "img-src data: 'self' file:",
            "media-src 'self' file:",  # not every browser takes a file beside a file for 'self'
            "connect-src 'self'",  # the cutting room; a file beside the page is no such origin
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def hash_of(inline: str) -> str:
    digest = hashlib.sha256(inline.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def json_for_script(value: Any) -> str:
    """JSON that no text in it can end the script element, or begin a comment, with."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def ms_of(at: datetime) -> int:
    return int(at.timestamp() * 1000)


@cache
def assets() -> dict[str, str]:
    """The page's own files by name."""
    folder = files("flows.report.page") / "assets"
    names = ("report.html", *STYLES, *SCRIPTS)
    return {name: (folder / name).read_text("utf-8") for name in names}
