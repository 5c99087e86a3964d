"""Whether the shots are long enough for the transitions that they are to share."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from flows.shots.problem import Problems
from flows.shots.shot import Shot


def check_transitions(shots: Iterable[Shot], problems: Problems) -> None:
    """A shot has to last through the transition that it begins with and the one that it ends in."""
    last: dict[str, tuple[Shot, Fraction]] = {}
    for shot in shots:
        before, taken_s = last.get(shot.sequence, (None, Fraction(0)))
        # The first of a sequence has nothing to share, but may come up from black.
        begins = before is not None or shot.transition == "fade"
        takes_s = Fraction(shot.transition_s) if begins else Fraction(0)
        last[shot.sequence] = shot, takes_s
        if takes_s > _shortest_s(shot):
            reason = f"is longer than the shot, which has {_seconds(_shortest_s(shot))} s"
        elif before is not None and takes_s and taken_s + takes_s > _shortest_s(before):
            left_s = max(Fraction(0), _shortest_s(before) - taken_s)
            reason = f'does not fit into "{before.shot}" before it, which has {_seconds(left_s)} s'
            reason += f" beside its own {before.transition}" if taken_s else ""
        else:
            continue
        problems.add(shot.row, "transition_s", str(shot.transition_s), reason)


def _shortest_s(shot: Shot) -> Fraction:
    """Any of the alternatives may be the one that is bought."""
    return min(each.duration_s for each in shot.alternatives)


def _seconds(value_s: Fraction) -> str:
    return f"{float(value_s):.3f}".rstrip("0").rstrip(".")
