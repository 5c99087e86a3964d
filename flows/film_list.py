"""The shot list as a film to be made: its shots, its name, where it goes, how it is finished."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from blocks.errors import InputError
from flows.generate.generation import Generation
from flows.generate.preflight import preflight
from flows.generate.sub_runs import SubRun
from flows.output.folder import Place
from flows.planning.film_budget import within_budgets
from flows.planning.plan import Plan
from flows.planning.reserving import plan_list
from flows.planning.stills_price import stills_words
from flows.run_name import film_name
from flows.shots import FilmId, Shot, film_of, read_list
from flows.shots.choices import Choices
from flows.shots.film_file import FilmFile
from flows.shots.source import refuse_key
from flows.stitch.finish import Finish
from flows.stitch.sound import check_music


@dataclass(frozen=True)
class FilmList:
    """`source` is what was given; `file` is what the film's own file says; `finish` is that with
    the `options` that were chosen over it. `max_usd` is what the run says of a clip."""

    source: str
    id: FilmId
    shots: list[Shot]
    file: FilmFile
    choices: Choices
    finish: Finish
    options: Finish
    place: Place
    max_usd: Decimal | None = None

    def in_parts(self, clips: int | None, *, live: bool, budget_usd: Decimal | None) -> SubRun:
        """What sub-runs are told, each of which buys so many clips."""
        return SubRun(self.source, live, budget_usd, clips, self.max_usd)


def require_budget(budget_usd: Decimal | None, *, live: bool) -> None:
    """Raises InputError for a live run without one."""
    if live and budget_usd is None:
        raise InputError(
            "A live run needs a budget.",
            remedy="Add --budget USD, or set SHOTREEL_BUDGET_USD. Nothing was bought.",
        )


async def read_film(
    source: str, out: str | None, finish: Finish, max_usd: Decimal | None = None
) -> FilmList:
    """Raises InputError, ShotListError."""
    refuse_key(source)
    film = film_of(source, film_name(source))
    place = Place(Path(out) if out else Path("out") / film.name)
    found = read_list(source, max_usd)
    chosen = finish.over(found.film.finish)
    if chosen.music:
        await asyncio.to_thread(check_music, Path(chosen.music))
    return FilmList(
        source, film, found.shots, found.film, found.choices, chosen, finish, place, max_usd
    )


async def plan_film(
    run: Generation, film: FilmList, budget_usd: Decimal | None, *, live: bool, stills: bool
) -> tuple[Plan, Decimal | None]:
    """What there is to buy, and the most that it may cost; nothing known beforehand is against it.

    Raises BudgetError, InputError, PriceError.
    """
    run.watcher.enter("planning")
    plan = await plan_list(run, film.shots, live=live, name=film.id.name, stills=stills)
    if plan.adopted:
        run.watcher.say(
            f"The ledger does not know {plan.adopted} clips that were paid for: was its file moved "
            "or removed? They are written down again, at what they are estimated to have cost."
        )
    if told := stills_words(plan):
        run.watcher.say(told)
    left_usd = await within_budgets(run.ledger, plan, film.file, film.id, budget_usd, live=live)
    film.place.check_writable()
    await preflight(run.providers, plan)
    return plan, left_usd
