"""What a run is called, and the film of a list that has no name of its own."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from prefect.runtime import flow_run as runtime

from flows.shots import list_name
from flows.shots.source import is_pasted, safe_name

# What Prefect 3.9's UI proposes for a run: one of these and a word, as in `Rustic-chair`.
_PROPOSED = re.compile(
    "(Awesome|Rustic|Small|Gorgeous|Fantastic|Sleek|Intelligent|Unbranded|Refined|Licensed|Generic"
    r"|Practical|Ergonomic|Handcrafted|Tasty|Handmade|Incredible)-\S{1,6}"
)


def run_name() -> str:
    """The name that a person gave the run; else the list's, also where the list was pasted."""
    name = str(runtime.name or "")
    return list_name(str(runtime.parameters["shots"])) if is_drawn(name) else name


def film_name(shots: str) -> str:
    """The list's name. A pasted list has none: the run's, where a person gave it one."""
    name = str(runtime.name or "")
    return list_name(shots) if not is_pasted(shots) or is_drawn(name) else safe_name(name)


def is_drawn(name: str) -> bool:
    """Whether nobody has chosen it: Prefect's server draws an adjective and an animal."""
    if not name or _PROPOSED.fullmatch(name):
        return True
    first, _, last = name.partition("-")
    return last in _words("animal") and first in _words("")


@cache
def _words(kind: str) -> frozenset[str]:
    """The words that Prefect's server draws from."""
    lists = (each for each in files("coolname.data").iterdir() if each.name.endswith(".txt"))
    lines = (each.read_text("utf-8").splitlines() for each in lists if each.name.startswith(kind))
    return frozenset(line.strip() for found in lines for line in found if "=" not in line)
