"""The flow: a shot list becomes a film and a bill."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect.states import Completed, Failed

from flows import parameters
from flows.approval import Asker, approved
from flows.caller import NOBODY, Caller
from flows.deliver import deliver
from flows.film_list import plan_film, read_film, require_budget
from flows.generate.generation import open_generation
from flows.planning.reserving import reserve
from flows.report.ending import ends_in_words
from flows.report.events import reported
from flows.report.notification import notified
from flows.run_name import run_name
from flows.served import film_flow
from flows.stills_first import StillsFirst
from flows.tasks.account_costs import account
from flows.tasks.generate_clip import generating
from flows.tasks.stitch import films_of


# A run that says Failed has done what it could: Prefect's default for retries would buy what has
# failed once more.
@film_flow(name="make-film", flow_run_name=run_name, persist_result=False, retries=0)
@ends_in_words
async def make_film(
    shots: parameters.ShotList,
    out: parameters.OutputFolder = None,
    live: parameters.Live = False,
    budget_usd: parameters.Budget = None,
    approve_above_usd: parameters.ApproveAbove = None,
    notify: parameters.Notify = None,
    split: parameters.Split = None,
    finish: parameters.Finishing = parameters.NO_FINISH,
    stills: parameters.StillsAlone = False,
    max_usd: parameters.MostOfClip = None,
    *,
    caller: Caller = NOBODY,
) -> Any:  # a State to Prefect, and Made to whoever calls it
    """Read the list, plan, buy what is missing, stitch, account, report.

    Args:
        shots: A path, an http(s) or fsspec URL, or the CSV text itself.
        out: The output folder. Default: out/ and the shot list's name.
        live: Spend money: buy from the real accounts. Off: from the sandbox, for free.
        budget_usd: Nothing is bought above it. A live run needs one.
        approve_above_usd: A plan that costs more waits until a person has approved it; so do
            the clips of stills, whatever they cost.
        notify: The Prefect notification block to tell, such as slack-webhook/team.
        split: Clips that a sub-run buys, on another worker; 0: none. Default: by the list's length.
        finish: What can be chosen about the film at any time, for nothing.
        stills: Buy no clip: only the pictures that clips are to begin with.
        max_usd: The most that a clip may cost, where its row does not say it. Of a model whose
            price nobody can promise, it is set aside whole.
    """
    progress = reported(caller.view)
    film = await read_film(shots, out, finish, max_usd)
    require_budget(budget_usd, live=live)
    async with (
        notified(film.id.name, notify) as notification,
        open_generation(film.shots, progress, live=live) as run,
        films_of(film, progress) as films,
    ):
        plan, budget_usd = await plan_film(run, film, budget_usd, live=live, stills=stills)
        asker = Asker(caller.ask, progress, notification)
        plan, budget_usd = await approved(run, plan, budget_usd, approve_above_usd, asker)
        how = {"reports_stop": caller is NOBODY, "lists_stored": caller.lists_stored}
        if approve_above_usd is not None and not stills:
            choosing = StillsFirst(run, film, asker, how, live)
            film, plan, budget_usd = await choosing.decided(plan, budget_usd)
        intents = await reserve(run, plan, film.id.name, budget_usd, film.id)
        parts = film.in_parts(split, live=live, budget_usd=budget_usd)
        async with (
            generating(run, plan, intents, progress, parts, **how) as clips,
            films.beside(plan, clips),
        ):
            sequences, whole, accounts = await asyncio.gather(
                films.sequences(plan, clips),
                films.film(plan, clips),
                account(film, plan, clips, run.ledger),
            )
        stitched = sequences | whole
        made = await deliver(run, film, plan, clips, stitched, accounts, films, caller.shown)
        notification.ends(made.exit_code, f"{made.summary} {film.place.film}")
    progress.enter("done")
    caller.made(made)
    return (Completed if made.is_well(stills=stills) else Failed)(message=made.summary, data=made)
