"""What a film may cost by its own file: a clip, a sequence, and all of it over all of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from blocks.errors import BudgetError
from blocks.ledger import Ledger
from blocks.ledger.film_runs import charged_in
from blocks.money import usd
from flows.planning.plan import Line, Plan, check_budget
from flows.shots.film import FilmId
from flows.shots.film_file import FilmFile

MAX_NAMED = 10


async def within_budgets(
    ledger: Ledger,
    plan: Plan,
    film: FilmFile,
    film_id: FilmId,
    budget_usd: Decimal | None,
    *,
    live: bool,
) -> Decimal | None:
    """The run's budget, and no more than is left of the film's. Raises BudgetError."""
    check_budget(plan, budget_usd)
    check_clips(plan)
    if film.budget_usd is None and not film.sequence_budgets_usd:
        return budget_usd
    charged = await ledger.book(charged_in, ledger, film_id.key, live=live)
    spent_usd: dict[str, Decimal] = {}
    for each in charged:
        name = each.attempt.sequence
        spent_usd[name] = spent_usd.get(name, Decimal(0)) + each.cost.cost_usd
    left_usd = check_film(plan, film, spent_usd)
    return min((each for each in (budget_usd, left_usd) if each is not None), default=None)


def check_clips(plan: Plan) -> None:
    """Raises BudgetError where a clip costs more than its row, or the film's file, allows."""
    over = []
    for line in plan.every:
        most_usd = line.job.shot.max_usd
        if most_usd is not None and line.most_usd > most_usd:
            over.append(f"{line.job.name} costs {usd(line.most_usd)}, at most {usd(most_usd)}")
    if over:
        more = f"; and {len(over) - MAX_NAMED} more" if len(over) > MAX_NAMED else ""
        raise BudgetError(
            f"Clips cost more than their max_usd: {'; '.join(over[:MAX_NAMED])}{more}.",
            remedy="Nothing was bought. Raise max_usd, or make them shorter or smaller.",
        )


def check_film(plan: Plan, film: FilmFile, spent_usd: Mapping[str, Decimal]) -> Decimal | None:
    """What is left of the film's budget; None where it has none. Raises BudgetError.

    `spent_usd` is what its runs were charged, by sequence. A clip that is ordered and not here may
    not be among the charges, and counts as it was quoted.
    """
    for name, budget_usd in film.sequence_budgets_usd.items():
        lines = [line for line in plan.every if line.job.shot.sequence == name]
        check(f"{name} of this film", lines, budget_usd, spent_usd.get(name, Decimal(0)))
    if film.budget_usd is None:
        return None
    spent = sum(spent_usd.values(), Decimal(0))
    check("this film", plan.every, film.budget_usd, spent)
    return max(Decimal(0), film.budget_usd - spent)


def check(what: str, lines: Iterable[Line], budget_usd: Decimal, spent_usd: Decimal) -> None:
    wanted_usd = sum((line.most_usd for line in lines), Decimal(0))
    ordered_usd = sum((x.quote.cost_usd for x in lines if x.need == "bought"), Decimal(0))
    if wanted_usd and spent_usd + ordered_usd + wanted_usd > budget_usd:
        raise BudgetError(
            f"The plan costs {usd(wanted_usd)} for {what}, which has cost "
            f"{usd(spent_usd + ordered_usd)}; its budget over all runs is {usd(budget_usd)}.",
            remedy="Nothing was bought. Raise budget_usd in the film's file, or shorten the list.",
        )
