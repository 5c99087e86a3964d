"""A film, its sequences and its clips as Prefect's assets: what was made of what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from prefect.assets import Asset, AssetProperties

from flows.shots import FilmId
from flows.stitch import Clip, Item

MAX_NAMED = 50
"""What one is said to be made of: each is an event, and Prefect relates an event to 100 at most."""


def film_asset(film: FilmId) -> Asset:
    return _asset(film)


def sequence_asset(film: FilmId, sequence: str) -> Asset:
    return _asset(film, "sequences", sequence)


def sequences_in(film: FilmId, items: Sequence[Item]) -> list[Asset]:
    """What a film is made of, up to `MAX_NAMED`."""
    names = _first(shot.partition("/")[0] for shot in _shots(items))
    return [sequence_asset(film, name) for name in names]


def clips_in(film: FilmId, items: Sequence[Item]) -> list[Asset]:
    """What a sequence is made of, up to `MAX_NAMED`."""
    return [_asset(film, "clips", *shot.split("/")) for shot in _first(_shots(items))]


def _shots(items: Iterable[Item]) -> Iterable[str]:
    return (item.title for item in items if isinstance(item, Clip))


def _first(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))[:MAX_NAMED]


def _asset(film: FilmId, *path: str) -> Asset:
    """Keys tell neither folder nor address: a film without a name of its own has their digest."""
    called = film.name if film.key == film.place else film.key
    parts = [_part(called, film.key), *(_part(part, part) for part in path)]
    name = " ".join([called, "/".join(path[1:])]).strip()
    return Asset(key=f"shotreel://{'/'.join(parts)}", properties=AssetProperties(name=name))


def _part(name: str, known_as: str) -> str:
    """Prefect takes neither spaces nor most marks in a key: what loses some has a digest."""
    plain = re.sub(r"[^\w.-]+", "-", name)
    if plain == known_as:
        return plain
    return f"{plain}.{sha256(known_as.encode()).hexdigest()[:8]}"
