"""Whether the shots are long enough for the transitions that they are to share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from flows.shots.problem import Problems


@dataclass(frozen=True, slots=True)
class Timing:
    """How a shot begins and how long it is; `shortest_s` is None where the list does not say it
    for certain. Any of a shot's alternatives may be the one that is bought."""

    row: int
    sequence: str
    shot: str
    transition: str
    transition_s: Decimal
    shortest_s: Fraction | None


def check_transitions(timings: Iterable[Timing], problems: Problems) -> None:
    """A shot has to last through the transition that it begins with and the one that it ends in."""
    last: dict[str, tuple[Timing, Fraction]] = {}
    for shot in timings:
        before, taken_s = last.get(shot.sequence, (None, Fraction(0)))
        # The first of a sequence has nothing to share, but may come up from black.
        begins = before is not None or shot.transition == "fade"
        takes_s = Fraction(shot.transition_s) if begins else Fraction(0)
        last[shot.sequence] = shot, takes_s
        own_s, before_s = shot.shortest_s, before.shortest_s if before else None
        if own_s is not None and takes_s > own_s:
            reason = f"is longer than the shot, which has {_seconds(own_s)} s"
        elif before and before_s is not None and takes_s and taken_s + takes_s > before_s:
            left_s = max(Fraction(0), before_s - taken_s)
            reason = f'does not fit into "{before.shot}" before it, which has {_seconds(left_s)} s'
            reason += f" beside its own {before.transition}" if taken_s else ""
        else:
            continue
        problems.add(shot.row, "transition_s", str(shot.transition_s), reason)


def _seconds(value_s: Fraction) -> str:
    return f"{float(value_s):.3f}".rstrip("0").rstrip(".")
