"""In which order the film shows its shots, and the words before a sequence."""

from __future__ import annotations

from collections.abc import Sequence

from flows.planning.plan import Line, Plan


def film_order(plan: Plan) -> dict[str, list[Line]]:
    """Lines by sequence, in list order; of a shot the take that is chosen."""
    order: dict[str, list[Line]] = {}
    for line in plan.lines:
        if line.is_chosen:
            order.setdefault(line.job.shot.sequence, []).append(line)
    return order


def title_of(lines: Sequence[Line]) -> str:
    """The words on the card before a sequence; empty where it has none."""
    titles = (line.job.shot.sequence_title for line in lines)
    return next(filter(None, titles), "")
