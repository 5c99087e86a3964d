"""Where a clip is in what a model has given back, and why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from urllib.parse import urljoin

from blocks.providers.http import plain, text
from blocks.providers.model import pointer_key

NAMES = ("video", "videos", "output", "outputs", "url")
MAX_DEPTH = 4


def clip_url(output: object, base_url: str, place: str = "") -> str | None:
    """The URL at `place` (RFC 6901) of the output; where nothing is there the first URL of a clip:
    a text, an object with `url`, or a list of either.

    A path is taken from where the answer came.
    """
    found = next(chain(_urls(_at(output, place), MAX_DEPTH), _urls(output, MAX_DEPTH)), None)
    try:
        return urljoin(base_url, found) if found else None
    except ValueError:  # such as "http://[": no host can be read in it
        return found


def _at(output: object, place: str) -> object:
    for step in filter(None, place.split("/")):
        if isinstance(output, dict):
            output = output.get(pointer_key(step))
        elif isinstance(output, list) and step.isdecimal() and int(step) < len(output):
            output = output[int(step)]
        else:
            return None
    return output if place else None


def _urls(output: object, depth: int) -> Iterator[str]:
    if isinstance(output, str):
        if (url := text(output)) and ("://" in url or url.startswith("/")):
            yield url
    elif depth and isinstance(output, list):
        for each in output:
            yield from _urls(each, depth - 1)
    elif depth and isinstance(output, dict):
        for name in NAMES:
            yield from _urls(output.get(name), depth - 1)


def why_empty(output: object) -> str:
    """What an answer without a clip says of the reason."""
    flagged = []
    if isinstance(output, dict):
        flagged = [output.get(name) for name in ("has_nsfw_contents", "has_nsfw_concepts")]
    if any(flag is True or (isinstance(flag, list) and True in flag) for flag in flagged):
        return "it ended without a clip: flagged as NSFW"
    said = output.get("error") or output.get("message") if isinstance(output, dict) else None
    return f"it ended without a clip{f': {plain(said)}' if said else ''}"
