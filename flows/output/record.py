"""What was handed over last, so that a run that changes nothing writes nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blocks import settings
from flows.output.writing import write_atomically


def key_of(*facts: Any) -> str:
    """Changes with anything that is handed over."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def is_current(folder: Path, out: Path, key: str) -> bool:
    """Whether `out` still holds, untouched, what was written for this key."""
    try:
        known = json.loads(_note(folder, out).read_bytes())
        return bool(known["key"] == key and known["files"] == _looks(map(Path, known["files"])))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remember(folder: Path, out: Path, key: str, files: Sequence[Path]) -> None:
    """Raises SetupError where the note cannot be written."""
    facts = {"key": key, "files": _looks(file.absolute() for file in files)}
    write_atomically(_note(folder, out), json.dumps(facts))


def remember_options(out: Path, options: Mapping[str, Any]) -> None:
    """What was chosen about the film in `out`, as JSON values. Raises SetupError."""
    write_atomically(_note(settings.home() / "options", out), json.dumps(options))


def options_of(out: Path) -> dict[str, Any]:
    """What was chosen about the film in `out` when it was made last."""
    try:
        found = json.loads(_note(settings.home() / "options", out).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _note(folder: Path, out: Path) -> Path:
    return folder / f"{hashlib.sha256(os.fsencode(out.absolute())).hexdigest()}.json"


def _looks(files: Any) -> dict[str, list[int]]:
    """Size and time of the last change of each file."""
    found = {str(file): file.stat() for file in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in found.items()}
