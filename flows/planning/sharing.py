"""Clips that shots or films have in common: paid for once, shown in several places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.ledger import Ledger
from blocks.ledger.film_runs import films_of_runs
from flows.planning.plan import Line
from flows.shots import FilmId


@dataclass(frozen=True)
class Shared:
    """`shot` is the one of this list whose clip it is, `film` another film that has paid for it;
    one of them is empty."""

    name: str
    shot: str
    film: str

    def sentence(self) -> str:
        return f"{self.name} has the clip of {self.shot or f'the film {self.film}'}."


def shared_clips(ledger: Ledger, lines: Sequence[Line], film: FilmId) -> list[Shared]:
    """Those that another shot of the list, or another film, has bought or is to buy."""
    held = ledger.holders(list({line.job.fingerprint for line in lines}))
    films = films_of_runs(ledger, list({attempt.run_id for attempt in held.values()}))
    own = {film.key, film.place, film.name}
    first: dict[str, str] = {}
    found = []
    for line in lines:
        key, name = line.job.fingerprint, line.job.name
        if key in first:
            found.append(Shared(name, first[key], ""))
            continue
        first[key] = name
        attempt = held.get(key)
        other = films.get(attempt.run_id, "") if attempt else ""
        if line.need in ("stored", "bought") and other and other not in own:
            found.append(Shared(name, "", other))
    return found
